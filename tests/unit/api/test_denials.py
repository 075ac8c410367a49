"""Denied writes: each is seen in the log, and no number of them fills it."""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from aegis.audit.entry import decode, encode, new_id, this_producer
from aegis.audit.event import Event
from aegis.core.actor import Actor
from aegis.core.errors import CouldNotDecide
from aegis_multimodal_ai_system.api.denials import MAX_KEYS, OTHERS, WINDOW, Denials
from tests.doubles.deployment import down
from tests.doubles.oidc_issuer import Issuers
from tests.support.runtime.asgi import lifespan
from tests.unit.api.conftest import Api

WRITES = ["prepare", "quarantine", "release", "revoke"]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Recorded:
    clock: Clock = field(default_factory=Clock)
    events: list[Event] = field(default_factory=list)
    broken: bool = False

    def __post_init__(self) -> None:
        self.denials = Denials(self.append, now=self.clock)

    def append(self, event: Event) -> None:
        """As a log does: it may be away, and keeps what an entry can hold."""
        if self.broken:
            raise down("audit.unavailable")
        self.events.append(decode(encode(event, id=new_id(0), time=0, producer=this_producer())).event)

    def deny(self, who: str = "ada", reason: str = "runtime.api_role_missing") -> None:
        actor = Actor(id=who, kind="person", display=who, issuer="https://issuer", subject=who)
        self.denials.denied(actor, reason, "POST /v1/models/{name}/revoke", "request-1")

    def fail(self, times: int = 1, who: str = "ada") -> None:
        """Denied while the log is away."""
        self.broken = True
        for _ in range(times):
            with pytest.raises(CouldNotDecide):
                self.deny(who)
        self.broken = False

    @property
    def total(self) -> int:
        return sum(int(str(count)) for _, count in self.counts)

    @property
    def counts(self) -> list[tuple[str, object]]:
        return [(event.actor.id, event.details["count"]) for event in self.events]


@pytest.mark.parametrize("verb", WRITES)
@pytest.mark.parametrize(("role", "actor"), [(None, "unauthenticated"), ("nobody", "a-nobody")])
def test_a_denied_write_leaves_an_entry(api: Api, verb: str, role: str | None, actor: str) -> None:
    answer = api.say(f"/v1/models/shop/{verb}", role=role)
    (event,) = api.deployment.log.events
    assert (event.action, event.outcome, event.reason) == ("api.denied", "refused", answer.code)
    assert event.actor.id.endswith(actor)
    assert event.resource.name == f"POST /v1/models/{{name}}/{verb}"
    assert event.correlation_id == answer.headers["x-request-id"]
    assert event.details == {"count": 1}


def test_a_denied_read_leaves_none(api: Api) -> None:
    api.ask("GET", "/v1/models", role=None)
    api.ask("GET", "/v1/models", role="nobody")
    assert api.deployment.log.events == []


def test_a_call_is_denied_where_that_cannot_be_recorded(api: Api) -> None:
    api.deployment.log.broken_after = 0
    answer = api.say("/v1/models/shop/revoke", role="reader")
    assert (answer.status, answer.code) == (403, "runtime.api_role_missing")


def test_what_follows_within_a_minute_is_counted_and_told_at_the_end(api: Api) -> None:
    async def play() -> None:
        async with lifespan(api.app):
            client = api.client("reader")
            for _ in range(20):
                answer = await client.ask(
                    "POST", "/v1/models/shop/revoke", body=b"{}", headers=[("content-type", "application/json")]
                )
                assert answer.status == 403

    asyncio.run(play())
    assert [event.details["count"] for event in api.deployment.log.events] == [1, 19]


def test_the_count_of_a_minute_comes_with_the_next_denial() -> None:
    recorded = Recorded()
    for _ in range(1000):
        recorded.deny()
    assert recorded.counts == [("ada", 1)]
    recorded.clock.now = WINDOW
    recorded.deny()
    assert recorded.counts == [("ada", 1), ("ada", 999), ("ada", 1)]


def test_nothing_is_counted_twice() -> None:
    recorded = Recorded()
    for minute in range(5):
        recorded.clock.now = minute * WINDOW
        for _ in range(7):
            recorded.deny()
    recorded.denials.flush(everything=True)
    recorded.denials.flush(everything=True)
    assert sum(int(str(count)) for _, count in recorded.counts) == 35


def test_actors_and_reasons_are_told_apart() -> None:
    recorded = Recorded()
    recorded.deny("ada", "token.expired")
    recorded.deny("ada", "runtime.api_role_missing")
    recorded.deny("bob", "token.expired")
    assert [(event.actor.id, event.reason) for event in recorded.events] == [
        ("ada", "token.expired"),
        ("ada", "runtime.api_role_missing"),
        ("bob", "token.expired"),
    ]


def test_ten_thousand_identities_leave_a_bounded_number_of_entries() -> None:
    recorded = Recorded()
    for number in range(10_000):
        recorded.deny(f"somebody-{number}")
    recorded.denials.flush(everything=True)
    assert len(recorded.events) == MAX_KEYS + 2
    assert Counter(event.actor.id for event in recorded.events)[OTHERS.id] == 2
    assert sum(int(str(count)) for _, count in recorded.counts) == 10_000


def test_an_actor_is_told_by_name_again_after_its_minute() -> None:
    recorded = Recorded()
    for number in range(MAX_KEYS + 1):
        recorded.deny(f"somebody-{number}")
    recorded.clock.now = WINDOW
    recorded.deny("ada")
    assert recorded.counts[-1] == ("ada", 1)


# --- while the log is away --------------------------------------------------------------------------------------------


def test_a_first_denial_that_could_not_be_recorded_is_recorded_with_the_next() -> None:
    recorded = Recorded()
    recorded.fail(3)
    recorded.deny()
    assert recorded.counts == [("ada", 4)]
    recorded.deny()
    recorded.denials.flush(everything=True)
    assert recorded.counts == [("ada", 4), ("ada", 1)]


def test_a_count_that_could_not_be_recorded_is_kept() -> None:
    recorded = Recorded()
    for _ in range(7):
        recorded.deny()
    recorded.clock.now = WINDOW
    recorded.broken = True
    for _ in range(3):
        with pytest.raises(CouldNotDecide):
            recorded.denials.flush()
    recorded.broken = False
    recorded.denials.flush()
    recorded.denials.flush()
    assert recorded.counts == [("ada", 1), ("ada", 6)]


def test_what_is_denied_while_older_counts_wait_is_counted_too() -> None:
    recorded = Recorded()
    recorded.deny("ada")
    recorded.deny("ada")
    recorded.clock.now = WINDOW
    recorded.fail(5, "bob")
    recorded.denials.flush(everything=True)
    assert sorted(recorded.counts) == [("ada", 1), ("ada", 1), ("bob", 5)]


def test_what_is_denied_while_an_entry_is_being_written_is_in_the_next_one() -> None:
    recorded = Recorded()
    writing, going = threading.Event(), threading.Event()
    append = recorded.append

    def slow(event: Event) -> None:
        writing.set()
        assert going.wait(60)
        append(event)

    recorded.denials = Denials(slow, now=recorded.clock)
    thread = threading.Thread(target=recorded.deny)
    thread.start()
    assert writing.wait(60)
    for _ in range(4):
        recorded.deny()
    going.set()
    thread.join(60)
    recorded.denials.flush(everything=True)
    assert recorded.counts == [("ada", 1), ("ada", 4)]


def test_however_the_log_fails_all_denials_are_in_it_at_the_end() -> None:
    recorded = Recorded()
    for minute in range(6):
        recorded.clock.now = minute * WINDOW / 2
        recorded.broken = minute % 2 == 1
        for number in range(100):
            try:
                recorded.deny(f"somebody-{number}")
            except CouldNotDecide:
                assert recorded.broken
    recorded.broken = False
    recorded.denials.flush(everything=True)
    assert recorded.total == 600
    recorded.denials.flush(everything=True)
    assert recorded.total == 600


# --- names ------------------------------------------------------------------------------------------------------------

REAL: Mapping[str, Mapping[str, Any]] = {
    "a repository": {
        "sub": "repo:attacker/my-token:ref:refs/heads/main",
        "repository": "attacker/my-token",
        "environment": None,
    },
    "a branch": {"sub": "repo:octo/shop:ref:refs/heads/token:rotate-all", "environment": None},
    "an environment": {"sub": "repo:octo/shop:environment:secret:production", "environment": "secret:production"},
    "a long environment": {"sub": "repo:octo/shop:environment:" + "ä" * 255, "environment": "ä" * 255},
}


@pytest.mark.parametrize("claims", REAL.values(), ids=REAL)
def test_whatever_a_real_caller_is_called_its_denied_write_leaves_an_entry(
    api: Api, issuers: Issuers, claims: Mapping[str, Any]
) -> None:
    api.tokens = {**api.tokens, "stranger": issuers.github.token(**claims, repository_id="1")}
    assert api.say("/v1/models/shop/revoke", role="stranger").code == "runtime.api_role_missing"
    (event,) = api.deployment.log.events
    assert event.action == "api.denied"


def test_a_service_account_named_like_a_secret_leaves_an_entry(api: Api, issuers: Issuers) -> None:
    account = {"namespace": "vault-secret", "serviceaccount": {"name": "default", "uid": "1"}}
    claims: dict[str, Any] = {"sub": "system:serviceaccount:vault-secret:default", "kubernetes.io": account}
    token = issuers.cluster.token(**claims)
    api.tokens = {**api.tokens, "stranger": token}
    assert api.say("/v1/models/shop/revoke", role="stranger").code == "runtime.api_role_missing"
    assert [event.action for event in api.deployment.log.events] == ["api.denied"]


def test_one_whose_name_may_not_stand_in_the_log_is_told_by_its_digest() -> None:
    recorded = Recorded()
    token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhZGEifQ.c2lnbmF0dXJl"
    for who in (token, token, "ada"):
        recorded.deny(who)
    recorded.denials.flush(everything=True)
    assert [count for _, count in recorded.counts] == [1, 1, 1]
    names = {who for who, _ in recorded.counts}
    assert len(names) == 2
    assert all(who == "ada" or "sha256:" in who for who in names)
    assert token not in str(recorded.events)
