"""The rollout that a verdict is about: numbers of its metrics, and evidence over time.

What is shown is the evidence `canary`, `metrics` and `chart` of the canary gate.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from aegis.core.verdict import Verdict
from aegis.report.escape import markdown

_ROWS: Final = 12
"""Metrics in the table: those with the strongest evidence against the canary."""
_HEADER: Final = ("Metric", "Canary", "Stable", "Ratio", "Against (e)", "For (e)", "Needs")


def section(verdict: Verdict) -> list[str]:
    """The lines; none for a verdict that judged no rollout."""
    whole, metrics, chart = _evidence(verdict)
    if whole is None:
        return []
    how_far = (
        f"After {whole['seconds']:.0f} s of {whole['deadline']:.0f} s: evidence against the canary "
        f"{whole['harm']:.3g} (aborts at {whole['aborts_at']:.4g}), for it {whole['good']:.3g} "
        f"(promotes at {whole['promotes_at']:.4g}); always-valid p {whole['p_value']:.2g}."
    )
    shown = [
        f"### {markdown(str(whole['decision'])).capitalize()}: {markdown(str(whole['rollout']))}",
        "",
        how_far,
        "",
        f"| {' | '.join(_HEADER)} |",
        f"| {' | '.join(['---'] * len(_HEADER))} |",
        *(f"| {' | '.join(markdown(cell) for cell in _cells(each))} |" for each in metrics[:_ROWS]),
        "",
    ]
    if len(metrics) > _ROWS:
        shown += [f"{len(metrics) - _ROWS} more stand in `verdict.json`.", ""]
    # of our own making: numbers, and words that are the same for all
    return [*shown, *(["```mermaid", *chart.split("\n"), "```", ""] if chart else [])]


def lines(verdict: Verdict) -> Iterator[str]:
    """For a terminal: a line for each metric of the table."""
    _, metrics, _ = _evidence(verdict)
    for each in metrics[:_ROWS]:
        cells = _cells(each)
        told = [f"{name.lower()} {cell}" for name, cell in zip(_HEADER[1:], cells[1:], strict=True) if cell]
        yield f"{cells[0]}: {', '.join(told)}"


def _evidence(verdict: Verdict) -> tuple[Mapping[str, Any] | None, list[Mapping[str, Any]], str]:
    found = {each.name: each.value for each in verdict.evidence} if verdict.gate == "canary" else {}
    return found.get("canary"), found.get("metrics", []), found.get("chart", "")


def _cells(each: Mapping[str, Any]) -> list[str]:
    high = each["ratio_high"]
    return [
        str(each["metric"]),
        _counted(each["canary_bad"], each["canary_exposure"]),
        _counted(each["stable_bad"], each["stable_exposure"]),
        f"{each['ratio_low']:.3g} to {'any' if high is None else f'{high:.3g}'}",
        f"{each['evidence']:.3g}" + (f", ceiling {each['over_ceiling']:.3g}" if each["over_ceiling"] else ""),
        f"{each['good']:.3g}" + ("" if each["critical"] else " (not critical)"),
        f"about {each['more_requests']:,.0f} more requests to see twice the rate" if each["more_requests"] else "",
    ]


def _counted(bad: float, exposure: float) -> str:
    return f"{bad:,.0f} of {exposure:,.0f}" + (f" ({bad / exposure:.3%})" if exposure else "")
