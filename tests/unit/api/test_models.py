"""Models: what is shown, prepared and changed, and what is recorded of it."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace

import pytest

from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from tests.doubles.deployment import BrokenDatabase, refusal
from tests.unit.api.conftest import PATIENT, Api


def test_models_of_the_policy_come_first_then_those_with_a_state(api: Api) -> None:
    api.deployment.database.states.mark_verified("fraud", "cd" * 32, "2.0.0", "key 1")
    api.deployment.database.states.quarantine("gone", "not in the policy any more")
    models = api.ask("GET", "/v1/models", role="reader").json()["models"]
    assert [(model["name"], model["state"], model["version"]) for model in models] == [
        ("shop", "unverified", None),
        ("fraud", "verified", "2.0.0"),
        ("gone", "quarantined", None),
    ]
    assert models[0]["changed"] is None
    assert models[1]["changed"].endswith("Z")


def test_one_model(api: Api) -> None:
    api.deployment.database.states.mark_unverified("shop", "verify.signature_invalid", "cd" * 32)
    assert api.ask("GET", "/v1/models/shop", role="reader").json() | {"changed": ""} == {
        "name": "shop",
        "state": "unverified",
        "digest": "cd" * 32,
        "version": None,
        "signer": None,
        "reason": "verify.signature_invalid",
        "changed": "",
    }


@pytest.mark.parametrize("name", ["other", "-shop", "shop.", "SHOP", "a" * 101])
@pytest.mark.parametrize("verb", ["", "/prepare", "/quarantine", "/release", "/revoke"])
def test_an_unknown_model_is_not_found(api: Api, name: str, verb: str) -> None:
    target = f"/v1/models/{name}{verb}"
    if verb == "":
        answer = api.ask("GET", target)
    elif verb == "/prepare":
        answer = api.ask("POST", target)
    else:
        answer = api.say(target)
    assert (answer.status, answer.code) == (404, "runtime.model_unknown")
    assert api.loader.calls == []
    assert api.deployment.log.events == []


def test_a_prepared_model_is_shown_and_let_go(api: Api) -> None:
    answer = api.ask("POST", "/v1/models/shop/prepare", role="operator", headers=[("x-request-id", "deploy-0001")])
    assert answer.json() == {
        "name": "shop",
        "state": "verified",
        "digest": "ab" * 32,
        "version": "1.2.0",
        "signer": "key",
        "files": [{"name": "weights.safetensors", "size": 12}],
    }
    ((name, actor, correlation_id),) = api.loader.calls
    assert name == "shop"
    assert actor is not None
    assert actor.subject == "a-operator"
    assert correlation_id == answer.headers["x-request-id"] == "deploy-0001"
    (model,) = api.loader.given
    with pytest.raises(ValueError, match="is closed"):
        model.files["weights.safetensors"].fileno()


@pytest.mark.parametrize(
    ("cause", "status"),
    [
        (refusal("verify.signature_invalid"), 422),
        (refusal("runtime.format_pickle"), 422),
        (refusal("runtime.model_revoked"), 409),
        (refusal("runtime.model_quarantined"), 409),
        (refusal("runtime.model_unknown"), 404),
        (CouldNotDecide("verify.store_unreachable", "no answer", expected="one", remedy="wait"), 503),
        (CouldNotDecide("audit.unavailable", "no disk", expected="one", remedy="wait"), 503),
        (UsageError("verify.key_missing", "no key", expected="one", remedy="commit it"), 503),
    ],
    ids=lambda value: value.code if isinstance(value, AegisError) else str(value),
)
def test_a_refusal_is_told_with_its_reason(api: Api, cause: AegisError, status: int) -> None:
    api.loader.refusals = {"shop": cause}
    answer = api.ask("POST", "/v1/models/shop/prepare", headers=[("x-request-id", "deploy-0001")])
    assert (answer.status, answer.code) == (status, cause.code)
    problem = answer.json()
    assert problem["detail"] == cause.problem
    assert problem["remedy"] == cause.remedy
    assert problem["type"] == f"urn:aegis-gates:reason:{cause.code}"
    assert problem["status"] == status
    assert problem["correlation_id"] == "deploy-0001"
    assert ("retry-after" in answer.headers) == (status == 503)


def test_only_so_many_are_prepared_at_once(api: Api) -> None:
    api.limits, api.loader.hold = replace(PATIENT, prepares=2), threading.Event()

    async def play() -> None:
        assert api.loader.hold is not None
        client = api.client("operator")
        two = [asyncio.create_task(client.ask("POST", "/v1/models/shop/prepare")) for _ in range(2)]
        for _ in range(2):
            assert await asyncio.to_thread(api.loader.started.acquire, timeout=60)
        third = await client.ask("POST", "/v1/models/fraud/prepare")
        assert (third.status, third.code) == (503, "runtime.api_busy")
        # what is short is answered all the same
        assert (await client.ask("GET", "/v1/models")).status == 200
        api.loader.hold.set()
        assert [answer.status for answer in await asyncio.gather(*two)] == [200, 200]
        assert (await client.ask("POST", "/v1/models/fraud/prepare")).status == 200

    asyncio.run(play())


def test_a_load_that_takes_too_long_goes_on_without_its_caller(api: Api) -> None:
    api.limits, api.loader.hold = replace(PATIENT, prepares=1, prepare_seconds=0.05), threading.Event()

    async def play() -> None:
        assert api.loader.hold is not None
        client = api.client("operator")
        answer = await client.ask("POST", "/v1/models/shop/prepare")
        assert (answer.status, answer.code) == (503, "runtime.api_timed_out")
        # its place is taken until it ends
        assert (await client.ask("POST", "/v1/models/shop/prepare")).code == "runtime.api_busy"
        api.loader.hold.set()
        async with asyncio.timeout(60):
            while (await client.ask("POST", "/v1/models/shop/prepare")).status != 200:
                await asyncio.sleep(0.001)

    asyncio.run(play())


def test_from_quarantine_to_release(api: Api) -> None:
    assert api.say("/v1/models/shop/quarantine", b'{"reason":"it talks"}', role="operator").json()["state"] == (
        "quarantined"
    )
    assert api.ask("GET", "/v1/models/shop").json()["reason"] == "it talks"
    assert api.say("/v1/models/shop/release").json()["state"] == "unverified"
    operator, admin = api.deployment.log.events[0].actor, api.deployment.log.events[2].actor
    assert (operator.subject, admin.subject) == ("a-operator", "a-admin")
    assert api.deployment.recorded == [
        ("model.quarantined", "unknown", operator.id),
        ("model.quarantined", "success", operator.id),
        ("model.released", "unknown", admin.id),
        ("model.released", "success", admin.id),
    ]


def test_what_is_revoked_stays_so(api: Api) -> None:
    assert api.say("/v1/models/shop/revoke").json()["state"] == "revoked"
    for verb in ("release", "quarantine"):
        answer = api.say(f"/v1/models/shop/{verb}")
        assert (answer.status, answer.code) == (409, "runtime.transition_refused")
    assert api.deployment.database.states.all()[0].state == "revoked"
    assert [(outcome, event.reason) for event in api.deployment.log.events[2:] for outcome in [event.outcome]] == [
        ("unknown", "a test"),
        ("refused", "runtime.transition_refused"),
    ] * 2


def test_both_entries_of_a_change_carry_its_id_and_reason(api: Api) -> None:
    answer = api.say("/v1/models/shop/quarantine", b'{"reason":"it talks"}')
    assert [(event.correlation_id, event.reason) for event in api.deployment.log.events] == [
        (answer.headers["x-request-id"], "it talks")
    ] * 2


def test_a_secret_in_a_reason_is_kept_nowhere(api: Api) -> None:
    secret = "ghp_" + "a1B2" * 9
    api.say("/v1/models/shop/quarantine", f'{{"reason":"see {secret}"}}'.encode())
    assert secret not in str(api.deployment.log.events)
    assert secret not in str(api.deployment.database.states.all())


@pytest.mark.parametrize("verb", ["quarantine", "release", "revoke"])
def test_without_the_audit_log_nothing_is_changed(api: Api, verb: str) -> None:
    api.deployment.database.states.quarantine("shop", "before")
    api.deployment.log.broken_after = 0
    answer = api.say(f"/v1/models/shop/{verb}")
    assert (answer.status, answer.code) == (503, "audit.unavailable")
    (state,) = api.deployment.database.states.all()
    assert (state.state, state.reason) == ("quarantined", "before")


def test_a_release_whose_outcome_cannot_be_recorded_is_taken_back(api: Api) -> None:
    api.deployment.database.states.quarantine("shop", "before")
    api.deployment.log.broken_after = 1
    answer = api.say("/v1/models/shop/release")
    assert (answer.status, answer.code) == (503, "audit.unavailable")
    (state,) = api.deployment.database.states.all()
    assert (state.state, state.reason) == ("quarantined", "before")


@pytest.mark.parametrize(("verb", "state"), [("quarantine", "quarantined"), ("revoke", "revoked")])
def test_a_stricter_state_stays_where_its_outcome_cannot_be_recorded(api: Api, verb: str, state: str) -> None:
    api.deployment.log.broken_after = 1
    assert api.say(f"/v1/models/shop/{verb}").code == "audit.unavailable"
    assert [found.state for found in api.deployment.database.states.all()] == [state]


@pytest.mark.parametrize(
    ("method", "target"),
    [("GET", "/v1/models"), ("GET", "/v1/models/shop"), ("POST", "/v1/models/shop/prepare")],
)
def test_without_the_database_nothing_is_told(api: Api, method: str, target: str) -> None:
    api.deployment.database = BrokenDatabase()  # type: ignore[assignment]
    answer = api.ask(method, target)
    assert (answer.status, answer.code) == (503, "runtime.states_unavailable")
    assert api.loader.calls == []


def test_a_change_that_the_database_does_not_take_is_recorded_as_a_failure(api: Api) -> None:
    class Down:
        def __init__(self, states: object) -> None:
            self._states = states

        def __getattr__(self, name: str) -> object:
            if name == "quarantine":
                return BrokenDatabase().quarantine
            return getattr(self._states, name)

    class Half:
        def __init__(self, database: object) -> None:
            self.check = lambda: None
            self.states = Down(database.states)  # type: ignore[attr-defined]

    api.deployment.database = Half(api.deployment.database)  # type: ignore[assignment]
    answer = api.say("/v1/models/shop/quarantine")
    assert (answer.status, answer.code) == (503, "runtime.states_unavailable")
    assert [(event.outcome, event.reason) for event in api.deployment.log.events] == [
        ("unknown", "a test"),
        ("failure", "runtime.states_unavailable"),
    ]
