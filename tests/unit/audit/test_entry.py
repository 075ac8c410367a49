"""An event's bytes: one spelling, bounded, without secrets."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.audit import entry as entries
from aegis.audit.entry import MAX_BYTES, Producer, decode, encode, format_time, new_id, parse_time
from aegis.audit.event import Event, Resource
from aegis.audit.secrets import redact
from aegis.core.actor import Actor
from aegis.core.errors import Refused
from tests.support.runtime.audit_logs import ACTOR, PRODUCER, START, entry, event

ID = "01a00000-0000-7000-8000-000000000000"


def encoded(**changes: object) -> bytes:
    return encode(event(0, **changes), id=ID, time=START, producer=PRODUCER)


def members(**changes: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(encoded(**changes))
    return found


def test_the_members() -> None:
    assert members() == {
        "v": 1, "id": ID, "time": "2023-11-14T22:13:20.000000000Z", "action": "model.load.verified",
        "actor": {"id": "github:1:2", "kind": "github-workflow", "display": "org/app", "attributes": {"run_id": "77"},
                  "issuer": "https://token.actions.githubusercontent.com",
                  "subject": "repo:org/app:environment:prod"},
        "resource": {"kind": "model", "name": "org/model", "sha256": "ab" * 32, "version": "1.2.0"},
        "outcome": "success", "reason": None, "correlation_id": None, "details": {"number": 0},
        "producer": {"version": "1.0.0", "host": "host.test", "pid": 7},
    }  # fmt: skip


TEXT = st.text(st.characters(codec="utf-8"), min_size=1, max_size=60)
KEYS = st.from_regex(r"[a-z][a-z0-9_.-]{0,20}", fullmatch=True)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), TEXT)


@given(TEXT, st.dictionaries(KEYS, VALUES, max_size=6), st.one_of(st.none(), TEXT), st.integers(0, 2**62))
@settings(max_examples=300)
def test_the_spelling_is_that_of_rfc_8785(display: str, details: dict[str, Any], reason: str | None, time: int) -> None:
    given_event = Event(
        action="api.denied",
        actor=Actor(id="a", kind="person", display=display, issuer="i", subject="s"),
        resource=Resource(kind="endpoint", name="/models"),
        outcome="refused", reason=reason, details=details,
    )  # fmt: skip
    data = encode(given_event, id=ID, time=time, producer=PRODUCER)
    assert data == rfc8785.dumps(json.loads(data))
    read = decode(data)
    assert (read.id, read.time, read.producer) == (ID, time, PRODUCER)
    assert encode(read.event, id=ID, time=time, producer=PRODUCER) == data


def test_details_cannot_pose_as_the_entrys_own_members() -> None:
    found = members(details={"id": "00000000-0000-7000-8000-000000000000", "outcome": "x", "time": "", "v": 2})
    assert (found["id"], found["outcome"], found["v"]) == (ID, "success", 1)
    assert found["details"]["id"] == "00000000-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    "changes",
    [
        {"action": "model.load"}, {"action": ""}, {"outcome": "ok"},
        {"resource": Resource(kind="pod", name="x")},  # type: ignore[arg-type]
        {"resource": Resource(kind="model", name="")}, {"resource": Resource(kind="model", name="x" * 1025)},
        {"resource": Resource(kind="model", name="x", sha256="AB" * 32)},
        {"resource": Resource(kind="model", name="x\ud800")},
        {"resource": Resource(kind="model", name="Bearer abcdefghijkl")},
        {"resource": Resource(kind="model", name="x", version="v" * 257)},
        {"actor": Actor(id="", kind="person", display="", issuer="i", subject="s")},
        {"actor": Actor(id="a", kind="robot", display="", issuer="i", subject="s")},  # type: ignore[arg-type]
        {"details": {"Key": 1}}, {"details": {"k" * 65: 1}}, {"details": {"x": 1.5}},
        {"details": {"x": 2**53}}, {"details": {"x": [1]}}, {"details": {f"k{n}": 1 for n in range(65)}},
        {"details": {f"k{n}": "é" * 4096 for n in range(8)}},
        {"actor": Actor(id="a", kind="person", display="", issuer="i", subject="s", attributes={"a b": "c"})},
    ],
    ids=lambda changes: next(iter(changes)),
)  # fmt: skip
def test_what_is_no_event(changes: dict[str, object]) -> None:
    with pytest.raises(Refused) as refusal:
        encoded(**changes)
    assert refusal.value.code == "audit.event_invalid"


NAMES = [
    "repo:attacker/my-token:ref:refs/heads/main", "repo:acme/api-key:environment:production",
    "repo:acme/password:pull_request", "repo:acme/x:environment:secret:production",
    "system:serviceaccount:vault-secret:default", "repo:acme/x:environment:basic production",
    "AAAAbbbbCCCCddddEEEEffff0000111122223333",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(NAMES)))
def test_names_that_look_like_secrets_are_recorded(number: int) -> None:
    """Whoever chooses a repository's name would choose whether what he is denied leaves an entry."""
    name = NAMES[number]
    found = members(actor=Actor(id=name, kind="person", display="", issuer="https://i.test/token:1", subject=name))
    assert (found["actor"]["id"], found["actor"]["subject"]) == (name, name)


JWT = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJyZXBvOm9yZyJ9.c2lnbmF0dXJl"
CHOSEN = ["ä" * 1025, "x" * 4096, f"repo:attacker/{JWT}:ref:x", "ghp_" + "a1B2" * 9, "a\ud800" + "b" * 2000, "\ud800"]


@pytest.mark.parametrize("number", range(len(CHOSEN)))
def test_names_that_cannot_be_recorded_as_they_are_end_with_their_digest(number: int) -> None:
    name = CHOSEN[number]
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    actor = Actor(id=name, kind="person", display="", issuer="i", subject=name)
    data = encoded(actor=actor, correlation_id=name)
    assert encode(decode(data).event, id=ID, time=START, producer=PRODUCER) == data
    found = json.loads(data)
    for value, most in [
        (found["actor"]["id"], 1024),
        (found["actor"]["subject"], 1024),
        (found["correlation_id"], 256),
    ]:
        assert value.endswith(f"…sha256:{digest}")
        assert len(value) <= most
    assert JWT.encode() not in data
    assert b"a1B2a1B2" not in data


def test_a_correlation_id_of_no_characters_is_none() -> None:
    assert members(correlation_id="")["correlation_id"] is None


def test_words_are_cut_and_names_are_not() -> None:
    found = members(reason="r" * 5000, details={"note": "n" * 5000, "half": "a\ud800b"})
    assert found["reason"] == "r" * 4095 + "…"
    assert len(found["details"]["note"]) == 4096
    assert found["details"]["half"] == "a?b"


def test_the_largest_event_fits_two_bytes() -> None:
    sizes = {f"k{n}": "x" * 4096 for n in range(15)}
    assert len(encoded(details={**sizes, "last": "x" * 3000})) <= MAX_BYTES
    with pytest.raises(Refused, match="bytes"):
        encoded(details={**sizes, "last": "x" * 4096, "more": "x" * 1000})


SECRETS = [
    JWT, JWT.rpartition(".")[0] + ".", f"token was {JWT}, sorry", "Authorization: Bearer abcdef0123456789",
    "bearer\tabcdef0123456789", "Basic dXNlcjpwYXNzd29yZA==",
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----",
    "-----BEGIN OPENSSH PRIVATE KEY-----\nabc", "AKIAIOSFODNN7EXAMPLE", "key=ASIAIOSFODNN7EXAMPLE;",
    "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "secret wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY.",
    "ghp_" + "a1B2" * 9, "github_pat_" + "a1B2" * 6, "password=hunter2hunter2", '{"client_secret": "abcdefgh"}',
    "postgresql://user:pa55word@db/aegis", "X-Amz-Signature=0123456789abcdef",
]  # fmt: skip
HARMLESS = [
    "repo:org/app:environment:prod", "ab" * 32, "ab" * 20, "org/model@1.2.3", "the token expired", "key rotated",
    "https://token.actions.githubusercontent.com", "s3://bucket/models/Resnet50/weights.safetensors",
    "sha256:" + "0f" * 32, "runtime.format_pickle", "eyJ is how JWTs begin", "postgresql://db:5432/aegis",
]  # fmt: skip


@pytest.mark.parametrize("number", range(len(SECRETS)))
def test_secrets_do_not_get_in(number: int) -> None:
    secret = SECRETS[number]
    data = encoded(reason=secret, details={"note": f"x {secret}", "other": secret})
    for word in secret.replace("\n", " ").replace(",", " ").split():
        if len(word) > 14 and not word.startswith(("---", "Auth")):
            assert word.strip('".{}').encode() not in data
    assert data.count(b"[redacted: ") == 3


@pytest.mark.parametrize("number", range(len(HARMLESS)))
def test_what_is_no_secret_stays(number: int) -> None:
    assert redact(HARMLESS[number]) == HARMLESS[number]


def test_what_is_called_a_secret_is_one() -> None:
    actor = Actor(id="a", kind="person", display="", issuer="i", subject="s", attributes={"api_key": "x"})
    found = members(details={"session_token": "x", "token_id": "y", "password": "z"}, actor=actor)
    assert found["details"] == {"session_token": "[redacted: by its name]", "token_id": "y",
                                "password": "[redacted: by its name]"}  # fmt: skip
    assert found["actor"]["attributes"] == {"api_key": "[redacted: by its name]"}


@given(st.text(max_size=3000))
def test_looking_for_secrets_ends(text: str) -> None:
    redact(text)
    redact("a-" * 2000 + text)


GOOD = entry(1)
MALFORMED: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda data: b"",
    "cut": lambda data: data[:-1],
    "more": lambda data: data + b" ",
    "space": lambda data: data.replace(b":", b": ", 1),
    "order": lambda data: data.replace(b'"host":"host.test","pid":7', b'"pid":7,"host":"host.test"'),
    "escape": lambda data: data.replace(b"org/model", b"org\\/model"),
    "doubled": lambda data: data.replace(b'"v":1', b'"v":1,"v":1'),
    "unknown member": lambda data: data.replace(b'"v":1', b'"v":1,"w":1'),
    "missing member": lambda data: data.replace(b',"v":1', b""),
    "version": lambda data: data.replace(b'"v":1', b'"v":2'),
    "action": lambda data: data.replace(b"model.load.verified", b"model.load.verifies"),
    "id": lambda data: data.replace(b"-7", b"-4"),
    "time": lambda data: data.replace(b"000Z", b"00Z"),
    "day": lambda data: data.replace(b"2023-11-14", b"2023-11-31"),
    "number": lambda data: data.replace(b'"number":1', b'"number":1.0'),
    "not UTF-8": lambda data: data.replace(b"host.test", b"host\xff"),
    "nested": lambda data: b"[" * 60_000,
    "long": lambda data: b" " * 65_536,
}


@pytest.mark.parametrize("change", MALFORMED)
def test_other_spellings_are_refused(change: str) -> None:
    assert decode(GOOD).event == event(1, actor=ACTOR)
    with pytest.raises(Refused) as refusal:
        decode(MALFORMED[change](GOOD))
    assert refusal.value.code == "audit.entry_malformed"


@given(st.binary(max_size=300))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Refused):
        decode(data)


@given(st.integers(0, 4_000_000_000_000_000_000))
def test_times(time: int) -> None:
    assert parse_time(format_time(time)) == time


@given(st.integers(0, 2**47 * 1_000_000))
def test_ids_are_of_their_time(time: int) -> None:
    first = new_id(time)
    assert entries._ID.fullmatch(first)
    assert int(first[:8] + first[9:13], 16) == time // 1_000_000
    assert first != new_id(time)


def test_ids_must_be_ids() -> None:
    with pytest.raises(Refused, match="id"):
        encode(event(), id='x","y":"', time=START, producer=Producer("", "", 1))


def _read_alone(given: list[bytes]) -> list[entries.Written] | None:
    try:
        return [entries.read(each) for each in given]
    except Refused:
        return None


SEVERAL = [entry(number) for number in range(3)]
CUT = SEVERAL[0].index(b'"actor"')
"""Where a line feed would be harmless to a reader of JSON."""
ONE = SEVERAL[0]
SPOILT = [
    b"",
    b"\n",
    b"{}",
    ONE + b"\n",
    b" " + ONE,
    ONE + b"\n" + SEVERAL[1],
    ONE[:CUT],
    ONE[CUT:],
    ONE.replace(b'":"', b'": "', 1),
    ONE.replace(b'"v":1', b'"v":2'),
    ONE.replace(b'"v":1', b'"v":1.0'),
    ONE.replace(b"-7", b"-4", 1),
    ONE.replace(b"T22:", b"T24:"),
    ONE.replace(b"2023-11-14", b"2023-02-30"),
    ONE.replace(b"2023-11-14", b"0000-11-14"),
    ONE.replace(b"000Z", b"00Z"),
    ONE.replace(b"2023", "\uff12\uff10\uff12\uff13".encode()),
    ONE.replace(b'"id":"01a0', b'"id":"01A0'),
    ONE.replace(b'"id":"01', b'"id":"\\n01'),
    ONE.replace(b"org/app", b"org\\/app"),
    ONE.replace(b'"number":0', b'"pad":"' + b"x" * MAX_BYTES + b'"'),
    ONE.replace(b'"outcome":"success"', b'"outcome":"fine"'),
]


@given(st.lists(st.sampled_from([*SEVERAL, *SPOILT]), min_size=1, max_size=6))
@settings(deadline=None, max_examples=300)
def test_many_are_read_as_each_alone(given: list[bytes]) -> None:
    assert entries.read_many(given) == _read_alone(given)


@pytest.mark.parametrize("number", range(len(SPOILT)))
def test_one_bad_entry_among_good_ones(number: int) -> None:
    assert entries.read_many(SEVERAL) == _read_alone(SEVERAL) != None  # noqa: E711 - both are lists
    for at in range(4):
        assert entries.read_many([*SEVERAL[:at], SPOILT[number], *SEVERAL[at:]]) is None


def test_two_entries_cannot_share_their_ids_or_their_bytes() -> None:
    """What is cut elsewhere than where entries end is the same text as a whole."""
    first, second = SEVERAL[:2]
    ids = [entries.read(each).id for each in (first, second)]
    both = first.replace(ids[0].encode(), f"{ids[0]}\\n{ids[1]}".encode())
    none = second.replace(ids[1].encode(), b"")
    for cut in (
        [first[:CUT], first[CUT:] + b"\n" + second],
        [first + b"\n" + second, b""],
        [both, none],
        [both, second],
    ):
        assert entries.read_many(cut) is None
