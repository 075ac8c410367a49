"""When an issuer's keys are asked for, and what happens to them when it is down, or lies."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.identity.tokens import Fetched, JwksClient, KeysAt, TokenRefused
from aegis.identity.tokens.jwks import (
    COOL_DOWN,
    DEFAULT_TTL,
    MAX_STALE,
    MAX_TTL,
    MIN_TTL,
    RETRY,
    UNKNOWN_KEPT,
    UNKNOWN_SECONDS,
    origin,
    ttl_of,
)
from tests.doubles.oidc_issuer import new_key

ISSUER = "https://issuer.example/tenant"
KEYS = f"{ISSUER}/keys"
A, B, C = (new_key(name, "ES256").jwk() for name in ("a", "b", "c"))


@dataclass
class Network:
    """An issuer as seen by a fetch, and a clock."""

    keys: Sequence[dict[str, Any]] = (A,)
    discovery: dict[str, Any] = field(default_factory=lambda: {"issuer": ISSUER, "jwks_uri": KEYS})
    cache_control: str = "max-age=600"
    down: Exception | None = None
    body: bytes | None = None
    """In place of the set of keys."""
    now: float = 1000.0
    asked: list[str] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    """Happens while keys are asked for."""
    awaited: int = 0
    """An answer comes after the clock was read so often: by then so many callers have seen that they need keys."""
    reads: int = 0
    _read: threading.Condition = field(default_factory=threading.Condition)

    def clock(self) -> float:
        with self._read:
            self.reads += 1
            self._read.notify_all()
        return self.now

    def fetch(self, address: str) -> Fetched:
        self.asked.append(address)
        with self._read:
            assert self._read.wait_for(lambda: self.reads >= self.awaited, 60)
        if self.down is not None:
            raise self.down
        if address.endswith("/.well-known/openid-configuration"):
            return Fetched(json.dumps(self.discovery).encode())
        self.during()
        body = json.dumps({"keys": list(self.keys)}).encode() if self.body is None else self.body
        return Fetched(body, self.cache_control)

    @property
    def fetches(self) -> int:
        return sum("openid" not in address for address in self.asked)

    def client(self, **place: Any) -> JwksClient:
        return JwksClient(KeysAt(**{"issuer": ISSUER, **place}), self.fetch, now=self.clock)


def names(client: JwksClient, kid: str | None = None) -> set[str | None]:
    keys = client.current() if kid is None else client.for_kid(kid)
    return {key.kid for key in keys.keys}


def unavailable() -> TokenRefused:
    return TokenRefused("token.keys_unavailable", "it answered 503", expected="", remedy="")


def test_nothing_is_asked_before_it_is_needed_and_then_once() -> None:
    network = Network()
    client = network.client()
    assert network.asked == []
    assert [names(client) for _ in range(100)] == [{"a"}] * 100
    assert network.asked == [ISSUER + "/.well-known/openid-configuration", KEYS]


def test_a_revoked_key_is_gone_when_the_time_of_the_set_is_over() -> None:
    network = Network(keys=(A, B))
    client = network.client()
    assert names(client) == {"a", "b"}
    network.keys = (A,)
    network.now += 479
    assert names(client) == {"a", "b"}
    network.now = 1000.0 + 600
    assert names(client) == {"a"}


def test_one_caller_asks_ahead_while_others_go_on() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.keys, network.now = (B,), network.now + 480
    seen: list[set[str | None]] = []
    network.during = lambda: seen.append(in_thread(lambda: names(client)))
    assert names(client) == {"b"}
    assert seen == [{"a"}]
    assert network.fetches == 2


def in_thread(do: Callable[[], set[str | None]]) -> set[str | None]:
    """What it gives in another thread, which is waited for."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(do).result(60)


def test_many_cold_callers_cause_one_fetch() -> None:
    network = Network(awaited=64)
    client = network.client()
    assert stampede(client, 64) == [{"a"}] * 64
    assert network.fetches == 1


def test_many_callers_at_the_end_of_a_set_cause_one_fetch() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.keys, network.now, network.awaited = (B,), network.now + 600, network.reads + 64
    assert stampede(client, 64) == [{"b"}] * 64
    assert network.fetches == 2


def test_many_callers_with_a_new_key_cause_one_fetch() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.keys, network.now, network.awaited = (A, B), network.now + COOL_DOWN, network.reads + 128
    assert stampede(client, 64, "b") == [{"a", "b"}] * 64
    assert network.fetches == 2


def test_many_cold_callers_of_an_issuer_that_is_down_cause_one_fetch() -> None:
    network = Network(down=unavailable(), awaited=64)
    client = network.client()
    with ThreadPoolExecutor(64) as pool:
        ready = threading.Barrier(64)

        def ask() -> str:
            ready.wait(60)
            with pytest.raises(TokenRefused) as caught:
                client.current()
            return caught.value.code

        assert {future.result(60) for future in [pool.submit(ask) for _ in range(64)]} == {"token.keys_unavailable"}
    assert len(network.asked) == 1


def stampede(client: JwksClient, count: int, kid: str | None = None) -> list[set[str | None]]:
    ready = threading.Barrier(count)

    def ask() -> set[str | None]:
        ready.wait(60)
        return names(client, kid)

    with ThreadPoolExecutor(count) as pool:
        return [future.result(60) for future in [pool.submit(ask) for _ in range(count)]]


def test_a_failure_takes_no_key_away() -> None:
    network = Network(keys=(A, B))
    client = network.client()
    assert names(client) == {"a", "b"}
    for body in (
        b"<html>",
        b'{"keys": {}}',
        b"[]",
        b'{"keys": [], "keys": []}',
        b'{"keys": [' + b" " * 270_000 + b"]}",
    ):
        network.body, network.now = body, network.now + 600
        assert names(client) == {"a", "b"}
    network.body, network.down, network.now = None, RuntimeError("a defect"), network.now + 600
    assert names(client) == {"a", "b"}


def test_old_keys_last_a_day_and_no_longer() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.down = unavailable()
    network.now = 1000.0 + MAX_STALE - 1
    assert names(client) == {"a"}
    network.now = 1000.0 + MAX_STALE
    with pytest.raises(TokenRefused, match="it answered 503") as caught:
        client.current()
    assert caught.value.code == "token.keys_unavailable"
    network.down, network.now = None, network.now + RETRY
    assert names(client) == {"a"}


def test_an_issuer_that_is_down_is_asked_now_and_then() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.down, network.now = unavailable(), network.now + 600
    for _ in range(50):
        assert names(client) == {"a"}
    assert len(network.asked) == 3
    network.now += RETRY
    assert names(client) == {"a"}
    assert len(network.asked) == 4


def test_callers_with_old_keys_do_not_wait_for_an_issuer_that_hangs() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.body, network.now = b"broken", network.now + 600
    assert names(client) == {"a"}
    network.now += RETRY
    seen: list[set[str | None]] = []
    network.during = lambda: seen.append(in_thread(lambda: names(client)))
    assert names(client) == {"a"}
    assert seen == [{"a"}]


def test_a_set_without_keys_takes_all_away() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.keys, network.now = (), network.now + 600
    assert names(client) == set()


def test_a_new_key_is_found_when_its_first_token_comes() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.keys, network.now = (A, B), network.now + COOL_DOWN
    assert names(client, "a") == {"a"}
    assert names(client, "b") == {"a", "b"}
    assert network.fetches == 2


def test_invented_keys_cause_one_fetch_in_half_a_minute() -> None:
    network = Network()
    client = network.client()
    for number in range(1000):
        assert names(client, f"invented-{number}") == {"a"}
    assert network.fetches == 1
    network.now += COOL_DOWN
    for number in range(1000):
        names(client, f"more-{number}")
    assert network.fetches == 2


def test_one_invented_key_causes_no_fetch_for_longer() -> None:
    network = Network(cache_control="max-age=86400")
    client = network.client()
    names(client)
    network.now += COOL_DOWN
    started = network.now
    while network.now < started + UNKNOWN_SECONDS:
        assert names(client, "invented") == {"a"}
        network.now += COOL_DOWN
    assert network.fetches == 2
    assert names(client, "invented") == {"a"}
    assert network.fetches == 3


def test_names_of_invented_keys_do_not_pile_up() -> None:
    network = Network(cache_control="max-age=86400")
    client = network.client()
    names(client)
    for number in range(2 * UNKNOWN_KEPT):
        network.now += COOL_DOWN
        names(client, f"invented-{number}")
    assert len(client._unknown) == UNKNOWN_KEPT


def test_an_unknown_key_while_the_issuer_is_down_takes_nothing_away() -> None:
    network = Network()
    client = network.client()
    assert names(client) == {"a"}
    network.down, network.now = unavailable(), network.now + COOL_DOWN
    assert names(client, "b") == {"a"}
    network.down, network.keys, network.now = None, (A, B), network.now + COOL_DOWN
    assert names(client, "b") == {"a", "b"}


@pytest.mark.parametrize(
    ("discovery", "said"),
    [
        ({"issuer": ISSUER + "/", "jwks_uri": KEYS}, "of another issuer"),
        ({"issuer": "https://evil.example", "jwks_uri": KEYS}, "of another issuer"),
        ({"jwks_uri": KEYS}, "of another issuer"),
        ({"issuer": [ISSUER], "jwks_uri": KEYS}, "of another issuer"),
        ({"issuer": ISSUER}, "no https address"),
        ({"issuer": ISSUER, "jwks_uri": 5}, "no https address"),
        ({"issuer": ISSUER, "jwks_uri": "http://issuer.example/tenant/keys"}, "no https address"),
        ({"issuer": ISSUER, "jwks_uri": "file:///etc/passwd"}, "no https address"),
        ({"issuer": ISSUER, "jwks_uri": "https://a@issuer.example/keys"}, "no https address"),
        ({"issuer": ISSUER, "jwks_uri": "https://evil.example/keys"}, "another host"),
        ({"issuer": ISSUER, "jwks_uri": "https://issuer.example.evil.example/keys"}, "another host"),
        ({"issuer": ISSUER, "jwks_uri": "https://issuer.example:8443/keys"}, "another host"),
        ({"issuer": ISSUER, "jwks_uri": "https://169.254.169.254/latest"}, "another host"),
        ({"issuer": ISSUER, "jwks_uri": "https://evil.example\\@issuer.example/keys"}, "https address"),
    ],
)
def test_discovery_does_not_lead_elsewhere(discovery: dict[str, Any], said: str) -> None:
    network = Network(discovery=discovery)
    with pytest.raises(TokenRefused, match=said) as caught:
        network.client().current()
    assert caught.value.code == "token.keys_unavailable"
    assert network.asked == [ISSUER + "/.well-known/openid-configuration"]


def test_discovery_elsewhere_is_the_operators_word() -> None:
    network = Network(discovery={"issuer": ISSUER, "jwks_uri": "https://mirror.example/keys"})
    at = "https://mirror.example/.well-known/openid-configuration"
    assert names(network.client(discovery_url=at)) == {"a"}


def test_keys_at_an_address_need_no_discovery() -> None:
    network = Network(discovery={})
    assert names(network.client(jwks_url="https://keys.example/set")) == {"a"}
    assert network.asked == ["https://keys.example/set"]


@pytest.mark.parametrize("issuer", ["https://issuer.example/tenant/", "https://issuer.example"])
def test_a_slash_at_the_end_of_an_issuer_is_not_doubled(issuer: str) -> None:
    assert "//." not in KeysAt(issuer).discovery


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("", DEFAULT_TTL),
        ("public", DEFAULT_TTL),
        ("max-age=300", 300),
        ("public, max-age=300, must-revalidate", 300),
        ('MAX-AGE="300"', 300),
        ("max-age=0", MIN_TTL),
        ("max-age=59", MIN_TTL),
        ("no-store, max-age=600", MIN_TTL),
        ("max-age=86401", MAX_TTL),
        ("max-age=999999999", MAX_TTL),
        ("max-age=99999999999999", DEFAULT_TTL),
        ("max-age=-5", DEFAULT_TTL),
        ("s-maxage=30", DEFAULT_TTL),
        ("x-max-age=30", DEFAULT_TTL),
        ("max-age=1e9", DEFAULT_TTL),
    ],
)
def test_the_time_of_a_set_has_bounds(header: str, seconds: float) -> None:
    assert ttl_of(header) == seconds


@given(st.text())
def test_no_header_gives_another_time(header: str) -> None:
    assert MIN_TTL <= ttl_of(header) <= MAX_TTL


@pytest.mark.parametrize(
    "address",
    [
        "https://issuer.example\\.evil.example/",
        "https://issuer.example/é",
        "https://issuer.example/a b",
        "https://issuer.example/\n",
        "https://issuer\t.example/",
        "https://issuer.example/#keys",
        "https://issuer.example:0/",
        "https://issuer.example:99999/",
        "https://[::1/",
        "https://:443/",
        "https://@issuer.example/",
        "https://:secret@issuer.example/",
        "//issuer.example/",
    ],
    ids=range(13),
)
def test_an_address_that_two_readers_may_read_differently(address: str) -> None:
    with pytest.raises(ValueError, match=r"address|port"):
        origin(address)


@given(st.text(alphabet="https:/@?#[]\\%.:0aé\n ", max_size=30))
def test_an_address_is_https_or_refused(address: str) -> None:
    try:
        host, port = origin(address)
    except ValueError:
        return
    assert address.startswith("https://")
    assert host
    assert 0 < port < 65536


def test_a_failure_is_told_in_the_log_without_what_the_server_sent(caplog: pytest.LogCaptureFixture) -> None:
    network = Network(body=b'{"keys": "hunter2"}')
    with pytest.raises(TokenRefused) as caught:
        network.client().current()
    assert "has no array 'keys'" in caplog.text
    assert "hunter2" not in caplog.text + str(caught.value)
