"""The gates that a common verdict is about, a row each: also those that were not run, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from aegis.core.outcome import PART
from aegis.core.verdict import Verdict
from aegis.report.escape import markdown, markdown_code, terminal

_LONGEST = 300
"""Characters of a reason; the whole is among the findings."""


def section(verdict: Verdict) -> list[str]:
    """The table; nothing for a verdict of one gate."""
    rows = [
        f"| {markdown(gate)} | {_answer(value)} | {markdown_code(str(value['reason']))} | {markdown(_why(value))} |"
        for gate, value in _gates(verdict)
    ]
    return ["| Gate | Answer | Reason | Why |", "| --- | --- | --- | --- |", *rows, ""] if rows else []


def lines(verdict: Verdict) -> Iterator[str]:
    """The same for a terminal."""
    for gate, value in _gates(verdict):
        yield f"{terminal(gate)}: {_answer(value)}: {terminal(_why(value))}"


def _gates(verdict: Verdict) -> Iterator[tuple[str, dict[str, Any]]]:
    if verdict.gate == "all":
        for each in verdict.evidence:
            if isinstance(each.value, dict) and {"result", "decision", "reason", "why"} <= each.value.keys():
                yield each.name, each.value


def _answer(value: dict[str, Any]) -> str:
    if value["decision"] == "observed":
        return "OBSERVED, NOT ENFORCED"
    if value["result"] == "pass":
        return {"not-applicable": "NOT APPLICABLE", "pass with waiver": "PASS WITH WAIVER", PART: PART.upper()}.get(
            value["decision"], "PASS"
        )
    return {"fail": "FAIL", "error": "COULD NOT DECIDE"}.get(value["result"], "NOT RUN")


def _why(value: dict[str, Any]) -> str:
    text = str(value["why"])
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} …"
