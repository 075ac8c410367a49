from __future__ import annotations

import contextlib
import datetime
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.signatures.lock import Entry, Lock, accept, check, moved_backward, parse_lock, render_lock
from aegis.signatures.release import Release, version_order

DAY = datetime.date(2026, 11, 23)
LATER = datetime.date(2026, 12, 1)
END = datetime.datetime(2027, 1, 1, tzinfo=datetime.UTC)
A, B = "aa" * 32, "bb" * 32


def release(version: str, root: str = A, name: str = "llama", statement: str = B) -> Release:
    return Release(name=name, version=version, root=root, not_after=END, statement=statement)


def entry(version: str, root: str = A) -> Entry:
    return Entry(version=version, sha256=root, statement=B, accepted=DAY)


VERSION = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
HEX = st.sampled_from([A, B])
LOCK = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True),
    st.builds(Entry, version=VERSION, sha256=HEX, statement=HEX, accepted=st.dates()),
    max_size=3,
).map(Lock)

TEXT = b"""{
  "version": 1,
  "artifacts": {
    "bert": {
      "version": "2.0",
      "sha256": "%(b)s",
      "statement": "%(b)s",
      "accepted": "2026-11-23"
    },
    "llama": {
      "version": "1.2.3",
      "sha256": "%(a)s",
      "statement": "%(b)s",
      "accepted": "2026-11-23"
    }
  }
}
""" % {b"a": A.encode(), b"b": B.encode()}


def test_the_file_itself() -> None:
    lock = Lock({"llama": entry("1.2.3"), "bert": entry("2.0", B)})
    assert render_lock(lock) == TEXT
    assert parse_lock(TEXT, file="aegis.lock") == lock


@given(LOCK)
def test_what_is_written_is_read(lock: Lock) -> None:
    data = render_lock(lock)
    assert parse_lock(data, file="aegis.lock") == lock
    assert render_lock(Lock(dict(reversed(list(lock.entries.items()))))) == data


def spoiled(**changed: Any) -> bytes:
    value = json.loads(TEXT)
    for key, item in changed.items():
        if item is ...:
            del value["artifacts"]["llama"][key]
        else:
            value["artifacts"]["llama"][key] = item
    return json.dumps(value).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"artifacts: {}",
        TEXT + b"x",
        TEXT.replace(b'"version": 1,', b'"version": 2,'),
        TEXT.replace(b'"version": 1,', b'"version": "1",'),
        TEXT.replace(b'"version": 1,', b'"version": true,'),
        TEXT.replace(b'"version": 1,', b'"version": 1.0,'),
        TEXT.replace(b'"version": 1,', b'"version": 1, "extra": 1,'),
        TEXT.replace(b'"version": 1,', b""),
        TEXT.replace(b'"bert"', b'"llama"'),
        TEXT.replace(b'"bert"', b'"../bert"'),
        TEXT.replace(b'"bert"', b'""'),
        b'{"version": 1, "artifacts": []}',
        b'{"version": 1, "artifacts": {"a": 1}}',
        b"<<<<<<< HEAD\n" + TEXT,
        spoiled(version=...),
        spoiled(sha256=...),
        spoiled(statement=...),
        spoiled(accepted=...),
        spoiled(extra="x"),
        spoiled(version="v1"),
        spoiled(version=1),
        spoiled(sha256="aa"),
        spoiled(sha256=A.upper()),
        spoiled(statement=None),
        spoiled(accepted="23.11.2026"),
        spoiled(accepted="20261123"),
        spoiled(accepted="2026-02-30"),
        b" " * (2 << 20),
    ],
)
def test_what_is_no_lock_is_an_error_and_never_an_empty_lock(data: bytes) -> None:
    with pytest.raises(UsageError) as error:
        parse_lock(data, file="aegis.lock")
    assert error.value.code == "verify.lock_invalid"


@given(st.binary(max_size=40))
def test_nothing_but_usage_errors_comes_out(data: bytes) -> None:
    with contextlib.suppress(UsageError):
        parse_lock(data, file="aegis.lock")


# --- judging ----------------------------------------------------------------------------------------------------------


def verdict(lock: Lock, offered: Release) -> str:
    try:
        return check(lock, offered)
    except Refused as refused:
        return refused.code


@pytest.mark.parametrize(
    ("offered", "expected"),
    [
        (release("1.2"), "accepted"),
        (release("1.2.0"), "accepted"),
        (release("1.2", statement=A), "accepted"),
        (release("1.10"), "newer"),
        (release("1.2.0.1", B), "newer"),
        (release("1.1.9"), "verify.rollback"),
        (release("0.9", B), "verify.rollback"),
        (release("1.2", B), "verify.version_reused"),
        (release("1.2.0.0", B), "verify.version_reused"),
        (release("0.1", name="bert"), "unknown"),
    ],
)
def test_a_release_beside_what_was_accepted(offered: Release, expected: str) -> None:
    assert verdict(Lock({"llama": entry("1.2")}), offered) == expected


def test_an_empty_lock_knows_nothing() -> None:
    assert check(Lock(), release("1")) == "unknown"


def test_accepting() -> None:
    first = accept(Lock(), release("1"), DAY)
    assert first.entries == {"llama": entry("1")}
    assert accept(first, release("1"), LATER) is first
    renewed = accept(first, release("1", statement=A), LATER)
    assert renewed.entries["llama"] == Entry(version="1", sha256=A, statement=A, accepted=LATER)
    newer = accept(first, release("2", B), LATER)
    assert newer.entries["llama"] == Entry(version="2", sha256=B, statement=B, accepted=LATER)
    both = accept(newer, release("1", name="bert"), LATER)
    assert set(both.entries) == {"llama", "bert"}
    assert first.entries == {"llama": entry("1")}


@pytest.mark.parametrize(
    ("offered", "code"), [(release("0.9"), "verify.rollback"), (release("1", B), "verify.version_reused")]
)
def test_what_goes_back_is_not_accepted(offered: Release, code: str) -> None:
    with pytest.raises(Refused) as refused:
        accept(Lock({"llama": entry("1")}), offered, LATER)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("after", "says"),
    [
        ({}, "llama: no longer locked to version 1.2"),
        ({"llama": entry("1.1.9")}, "llama: version 1.1.9 instead of 1.2"),
        ({"llama": entry("1.2", B)}, "llama: another digest for version 1.2"),
        ({"llama": entry("1.2.0", B)}, "llama: another digest for version 1.2"),
    ],
)
def test_a_lock_that_goes_backward(after: dict[str, Entry], says: str) -> None:
    assert moved_backward(Lock({"llama": entry("1.2")}), Lock(after)) == [says]


def test_a_lock_that_goes_forward() -> None:
    before = Lock({"llama": entry("1.2")})
    for after in (entry("1.2"), entry("1.2.0"), entry("1.3", B), entry("2")):
        assert moved_backward(before, Lock({"llama": after})) == []
    assert moved_backward(Lock(), before) == []
    assert moved_backward(before, Lock({"llama": entry("1.2"), "bert": entry("1")})) == []


@given(LOCK, VERSION, HEX, st.dates())
def test_accepting_only_ever_moves_forward(lock: Lock, version: str, root: str, today: datetime.date) -> None:
    name = next(iter(lock.entries), "llama")
    with contextlib.suppress(Refused):
        offered = release(version, root, name)
        after = accept(lock, offered, today)
        assert moved_backward(lock, after) == []
        assert check(after, offered) == "accepted"
        assert set(after.entries) == {*lock.entries, name}


@given(LOCK, LOCK, VERSION, HEX)
def test_what_a_lock_refuses_is_refused_by_every_later_lock(before: Lock, after: Lock, version: str, root: str) -> None:
    if moved_backward(before, after):
        return
    for name, locked in before.entries.items():
        offered = release(version, root, name)
        if verdict(before, offered).startswith("verify."):
            same = version_order(after.entries[name].version) == version_order(locked.version)
            # What was another digest of the newest version is a rollback, once there is a newer one.
            assert verdict(after, offered) == (verdict(before, offered) if same else "verify.rollback")


@given(LOCK, LOCK, LOCK)
def test_forward_and_forward_is_forward(one: Lock, two: Lock, three: Lock) -> None:
    if not moved_backward(one, two) and not moved_backward(two, three):
        assert moved_backward(one, three) == []
