"""Every resource of the service."""

from __future__ import annotations

from starlette.routing import Route

from aegis_multimodal_ai_system.api import answers, audit_calls, model_calls, probe_calls
from aegis_multimodal_ai_system.api.endpoints import endpoint_of
from aegis_multimodal_ai_system.api.operations import BYTES, TEXT, Operation
from aegis_multimodal_ai_system.api.service import Service

OPERATIONS: tuple[Operation, ...] = (
    Operation(
        id="alive",
        method="GET",
        path="/healthz",
        summary="The process answers",
        role=None,
        handle=probe_calls.alive,
        answer=answers.Alive,
        probe=True,
        inline=True,
    ),
    Operation(
        id="ready",
        method="GET",
        path="/readyz",
        summary="Whether the service can do its work, part by part; 503 where it cannot",
        role=None,
        handle=probe_calls.ready,
        answer=answers.Ready,
        probe=True,
    ),
    Operation(
        id="metrics",
        method="GET",
        path="/metrics",
        summary="Metrics in Prometheus' text format",
        role="reader",
        handle=probe_calls.metrics,
        answer=(TEXT,),
        probe=True,
    ),
    Operation(
        id="description",
        method="GET",
        path="/openapi.json",
        summary="This description",
        role="reader",
        handle=probe_calls.description,
        answer=("application/json",),
    ),
    Operation(
        id="listModels",
        method="GET",
        path="/v1/models",
        summary="All models and their states",
        role="reader",
        handle=model_calls.list_models,
        answer=answers.Models,
    ),
    Operation(
        id="showModel",
        method="GET",
        path="/v1/models/{name}",
        summary="One model and its state",
        role="reader",
        handle=model_calls.show_model,
        answer=answers.Model,
        problems=(404,),
    ),
    Operation(
        id="prepareModel",
        method="POST",
        path="/v1/models/{name}/prepare",
        summary="Fetch and verify a model, and keep it for the next load; 422 says why it is refused",
        role="operator",
        handle=model_calls.prepare,
        answer=answers.Prepared,
        problems=(404, 409, 422),
        long=True,
    ),
    Operation(
        id="quarantineModel",
        method="POST",
        path="/v1/models/{name}/quarantine",
        summary="Let nobody load a model until it is released",
        role="operator",
        handle=model_calls.quarantine,
        answer=answers.Model,
        body=answers.Reason,
        problems=(404, 409),
    ),
    Operation(
        id="releaseModel",
        method="POST",
        path="/v1/models/{name}/release",
        summary="Let a quarantined model be verified and loaded again",
        role="admin",
        handle=model_calls.release,
        answer=answers.Model,
        body=answers.Reason,
        problems=(404, 409),
    ),
    Operation(
        id="revokeModel",
        method="POST",
        path="/v1/models/{name}/revoke",
        summary="Let nobody load a model ever again",
        role="admin",
        handle=model_calls.revoke,
        answer=answers.Model,
        body=answers.Reason,
        problems=(404, 409),
    ),
    Operation(
        id="listEntries",
        method="GET",
        path="/v1/audit/entries",
        summary="A page of the audit log",
        role="reader",
        handle=audit_calls.list_entries,
        answer=answers.Entries,
        query=answers.Page,
    ),
    Operation(
        id="showEntry",
        method="GET",
        path="/v1/audit/entries/{index}",
        summary="An entry of the audit log with the proof that the log holds it",
        role="reader",
        handle=audit_calls.show_entry,
        answer=answers.ProvenEntry,
        problems=(404,),
    ),
    Operation(
        id="showCheckpoint",
        method="GET",
        path="/v1/audit/checkpoint",
        summary="The newest signed checkpoint of the audit log",
        role="reader",
        handle=audit_calls.show_checkpoint,
        answer=(TEXT,),
    ),
    Operation(
        id="showTile",
        method="GET",
        path="/v1/audit/tiles/{path:path}",
        summary="The audit log as C2SP tlog-tiles: `checkpoint`, `tile/0/000`, `tile/entries/000.p/17`, …",
        role="reader",
        handle=audit_calls.show_tile,
        answer=(TEXT, BYTES),
        problems=(404,),
    ),
    Operation(
        id="proveConsistency",
        method="GET",
        path="/v1/audit/consistency",
        summary="The proof that the log of one size is the beginning of that of another",
        role="reader",
        handle=audit_calls.prove_consistency,
        answer=answers.Consistency,
        query=answers.Sizes,
        problems=(404,),
    ),
)


def routes_of(service: Service) -> list[Route]:
    """One a operation; no two share a path, so that a wrong method names all that are allowed."""
    return [
        Route(operation.path, endpoint_of(operation, service), methods=[operation.method], name=operation.id)
        for operation in OPERATIONS
    ]
