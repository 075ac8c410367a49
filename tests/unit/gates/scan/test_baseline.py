from __future__ import annotations

import contextlib
import json
import re
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.gates.scan import baseline
from aegis.gates.scan.baseline import Growth, Known, Stale
from aegis.gates.scan.fingerprint import content_fingerprint
from aegis.gates.scan.model import Use
from tests.support.scan.uses import use, uses

ENTRY = {"count": 1, "provider": "aws", "rule": "scan.runtime", "statement": "import boto3"}
KEY = "a" * 64


def of(*found: Use) -> baseline.Baseline:
    return baseline.parse(baseline.render(found), file="b.json")


@given(st.lists(uses))
def test_what_was_written_lets_exactly_that_through(found: list[Use]) -> None:
    compared = baseline.compare(found, of(*found))
    assert (compared.new, compared.stale) == ((), ())
    assert Counter(compared.matched) == Counter(found)


@given(st.lists(uses), st.lists(uses))
def test_no_more_than_was_counted_is_let_through(found: list[Use], known: list[Use]) -> None:
    compared = baseline.compare(found, of(*known))
    has, may = Counter(map(content_fingerprint, found)), Counter(map(content_fingerprint, known))
    assert Counter(map(content_fingerprint, compared.new)) == has - may
    assert {entry.fingerprint: entry.known.count - entry.present for entry in compared.stale} == may - has
    assert Counter([*compared.new, *compared.matched]) == Counter(found)


@given(st.lists(uses), st.lists(uses))
def test_it_can_only_shrink(before: list[Use], after: list[Use]) -> None:
    grown = baseline.growth(of(*before), of(*after))
    expected = Counter(map(content_fingerprint, after)) - Counter(map(content_fingerprint, before))
    assert {entry.fingerprint: entry.known.count - entry.before for entry in grown} == expected


@given(st.lists(uses))
def test_the_file_depends_on_the_uses_alone(found: list[Use]) -> None:
    assert baseline.render(found) == baseline.render(found[::-1])


def test_the_file_is_as_documented() -> None:
    fingerprint = content_fingerprint(use())
    assert json.loads(baseline.render([use(), use("b.py")])) == {
        "version": 1,
        "uses": {fingerprint: ENTRY | {"count": 2}},
    }


def test_of_more_equal_uses_the_last_is_new() -> None:
    compared = baseline.compare([use("z.py"), use("a.py", line=7), use("a.py", line=2)], of(use(), use()))
    assert compared.new == (use("z.py"),)


def test_a_renamed_file_is_known_and_a_swapped_sdk_is_not() -> None:
    assert baseline.compare([use("new/name.py", line=80)], of(use())).new == ()
    swapped = use(text="import botocore")
    assert baseline.compare([swapped], of(use())).new == (swapped,)


def test_an_entry_that_is_no_longer_needed_is_told() -> None:
    known = Known(2, "scan.runtime", "aws", "import boto3")
    assert baseline.compare([use()], of(use(), use())).stale == (Stale(content_fingerprint(use()), known, 1),)


def test_an_entry_that_was_added_is_growth() -> None:
    known = Known(1, "scan.runtime", "aws", "import boto3")
    assert baseline.growth(of(), of(use())) == (Growth(content_fingerprint(use()), known, 0),)


def test_the_first_baseline_and_the_end_of_one_are_no_growth() -> None:
    assert baseline.growth(None, of(use())) == ()
    assert baseline.growth(of(use()), None) == ()


def test_a_text_of_any_characters_can_be_written_and_read() -> None:
    odd = use(text="import \udcff é\n" + "x" * 500)
    (known,) = of(odd).values()
    assert known.statement == odd.statement.text[: baseline.MAX_STATEMENT]


def refused(data: Any) -> str:
    raw = data if isinstance(data, bytes) else json.dumps(data, indent=1).encode()
    with pytest.raises(UsageError) as raised:
        baseline.parse(raw, file="b.json")
    assert raised.value.code == "scan.baseline_invalid"
    assert "--write-baseline" in raised.value.remedy
    return raised.value.problem


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", r"b\.json:1:1"),
        (b'{"version": 1,\n "uses": {', r"b\.json:2:"),
        (b"\xff", "byte 0 is not UTF-8"),
        (b"\xef\xbb\xbf{}", "BOM"),
        (b'{"version": 1, "uses": {}, "uses": {}}', r"b\.json:1: the key 'uses' stands twice"),
        (b"[" * 200_000, "without bounds"),
        (b'{"version": ' + b"9" * 5000 + b', "uses": {}}', "without bounds"),
        ([], "list"),
        ({}, r"\[\]"),
        ({"version": 1}, "version"),
        ({"version": 1, "uses": {}, "more": 1}, "more"),
        ({"version": 2, "uses": {}}, r"b\.json:2: got version 2"),
        ({"version": True, "uses": {}}, "version True"),
        ({"version": 1, "uses": []}, "no object"),
        ({"version": 1, "uses": {"A" * 64: ENTRY}}, "AAAA"),
        ({"version": 1, "uses": {KEY + "a": ENTRY}}, "aaaa"),
        ({"version": 1, "uses": {KEY: 1}}, r"b\.json:4: the entry"),
        ({"version": 1, "uses": {KEY: ENTRY | {"path": "x"}}}, "more keys"),
        ({"version": 1, "uses": {KEY: {"count": 1}}}, "not complete"),
        ({"version": 1, "uses": {KEY: ENTRY | {"count": 0}}}, "count 0"),
        ({"version": 1, "uses": {KEY: ENTRY | {"count": True}}}, "count True"),
        ({"version": 1, "uses": {KEY: ENTRY | {"count": 1.0}}}, r"count 1\.0"),
        ({"version": 1, "uses": {KEY: ENTRY | {"count": "1"}}}, "count '1'"),
        ({"version": 1, "uses": {KEY: ENTRY | {"rule": None}}}, "`rule`"),
    ],
)
def test_what_is_no_baseline_is_refused_with_its_place(data: Any, match: str) -> None:
    assert re.search(match, refused(data))


def test_a_file_beyond_all_bounds_is_refused() -> None:
    assert str(baseline.MAX_BYTES + 1) in refused(b" " * (baseline.MAX_BYTES + 1))


@given(
    st.binary()
    | st.recursive(
        st.none() | st.booleans() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["version", "uses", KEY, "count"]), inner),
        max_leaves=8,
    ).map(lambda value: json.dumps(value).encode())
)
def test_anything_is_read_or_refused(data: bytes) -> None:
    # Any other error than a UsageError fails this test.
    with contextlib.suppress(UsageError):
        baseline.parse(data, file="b.json")
