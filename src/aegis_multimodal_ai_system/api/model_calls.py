"""Models and their states: read, prepared, and changed by those who may."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from aegis.audit.event import Action, Outcome, Resource
from aegis.audit.secrets import redact
from aegis.core.errors import AegisError, crashed
from aegis_multimodal_ai_system.api.answers import Model, Models, Prepared, PreparedFile
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.operations import Call
from aegis_multimodal_ai_system.api.refusals import refused
from aegis_multimodal_ai_system.refusal import ModelRefused

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database import ModelState

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
"""As the policy's artifacts are named."""


def list_models(call: Call) -> Models:
    """Those of the policy in its order, then those that only a state is kept of."""
    runtime = call.service.runtime
    states = {state.name: state for state in runtime.states.all()}
    names = dict.fromkeys((*runtime.models, *sorted(states)))
    return Models(models=tuple(_shown(name, states.get(name)) for name in names))


def show_model(call: Call) -> Model:
    """One of them."""
    name, state = _found(call)
    return _shown(name, state)


def prepare(call: Call) -> Prepared:
    """Fetched, verified and kept. The loader records it, marks the state and raises the alert."""
    name, _ = _found(call)
    try:
        model = call.service.prepare(
            name, actor=call.actor, correlation_id=call.correlation_id, runtime=call.service.runtime
        )
    except ModelRefused as refusal:
        raise refusal.cause from refusal
    with model:
        return Prepared(
            name=name,
            state="verified",
            digest=model.digest,
            version=model.version,
            signer=model.signer,
            files=tuple(PreparedFile(name=file.name, size=file.size) for file in model.files.values()),
        )


def quarantine(call: Call) -> Model:
    """It is not loaded until it is released."""
    return _changed(call, "model.quarantined", call.service.runtime.states.quarantine)


def release(call: Call) -> Model:
    """A quarantined model is unverified again: the next load verifies it."""
    states = call.service.runtime.states
    return _changed(
        call,
        "model.released",
        lambda name, _: states.release(name),
        # a release that left no trace is taken back
        undo=lambda name, state: states.quarantine(name, state.reason or "released without an audit entry"),
    )


def revoke(call: Call) -> Model:
    """It is never loaded again."""
    return _changed(call, "model.revoked", call.service.runtime.states.revoke)


def _changed(
    call: Call,
    action: Action,
    change: Callable[[str, str], object],
    *,
    undo: Callable[[str, ModelState], object] | None = None,
) -> Model:
    """Intent into the audit log, then the change, then its outcome. Without the first entry nothing is changed."""
    name, before = _found(call)
    reason = redact(call.body.reason)  # it stays in the log and in the database
    _record(call, action, name, before, "unknown", reason)
    try:
        change(name, reason)
    except Exception as error:
        told = error if isinstance(error, AegisError) else crashed(error)
        _record(call, action, name, before, "refused" if told.exit_code == 1 else "failure", told.code)
        raise
    try:
        _record(call, action, name, before, "success", reason)
    except AegisError:
        log("a change has no second entry", correlation_id=call.correlation_id, action=action, model=name)
        if undo is not None and before is not None:
            undo(name, before)
        raise
    return _shown(name, call.service.runtime.states.get(name))


def _record(call: Call, action: Action, name: str, state: ModelState | None, outcome: Outcome, reason: str) -> None:
    from aegis_multimodal_ai_system.orchestrator.audit_helper import record_audit_event

    record_audit_event(
        action,
        actor=call.actor,
        resource=Resource(
            kind="model",
            name=name,
            sha256=state.digest if state is not None else None,
            version=state.version if state is not None else None,
        ),
        outcome=outcome,
        reason=reason,
        details={"state_before": state.state if state is not None else None},
        correlation_id=call.correlation_id,
        log=call.service.runtime.log,
    )


def _found(call: Call) -> tuple[str, ModelState | None]:
    """A name of the policy, or one that a state is kept of. Raises Refused `runtime.model_unknown`."""
    name, runtime = call.path["name"], call.service.runtime
    if _NAME.fullmatch(name):
        state = runtime.states.get(name)
        if state is not None or name in runtime.models:
            return name, state
    raise refused("runtime.model_unknown", f"there is no model {name[:100]!a}", expected="a name of the policy")


def _shown(name: str, state: ModelState | None) -> Model:
    if state is None:
        return Model(name=name, state="unverified", digest=None, version=None, signer=None, reason=None, changed=None)
    return Model(
        name=name,
        state=state.state,
        digest=state.digest,
        version=state.version,
        signer=state.signer,
        reason=state.reason,
        changed=state.changed.isoformat().replace("+00:00", "Z"),
    )
