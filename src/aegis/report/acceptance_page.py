"""An acceptance run as one page of HTML, with the curves of the canary and of the restores."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

from aegis.acceptance.result import Acceptance, Attempt, CriterionResult, Status
from aegis.report.html import (
    Band,
    Child,
    Html,
    Level,
    Series,
    Tone,
    bullets,
    chip,
    code,
    details,
    facts,
    line_chart,
    note,
    page,
    paragraph,
    section,
    table,
    tiles,
    utc,
)

TONES: Final[Mapping[Status, Tone]] = {"pass": "good", "fail": "bad", "error": "unknown", "not-run": "plain"}


def render(run: Acceptance) -> bytes:
    """The page."""
    parts: list[Child] = [_answer(run), section("Criteria", _criteria(run))]
    parts += [section(f"{one.id} {one.title}", *_criterion(one)) for one in run.criteria]
    parts.append(section("This run", _facts(run)))
    ends = "aegis acceptance verify DIR holds this folder against its digests, offline."
    return page("Acceptance", parts, subtitle=f"{run.text}.", footer=ends)


def _answer(run: Acceptance) -> Html:
    counted = {status: sum(one.status == status for one in run.criteria) for status in TONES}
    return tiles(
        {
            "answer": chip("all accepted", "good") if run.accepted else chip("not accepted", TONES[run.result]),
            **{status: str(number) for status, number in counted.items() if number},
            "mode": run.mode,
        }
    )


def _criteria(run: Acceptance) -> Html:
    rows = [
        (one.id, one.title, chip(one.status, TONES[one.status]), code(one.reason), "; ".join(one.simulated) or "none")
        for one in run.criteria
    ]
    return table(("", "Criterion", "Result", "Reason", "Simulated parts"), rows)


def _criterion(one: CriterionResult) -> Iterator[Child]:
    if one.status == "pass":
        yield paragraph(one.message)
    else:
        yield note("bad" if one.status == "fail" else "warn", f"{one.reason}: {one.message} {one.remedy}")
    yield bullets(f"Runbook: {line}" for line in one.runbook)
    if one.kept:
        yield note("warn", "Kept from a run that was broken off, of the same commit and catalogue.")
    if one.attempts:
        yield table(("Probe", "Planted", "Result", "Reason", "Seconds"), (_attempt(each) for each in one.attempts))
    for each in one.attempts:
        if each.checks:
            rows = [(c.name, chip(c.result, TONES[c.result]), c.detail) for c in each.checks]
            yield details(f"{each.name}: {len(each.checks)} checks", table(("Check", "Result", "What was seen"), rows))
    for each in one.attempts:
        if each.positive:
            yield from _charts(each.facts)


def _attempt(each: Attempt) -> tuple[Child, ...]:
    began, ended = (datetime.datetime.fromisoformat(text) for text in (each.started, each.finished))
    seen = not each.positive and each.result == "fail" and each.reason in each.expected
    answer = chip("fail, as expected", "good") if seen else chip(each.result, TONES[each.result])
    return (each.name, each.plants or "nothing", answer, code(each.reason), f"{(ended - began).total_seconds():.1f}")


def _charts(found: Mapping[str, Any]) -> Iterator[Child]:
    """Of what a probe has told; whatever has another form is left out, since probes may tell anything."""
    looks = [each for each in _list(found, "canary_looks") if _numbers(each, "minute", "log_ratio")]
    if looks:
        line = Series("canary against stable", [(each["minute"], each["log_ratio"]) for each in looks])
        edges = [each for each in looks if _numbers(each, "low", "high")]
        band = Band("interval", [(each["minute"], each["low"], each["high"]) for each in edges])
        yield line_chart(
            "The degraded canary, look by look",
            [line],
            bands=[band],
            levels=[Level("no difference", 0.0, "plain")],
            x_label="minutes",
            y_label="log ratio of the error rates",
        )
    restores = [each for each in _list(found, "restores") if _numbers(each, "seconds")]
    points = [(at, float(each["seconds"])) for each in restores if (at := _epoch(each.get("finished"))) is not None]
    if points:
        line = Series("restore", sorted(points))
        yield line_chart("Restores", [line], x_label="finished (UTC)", y_label="seconds", x_text=utc)


def _list(found: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = found.get(name)
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _numbers(each: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(each.get(name), int | float) and math.isfinite(each[name]) for name in names)


def _epoch(text: object) -> float | None:
    try:
        return datetime.datetime.fromisoformat(str(text)).timestamp()
    except (ValueError, OverflowError):
        return None


def _facts(run: Acceptance) -> Html:
    shown: dict[str, Child] = {
        "commit": code(run.commit) if run.commit else "none",
        "uncommitted changes": "yes" if run.uncommitted else "no",
        "catalogue": code(f"{run.catalogue.origin} sha256:{run.catalogue.sha256}"),
        "tool": code(f"{run.tool.name} {run.tool.version} sha256:{run.tool.digest}"),
        "started": run.started,
        "finished": run.finished,
        "command": code(run.command),
        **run.versions,
    }
    return facts(shown)
