"""What a person decides about a model: recorded before and after. What cannot be recorded is not done.

decide(runtime, "quarantine", "classifier", "strange answers", actor=actor)
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from aegis.audit.event import Action, Event, Outcome, Resource
from aegis.audit.secrets import redact
from aegis.core.actor import Actor
from aegis.core.errors import AegisError, Refused, crashed
from aegis.signatures.release import NAME

if TYPE_CHECKING:
    from aegis_multimodal_ai_system.database import ModelState, ModelStates
    from aegis_multimodal_ai_system.runtime import Runtime

Decision = Literal["quarantine", "release", "revoke"]
_ACTIONS: Mapping[Decision, Action] = MappingProxyType(
    {"quarantine": "model.quarantined", "release": "model.released", "revoke": "model.revoked"}
)
_SHOWN = 100
"""Characters of a name that nobody knows."""
_log = logging.getLogger("aegis.decisions")


def state_of(runtime: Runtime, name: str) -> ModelState | None:
    """None of a model that was never looked at.

    Raises Refused `runtime.model_unknown` of a name that neither the policy nor any state has.
    """
    if NAME.fullmatch(name):
        state = runtime.states.get(name) if runtime.missing_database is None else None
        if state is not None or name in runtime.models:
            return state
    raise Refused(
        "runtime.model_unknown",
        f"there is no model {name[:_SHOWN]!a}",
        expected="a name of the policy, or one that a state is kept of",
        remedy="correct the name, or add the model to the policy",
    )


def decide(
    runtime: Runtime, decision: Decision, name: str, reason: str, *, actor: Actor, correlation_id: str | None = None
) -> ModelState:
    """The intent into the audit log, then the step, then its outcome: gives the state that now stands.

    `reason` is what the person said; secrets are cut out of it. Raises CouldNotDecide `audit.unavailable` (then nothing
    was changed, or the model is under a stricter rule than before), Refused `runtime.transition_refused` or
    `runtime.model_unknown`.
    """
    before = state_of(runtime, name)
    reason = redact(reason)  # it stays in the log and in the database
    correlation_id = correlation_id or os.urandom(16).hex()

    def record(outcome: Outcome, said: str) -> None:
        runtime.log.append(
            Event(
                action=_ACTIONS[decision],
                actor=actor,
                resource=Resource(
                    kind="model",
                    name=name,
                    sha256=before.digest if before is not None else None,
                    version=before.version if before is not None else None,
                ),
                outcome=outcome,
                reason=said,
                correlation_id=correlation_id,
                details={"state_before": before.state if before is not None else None},
            )
        )

    record("unknown", reason)
    try:
        state = _step(runtime.states, decision, name, reason)
    except Exception as error:
        told = error if isinstance(error, AegisError) else crashed(error)
        record("refused" if told.exit_code == 1 else "failure", told.code)
        raise
    try:
        record("success", reason)
    except BaseException:
        _log.error("%s: %s has no second entry", name, _ACTIONS[decision])
        if decision == "release":  # of all three the one that lets a model be loaded again
            _taken_back(lambda: runtime.states.quarantine(name, before.reason if before and before.reason else reason))
        raise
    return state


def _step(states: ModelStates, decision: Decision, name: str, reason: str) -> ModelState:
    match decision:
        case "quarantine":
            return states.quarantine(name, reason)
        case "release":
            return states.release(name)
        case "revoke":
            return states.revoke(name, reason)


def _taken_back(act: Callable[[], object]) -> None:
    """The caller is told why it failed in the first place."""
    try:
        act()
    except Exception as error:
        _log.error(
            "it could not be taken back: %s", error.code if isinstance(error, AegisError) else type(error).__name__
        )
