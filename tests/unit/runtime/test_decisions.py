"""A person's word on a model, as the command line and the API pass it on."""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from aegis.core.actor import Actor
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis_multimodal_ai_system.decisions import Decision, decide, state_of
from tests.support.runtime.deployments import Deployment

WHO = Actor(id="x|7", kind="person", display="Ann", issuer="x", subject="7")
SECRET = "ghp_" + "a1B2" * 9
FULL = CouldNotDecide("audit.unavailable", "full", expected="room", remedy="make some")


@pytest.fixture
def it(tmp_path: Path) -> Deployment:
    return Deployment(tmp_path)


def fail_at(it: Deployment, count: int, error: BaseException = FULL) -> None:
    """The log takes no entry from this one on."""

    def fail(event: object) -> None:
        if len(it.log.events) >= count:
            raise error

    it.log.on_append = fail


def outcomes(it: Deployment) -> list[tuple[str, str | None]]:
    return [(event.outcome, event.reason) for event in it.log.events]


def test_both_entries_say_who_why_and_what_it_was_before(it: Deployment) -> None:
    it.runtime.states.mark_verified("model", "ab" * 32, "1.0.0", "key")
    state = decide(it.runtime, "quarantine", "model", "odd answers", actor=WHO, correlation_id="request-1")
    assert (state.state, state.reason) == ("quarantined", "odd answers")
    assert outcomes(it) == [("unknown", "odd answers"), ("success", "odd answers")]
    for event in it.log.events:
        assert (event.action, event.actor, event.correlation_id) == ("model.quarantined", WHO, "request-1")
        assert (event.resource.name, event.resource.sha256, event.resource.version) == ("model", "ab" * 32, "1.0.0")
        assert event.details == {"state_before": "verified"}


def test_both_entries_have_the_same_id_where_the_caller_has_none(it: Deployment) -> None:
    decide(it.runtime, "revoke", "model", "bad", actor=WHO)
    first, second = it.log.events
    assert first.correlation_id == second.correlation_id
    assert first.correlation_id


def test_a_secret_in_a_reason_is_kept_nowhere(it: Deployment) -> None:
    decide(it.runtime, "quarantine", "model", f"see {SECRET}", actor=WHO)
    assert SECRET not in str(it.log.events)
    assert SECRET not in str(it.runtime.states.all())


def test_a_step_that_may_not_be_is_recorded_as_refused(it: Deployment) -> None:
    with pytest.raises(Refused) as refused:
        decide(it.runtime, "release", "model", "no", actor=WHO)
    assert refused.value.code == "runtime.transition_refused"
    assert outcomes(it) == [("unknown", "no"), ("refused", "runtime.transition_refused")]


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CouldNotDecide("runtime.states_unavailable", "p", expected="e", remedy="r"), None),
        (OSError(5, "x"), "core.crashed"),
    ],
    ids=["down", "defect"],
)
def test_a_step_that_fails_is_recorded_as_a_failure(
    error: Exception, code: str | None, it: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(name: str, reason: str) -> None:
        raise error

    monkeypatch.setattr(it.runtime.states, "quarantine", fail)
    with pytest.raises(type(error)):
        decide(it.runtime, "quarantine", "model", "odd", actor=WHO)
    assert outcomes(it)[1] == ("failure", code or "runtime.states_unavailable")


@pytest.mark.parametrize("decision", ["quarantine", "release", "revoke"])
def test_what_cannot_be_recorded_is_not_done(decision: Decision, it: Deployment) -> None:
    it.runtime.states.quarantine("model", "before")
    fail_at(it, 0)
    with pytest.raises(AegisError):
        decide(it.runtime, decision, "model", "x", actor=WHO)
    state = it.runtime.states.get("model")
    assert state is not None
    assert (state.state, state.reason) == ("quarantined", "before")


@pytest.mark.parametrize(
    "error", [FULL, RuntimeError("a defect"), KeyboardInterrupt()], ids=["full", "defect", "signal"]
)
def test_a_release_without_a_second_entry_is_taken_back(error: BaseException, it: Deployment) -> None:
    it.runtime.states.quarantine("model", "before")
    fail_at(it, 1, error)
    with pytest.raises(type(error)):
        decide(it.runtime, "release", "model", "a false alarm", actor=WHO)
    state = it.runtime.states.get("model")
    assert state is not None
    assert (state.state, state.reason) == ("quarantined", "before")


@pytest.mark.parametrize(("decision", "stands"), [("quarantine", "quarantined"), ("revoke", "revoked")])
def test_what_is_stricter_stays(decision: Decision, stands: str, it: Deployment) -> None:
    fail_at(it, 1)
    with pytest.raises(AegisError):
        decide(it.runtime, decision, "model", "x", actor=WHO)
    assert it.state() == stands


def test_what_cannot_be_taken_back_hides_nothing(
    it: Deployment, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    it.runtime.states.quarantine("model", "before")
    fail_at(it, 1)

    def fail(name: str, reason: str) -> None:
        raise OSError(5, "x")

    monkeypatch.setattr(it.runtime.states, "quarantine", fail)
    with caplog.at_level(logging.ERROR), pytest.raises(CouldNotDecide) as refused:
        decide(it.runtime, "release", "model", "a false alarm", actor=WHO)
    assert refused.value.code == "audit.unavailable"
    assert "could not be taken back: OSError" in caplog.text


@pytest.mark.parametrize("name", ["other", "../model", "model\n", "", "a" * 101])
def test_a_model_that_nobody_knows(name: str, it: Deployment) -> None:
    with pytest.raises(Refused) as refused:
        decide(it.runtime, "revoke", name, "x", actor=WHO)
    assert refused.value.code == "runtime.model_unknown"
    assert it.log.events == []
    assert it.runtime.states.all() == []


def test_a_model_that_left_the_policy(it: Deployment) -> None:
    assert state_of(it.runtime, "model") is None
    it.runtime.states.mark_unverified("gone", "verify.unsigned")
    (it.config / "aegis.yml").unlink()
    assert decide(it.runtime, "revoke", "gone", "x", actor=WHO).state == "revoked"
