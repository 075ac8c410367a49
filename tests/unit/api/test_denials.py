"""Denied writes: each is seen in the log, and no number of them fills it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field

import pytest

from aegis.audit.event import Event
from aegis.core.actor import Actor
from aegis_multimodal_ai_system.api.denials import MAX_KEYS, OTHERS, WINDOW, Denials
from tests.support.asgi import lifespan
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

    def __post_init__(self) -> None:
        self.denials = Denials(self.events.append, now=self.clock)

    def deny(self, who: str = "ada", reason: str = "runtime.api_role_missing") -> None:
        actor = Actor(id=who, kind="person", display=who, issuer="https://issuer", subject=who)
        self.denials.denied(actor, reason, "POST /v1/models/{name}/revoke", "request-1")

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
