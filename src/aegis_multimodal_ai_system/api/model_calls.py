"""Models and their states: read, prepared, and changed by those who may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aegis_multimodal_ai_system.api.answers import Model, Models, Prepared, PreparedFile
from aegis_multimodal_ai_system.api.operations import Call
from aegis_multimodal_ai_system.decisions import Decision, decide, state_of
from aegis_multimodal_ai_system.refusal import ModelRefused

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database import ModelState


def list_models(call: Call) -> Models:
    """Those of the policy in its order, then those that only a state is kept of."""
    runtime = call.service.runtime
    states = {state.name: state for state in runtime.states.all()}
    names = dict.fromkeys((*runtime.models, *sorted(states)))
    return Models(models=tuple(_shown(name, states.get(name)) for name in names))


def show_model(call: Call) -> Model:
    """One of them."""
    name = call.path["name"]
    return _shown(name, state_of(call.service.runtime, name))


def prepare(call: Call) -> Prepared:
    """Fetched, verified and kept. The loader records it, marks the state and raises the alert."""
    name = call.path["name"]
    state_of(call.service.runtime, name)  # who makes names up must not fill the log
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
    return _decided(call, "quarantine")


def release(call: Call) -> Model:
    """A quarantined model is unverified again: the next load verifies it."""
    return _decided(call, "release")


def revoke(call: Call) -> Model:
    """It is never loaded again."""
    return _decided(call, "revoke")


def _decided(call: Call, decision: Decision) -> Model:
    name = call.path["name"]
    state = decide(
        call.service.runtime,
        decision,
        name,
        call.body.reason,
        actor=call.actor,
        correlation_id=call.correlation_id,
    )
    return _shown(name, state)


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
