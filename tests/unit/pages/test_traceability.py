"""The table from the runbook to tests has no empty cell, and each kind of hole in it is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from aegis.core.codes import CODES
from scripts.pages import traceability
from scripts.pages.traceability import Row, Sources, exists, invariants, problems, sources

CODE = "scan.runtime"


@pytest.fixture(scope="module")
def given() -> Sources:
    return sources()


def test_the_table_has_no_empty_cell(given: Sources) -> None:
    assert problems(given) == []


def new(given: Sources, **changed: object) -> set[str]:
    """The problems that a change brings."""
    return set(problems(replace(given, **changed))) - set(problems(given))  # type: ignore[arg-type]


def test_every_reason_stands_in_the_table_once(given: Sources) -> None:
    assert sorted(entry.code for entry in traceability.entries(given)) == sorted(CODES)


def without(row: Row, code: str) -> Row:
    return replace(row, codes=tuple(pattern for pattern in row.codes if pattern not in {code, f"{code[:4]}.*"}))


def test_a_reason_that_no_row_names_is_found(given: Sources) -> None:
    rows = tuple(without(row, CODE) for row in given.rows)
    assert f"{CODE}: no row of docs/traceability.yml names it" in problems(replace(given, rows=rows))


def test_a_reason_without_a_test_is_found(given: Sources) -> None:
    tests = {code: test for code, test in given.tests.items() if code != CODE}
    assert new(given, tests=tests) == {f"{CODE}: no test is recorded: scripts/record_gallery.py tests/…"}


@pytest.mark.parametrize("test", ["tests/unit/gone.py::test_it", "tests/unit/pages/test_traceability.py::test_gone"])
def test_a_test_that_is_gone_is_found(given: Sources, test: str) -> None:
    found = new(given, tests={**given.tests, CODE: test})
    assert found == {f"{CODE}: the test {test} is no longer there: record it again"}


def test_a_line_of_the_runbook_without_a_reason_is_found(given: Sources) -> None:
    found = new(given, lines={**given.lines, "9.1": "something new"})
    assert found == {"runbook 9.1: no reason stands for it"}


def test_an_invariant_without_a_reason_is_found(given: Sources) -> None:
    found = new(given, invariants={**given.invariants, 999: "something new"})
    assert found == {"invariant 999: no reason stands for it"}


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        pytest.param(Row("9.9", (1,), (CODE,)), "there is no line '9.9' of the runbook", id="line"),
        pytest.param(Row("1.1", (), (CODE,)), f"1.1: {CODE}: no invariant", id="no-invariant"),
        pytest.param(Row("1.1", (999,), (CODE,)), "there is no invariant 999", id="unknown-invariant"),
        pytest.param(Row("1.1", (1,), ("scan.gone",)), "1.1: scan.gone is no reason", id="unknown-reason"),
    ],
)
def test_a_row_that_leads_nowhere_is_found(given: Sources, row: Row, problem: str) -> None:
    assert problem in problems(replace(given, rows=(*given.rows, row)))


def test_a_name_counts_before_any_glob() -> None:
    table = Sources({"1": "a", "2": "b"}, (Row("1", (1,), ("scan.*",)), Row("2", (1,), (CODE,))), {1: "x"}, {})
    placed = {entry.code: entry.line for entry in traceability.entries(table)}
    assert (placed[CODE], placed["scan.cli"]) == ("2", "1")


class TestWhatIsThere:
    @pytest.mark.parametrize(
        ("name", "there"),
        [
            ("test_the_table_has_no_empty_cell", True),
            ("TestWhatIsThere::test_is_found_by_its_name", True),
            ("test_is_found_by_its_name", False),
            ("without", False),
        ],
    )
    def test_is_found_by_its_name(self, name: str, there: bool) -> None:
        assert exists(f"tests/unit/pages/test_traceability.py::{name}") is there


def test_invariants_are_read_from_the_threat_model() -> None:
    page = "# x\n\n## Invariants\n\n1. **Only a yes.** More.\n   (`tests`)\n2. **Another.**\n\n## Other\n\n3. **No.**\n"
    assert list(invariants(page)) == [1, 2]
    assert invariants(page)[1] == "Only a yes"
