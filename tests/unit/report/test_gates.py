"""The common verdict's table: a row a gate, whatever they said."""

from __future__ import annotations

import pytest

from aegis.core.merge import merged
from aegis.core.verdict import Verdict
from aegis.report import gates, markdown, text
from tests.support.verdicts.verdicts import HOSTILE, failing, finding, undecided, verdict, waiver


@pytest.mark.parametrize(
    ("one", "answer"),
    [
        (verdict(), "PASS"),
        (verdict(waivers=(waiver(),), decision="pass with waiver"), "PASS WITH WAIVER"),
        (verdict(reason="core.not_applicable", decision="not-applicable"), "NOT APPLICABLE"),
        (failing(), "FAIL"),
        (undecided(), "COULD NOT DECIDE"),
        (undecided(observe=True, decision="observed"), "OBSERVED, NOT ENFORCED"),
    ],
    ids=lambda each: each.decision if isinstance(each, Verdict) else each,
)
def test_each_answer_has_its_words(one: Verdict, answer: str) -> None:
    whole = merged([one], {"verify": "not named"})
    assert f"| scan | {answer} |" in markdown.render(whole)
    assert "| verify | NOT RUN |" in markdown.render(whole)
    assert f"gate: scan: {answer}: " in text.render(whole)
    assert "gate: verify: NOT RUN: not named" in text.render(whole)


def test_one_gates_verdict_has_no_table() -> None:
    assert gates.section(verdict()) == []
    assert "| Gate |" not in markdown.render(verdict())


@pytest.mark.parametrize("hostile", HOSTILE, ids=range(len(HOSTILE)))
def test_what_a_change_brings_stays_in_its_cell(hostile: str) -> None:
    whole = merged([failing(finding(message=hostile))])
    rows = [line for line in gates.section(whole) if line.startswith("| scan")]
    assert len(rows) == 1
    assert rows[0].replace("\\|", "").count(" | ") == 3
    assert "<script" not in rows[0]


def test_a_long_reason_is_cut() -> None:
    (row,) = (line for line in gates.section(merged([failing(finding(message="x" * 9000))])) if "x" * 9 in line)
    assert len(row) < 500
