"""A provider that speaks Terraform's plugin protocol 6, with the schema of a real one, on loopback.

https://developer.hashicorp.com/terraform/plugin/terraform-plugin-protocol. It holds Terraform to its own rules: what
the schema does not know is refused by Terraform itself, write-only values are given once and never handed back, and
what it creates is what a `Cloud` creates. No `init` is needed: Terraform is told where it listens
(TF_REATTACH_PROVIDERS).
"""

# ruff: noqa: N802 - the methods have the protocol's names

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent import futures
from contextlib import contextmanager
from typing import Any, Protocol

import grpc
import msgpack
from tf.gen import tfplugin_pb2 as pb
from tf.gen import tfplugin_pb2_grpc as rpc

from tests.support.infra.terraform_schema import Attribute, Block, Schema

UNKNOWN = msgpack.ExtType(0, b"\0")
"""A value that is known after the apply (docs/plugin-protocol/object-wire-format.md of Terraform)."""
_WRITE_ONLY = b"\x58\x01"
"""Field 11 of Attribute, true: newer than the generated code."""
_LARGE = [("grpc.max_send_message_length", 256 << 20), ("grpc.max_receive_message_length", 256 << 20)]

Values = dict[str, Any]


class Cloud(Protocol):
    """Where the resources are."""

    def create(self, kind: str, values: Values) -> Values:
        """What is computed of a resource that is made; raises where the cloud refuses it."""

    def update(self, kind: str, before: Values, values: Values) -> Values:
        """The same for one that is changed."""

    def delete(self, kind: str, values: Values) -> None:
        """Remove it."""

    def exists(self, kind: str, values: Values) -> bool:
        """Whether it is still there."""

    def data(self, kind: str, values: Values) -> Values:
        """What a data source finds."""


@contextmanager
def serve(address: str, schema: Schema, cloud: Cloud) -> Iterator[dict[str, Any]]:
    """Serve as `registry.terraform.io/<address>`; what TF_REATTACH_PROVIDERS needs of it."""
    server = grpc.server(futures.ThreadPoolExecutor(8), options=_LARGE)
    rpc.add_ProviderServicer_to_server(_Provider(schema, cloud), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        told = {
            "Protocol": "grpc",
            "ProtocolVersion": 6,
            "Pid": os.getpid(),
            "Test": True,
            "Addr": {"Network": "tcp", "String": f"127.0.0.1:{port}"},
        }
        yield {f"{registry}/{address}": told for registry in ("registry.terraform.io", "registry.opentofu.org")}
    finally:
        server.stop(grace=None).wait()


class _Provider:
    def __init__(self, schema: Schema, cloud: Cloud) -> None:
        self._schema = schema
        self._cloud = cloud

    def GetMetadata(self, request: Any, context: Any) -> Any:
        return pb.GetMetadata.Response(
            server_capabilities=pb.ServerCapabilities(get_provider_schema_optional=True),
            resources=[pb.GetMetadata.ResourceMetadata(type_name=name) for name in self._schema.resources],
            data_sources=[pb.GetMetadata.DataSourceMetadata(type_name=name) for name in self._schema.data],
        )

    def GetProviderSchema(self, request: Any, context: Any) -> Any:
        return pb.GetProviderSchema.Response(
            provider=_schema(self._schema.provider),
            resource_schemas={name: _schema(block) for name, block in self._schema.resources.items()},
            data_source_schemas={name: _schema(block) for name, block in self._schema.data.items()},
            provider_meta=pb.Schema(block=pb.Schema.Block()),
        )

    def ValidateProviderConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateProviderConfig.Response()

    def ValidateResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateResourceConfig.Response()

    def ValidateDataResourceConfig(self, request: Any, context: Any) -> Any:
        return pb.ValidateDataResourceConfig.Response()

    def ConfigureProvider(self, request: Any, context: Any) -> Any:
        return pb.ConfigureProvider.Response()

    def GetFunctions(self, request: Any, context: Any) -> Any:
        return pb.GetFunctions.Response()

    def StopProvider(self, request: Any, context: Any) -> Any:
        return pb.StopProvider.Response()

    def ImportResourceState(self, request: Any, context: Any) -> Any:
        context.abort(grpc.StatusCode.UNIMPLEMENTED, "nothing is imported in tests")

    MoveResourceState = ImportResourceState
    CallFunction = ImportResourceState

    def UpgradeResourceState(self, request: Any, context: Any) -> Any:
        return pb.UpgradeResourceState.Response(upgraded_state=pb.DynamicValue(json=request.raw_state.json))

    def ReadResource(self, request: Any, context: Any) -> Any:
        values = _decoded(request.current_state)
        gone = values is not None and not self._cloud.exists(request.type_name, values)
        return pb.ReadResource.Response(new_state=_encoded(None) if gone else request.current_state)

    def PlanResourceChange(self, request: Any, context: Any) -> Any:
        proposed = _decoded(request.proposed_new_state)
        if proposed is None:
            return pb.PlanResourceChange.Response(planned_state=request.proposed_new_state)
        planned = _planned(self._schema.resources[request.type_name], proposed, _decoded(request.prior_state))
        return pb.PlanResourceChange.Response(planned_state=_encoded(planned))

    def ApplyResourceChange(self, request: Any, context: Any) -> Any:
        kind, planned = request.type_name, _decoded(request.planned_state)
        before = _decoded(request.prior_state)
        try:
            if planned is None:
                self._cloud.delete(kind, before or {})
                return pb.ApplyResourceChange.Response(new_state=request.planned_state)
            block = self._schema.resources[kind]
            given = {**_nulled(planned), **_written(block, _decoded(request.config) or {})}
            found = self._cloud.update(kind, before, given) if before else self._cloud.create(kind, given)
        except Exception as refused:  # the cloud's answer belongs to the user of Terraform
            trouble = pb.Diagnostic(severity=pb.Diagnostic.ERROR, summary=f"{kind}: {refused}")
            return pb.ApplyResourceChange.Response(new_state=request.prior_state, diagnostics=[trouble])
        return pb.ApplyResourceChange.Response(new_state=_encoded(_settled(block, planned, found)))

    def ReadDataSource(self, request: Any, context: Any) -> Any:
        values = _decoded(request.config) or {}
        return pb.ReadDataSource.Response(state=_encoded({**values, **self._cloud.data(request.type_name, values)}))


def _schema(block: Block) -> Any:
    return pb.Schema(version=0, block=_block(block))


def _block(block: Block) -> Any:
    nested = pb.Schema.NestedBlock
    return pb.Schema.Block(
        attributes=[_attribute(one) for one in block.attributes],
        block_types=[
            nested(
                type_name=one.name,
                nesting=nested.NestingMode.Value(one.nesting),
                min_items=one.least,
                max_items=one.most,
                block=_block(one.block),
            )
            for one in block.blocks
        ],
    )


def _attribute(one: Attribute) -> Any:
    made = pb.Schema.Attribute(
        name=one.name,
        type=json.dumps(one.type).encode(),
        required=one.required,
        optional=one.optional,
        computed=one.computed,
        sensitive=one.write_only,
    )
    if one.write_only:
        made.MergeFromString(_WRITE_ONLY)
    return made


def _planned(block: Block, proposed: Values, prior: Values | None) -> Values:
    """What is given stays; what the provider decides is unknown at first, and later what it was."""
    values = dict(proposed)
    for one in block.attributes:
        if one.write_only:
            values[one.name] = None
        elif one.computed and values.get(one.name) is None:
            values[one.name] = prior.get(one.name) if prior else UNKNOWN
    for nested in block.blocks:
        inner = values.get(nested.name)
        if isinstance(inner, list):
            before = (prior or {}).get(nested.name) or []
            values[nested.name] = [
                _planned(nested.block, each, before[index] if index < len(before) else None)
                for index, each in enumerate(inner)
            ]
    return values


def _settled(block: Block, planned: Values, found: Values) -> Values:
    """The new state: nothing is unknown any more."""
    values = {}
    for name, value in planned.items():
        if _unknown(value):
            values[name] = found.get(name)
        elif isinstance(value, list):
            values[name] = [_nulled(each) if isinstance(each, dict) else each for each in value]
        else:
            values[name] = value
    for one in block.attributes:
        # a computed collection is empty, not null, where nothing was found
        if values.get(one.name) is None and one.computed and isinstance(one.type, list):
            values[one.name] = {} if one.type[0] == "map" else []
    return values


def _written(block: Block, config: Values) -> Values:
    return {one.name: config.get(one.name) for one in block.attributes if one.write_only}


def _nulled(values: Values) -> Values:
    """Without what is unknown, deeply."""
    return {
        name: None
        if _unknown(value)
        else [_nulled(each) if isinstance(each, dict) else each for each in value]
        if isinstance(value, list)
        else value
        for name, value in values.items()
    }


def _unknown(value: Any) -> bool:
    return isinstance(value, msgpack.ExtType)


def _decoded(value: Any) -> Any:
    if not value.msgpack:
        return None
    return msgpack.unpackb(value.msgpack, ext_hook=msgpack.ExtType, strict_map_key=False)


def _encoded(value: Any) -> Any:
    return pb.DynamicValue(msgpack=msgpack.packb(value))
