"""What a reader remembers: a store that has lost its newest verdict is refused."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import Refused, UsageError
from aegis.evidence.finding import Asked, find
from aegis.evidence.layout import About, Entry
from aegis.evidence.remembered import Remembered, check, noted, parse, render
from tests.doubles.objects import Bucket
from tests.support.verdicts.evidence import COMMIT, HOUR, OTHER_COMMIT, Made, made, trust

ABOUT = About("commit", COMMIT)
FOLDER = ABOUT.folder


def entry(gate: str = "verify", number: int = 0, commit: str = COMMIT) -> Entry:
    stamp = f"20260615T11{number:07d}Z"
    return Entry(f"commit/{commit}/{gate}/{stamp}-{'0' * 64}.sigstore.json", "verify", stamp, "0" * 64)


def listed(*ones: Made) -> tuple[Entry, ...]:
    objects = {key: content for one in ones for key, content in one.objects().items()}
    return find(Bucket(objects), "", ABOUT, Asked(any_result=True), trust()).newest


def test_a_store_that_was_rolled_back_is_refused() -> None:
    good, bad = made(ago=2 * HOUR), made(result="fail")
    memory = noted(Remembered({}), "s3://b", listed(good, bad))
    check(memory, "s3://b", FOLDER, listed(good, bad))
    check(memory, "s3://b", FOLDER, listed(good, bad, made(ago=HOUR / 2)))
    for left in ((good,), ()):
        with pytest.raises(Refused, match="was there") as raised:
            check(memory, "s3://b", FOLDER, listed(*left))
        assert raised.value.code == "evidence.rolled_back"


def test_a_gate_that_is_gone_is_missed() -> None:
    memory = noted(Remembered({}), "s3://b", [entry("verify"), entry("scan")])
    with pytest.raises(Refused, match="/scan/"):
        check(memory, "s3://b", FOLDER, [entry("verify", 1)])


def test_each_store_and_commit_is_its_own() -> None:
    memory = noted(Remembered({}), "s3://b", [entry(number=5)])
    check(memory, "s3://other", FOLDER, [])
    check(memory, "s3://b", f"commit/{OTHER_COMMIT}/", [])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["verify", "scan"]), st.integers(0, 999_999)), max_size=8))
def test_a_memory_only_grows(seen: list[tuple[str, int]]) -> None:
    memory = Remembered({})
    for gate, number in seen:
        memory = noted(memory, "s3://b", [entry(gate, number)])
    assert parse(render(memory), name="memory.json") == memory
    newest = {gate: max(number for other, number in seen if other == gate) for gate, _ in seen}
    check(memory, "s3://b", FOLDER, [entry(gate, number) for gate, number in newest.items()])
    for gate, number in newest.items():
        with pytest.raises(Refused):
            check(memory, "s3://b", FOLDER, [entry(gate, number - 1)] if number else [])


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"{}", b'{"version":2,"newest":{}}', b'{"version":1,"newest":{},"x":1}', b'{"version":1,"newest":[]}'],
)
def test_a_memory_that_cannot_be_read_remembers_nothing(content: bytes) -> None:
    with pytest.raises(UsageError) as raised:
        parse(content, name="memory.json")
    assert raised.value.code == "evidence.memory_malformed"
