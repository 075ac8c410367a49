"""Only what a gate wrote is a verdict."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict
from aegis.report import json_report
from aegis.signatures.verdict_document import LIMIT, read_verdict
from tests.support.verdicts.verdicts import every_kind, failing, finding, verdict, waiver

KINDS = every_kind()
FULL = failing(finding(), waivers=(waiver(),), notices=("a notice",))


@pytest.mark.parametrize("number", range(len(KINDS)))
def test_what_a_gate_writes_is_read_back(number: int) -> None:
    assert read_verdict(json_report.render(KINDS[number]), "verdict.json") == KINDS[number]


def document(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json_report.render(FULL))
    return {**found, **changes}


def refused(data: bytes) -> str:
    with pytest.raises(CouldNotDecide) as caught:
        read_verdict(data, "verdict.json")
    assert caught.value.code == "core.verdict_invalid"
    return caught.value.problem


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"null", b"[]", b"{}", b'"pass"', b'{"result": "pass"}', b"\xff\xfe", b"[" * 100_000],
    ids=["empty", "cut", "null", "list", "no fields", "a word", "one field", "no UTF-8", "deep"],
)
def test_what_is_none_is_refused(data: bytes) -> None:
    assert "verdict.json" in refused(data)


@pytest.mark.parametrize("cut", [1, 0.5, 0.99])
def test_a_cut_verdict_is_refused(cut: float) -> None:
    whole = json_report.render(FULL).rstrip()
    refused(whole[: int(len(whole) * cut) if cut < 1 else -1])


def test_a_name_that_stands_twice_is_refused() -> None:
    whole = json_report.render(verdict()).decode()
    refused(whole.replace('"result": "pass"', '"result": "fail",\n"result": "pass"').encode())


def test_a_huge_file_is_refused_unread() -> None:
    refused(b" " * (LIMIT + 1))


def lacking(name: str) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        del found[name]

    return change


def having(place: str, name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(found: dict[str, Any]) -> None:
        inside = found[place] if place else found
        (inside[0] if isinstance(inside, list) else inside)[name] = value

    return change


CHANGES = {
    "lacks its result": lacking("result"),
    "lacks its findings": lacking("findings"),
    "lacks observe": lacking("observe"),
    "another result": having("", "result", "PASS"),
    "a result that is no text": having("", "result", True),
    "another schema": having("", "schema", "urn:aegis-gates:schema:verdict:v2"),
    "a field more": having("", "note", "x"),
    "a field more inside": having("tool", "note", "x"),
    "a commit that is none": having("source", "commit", "main"),
    "a digest that is none": having("tool", "digest", "AB" * 32),
    "an attempt before the first": having("source", "run_attempt", 0),
    "a line before the first": having("findings", "line", 0),
    "a fingerprint that is none": having("findings", "fingerprint", "x"),
    "a waiver without end": having("waivers", "expires", "never"),
    "a local time": having("", "finished", "2026-01-02T03:04:06+02:00"),
    "a reason that is no code": having("", "reason", "all is well"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_gate_does_not_write_is_refused(name: str) -> None:
    found = document()
    CHANGES[name](found)
    refused(json.dumps(found).encode())


def test_the_document_of_these_tests_is_a_verdict() -> None:
    assert isinstance(read_verdict(json.dumps(document()).encode(), "x"), Verdict)
