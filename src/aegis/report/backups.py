"""The backups that a verdict is about, as a part of the step summary: at most 40 lines, whatever their number.

What is shown is the evidence `databases` of the backup-check gate. Whatever is not known stands as such.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from aegis.core.verdict import Verdict
from aegis.report.escape import markdown

_ROWS: Final = 8
"""Databases in the table; those with something against them first."""
_POINTS: Final = 20
"""Restores in the chart."""
_PHASES: Final = ("find", "download", "engine", "restore", "smoke")
"""What a person waits for; the comparison is not among it."""


def section(verdict: Verdict) -> list[str]:
    """The lines; none for a verdict that is not about backups."""
    databases = next((each.value for each in verdict.evidence if each.name == "databases"), None)
    if not isinstance(databases, list) or not databases:
        return []
    shown = sorted(databases, key=lambda each: each["outcome"] == "PASS")
    lines = [
        "### Backups",
        "",
        "| Database | Outcome | Proven | Snapshot (RPO) | Restore (RTO) | Last proof |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(each) for each in shown[:_ROWS]),
    ]
    if len(shown) > _ROWS:
        lines.append(f"| and {len(shown) - _ROWS} more in `verdict.json` | | | | | |")
    first = shown[0]
    return [*lines, "", *_phases(first), *_not_run(first), *_chart(first)]


def _row(each: Mapping[str, Any]) -> str:
    now, proof = each.get("drill"), each.get("proof")
    best = now or proof
    cells = [
        markdown(str(each["name"])),
        markdown(str(each["outcome"])),
        markdown(f"{best['tier'].upper()}, {best['equality']}") if best else "nothing",
        f"{span(each.get('rpo'))} of {span(each['rpo_limit'])}",
        _rto(best) + (f" of {span(each['rto_limit'])}" if each.get("rto_limit") is not None else ""),
        f"{span(proof['age'])} ago, of {span(each['proof_limit'])}" if proof else "never",
    ]
    return f"| {' | '.join(cells)} |"


def _rto(best: Mapping[str, Any] | None) -> str:
    """Other tiers leave out what takes long: rows, or indexes."""
    if best is None or best["tier"] == "full":
        return span(best["rto"] if best else None)
    return "not measured"


def _phases(each: Mapping[str, Any]) -> Iterator[str]:
    best = each.get("drill") or each.get("proof")
    if not best:
        return
    seconds = best["seconds"]
    told = ", ".join(f"{phase} {span(seconds[phase])}" for phase in _PHASES if phase in seconds)
    compared = f"; compared in {span(seconds['compare'])}" if "compare" in seconds else ""
    sandbox = "in a sandbox" if best["isolated"] else "NOT ISOLATED"
    smoke = best["smoke"]
    asked = f", {sum(question['ok'] for question in smoke)} of {len(smoke)} questions true" if smoke else ""
    engine = f"PostgreSQL {best['engine']}" if best["engine"] else "no engine"
    name = markdown(str(each["name"]))
    yield f"**{name}**: {markdown(told) or 'no phase'}{compared}; {markdown(engine)}, {sandbox}{asked}."
    yield ""


def _not_run(each: Mapping[str, Any]) -> Iterator[str]:
    parts = each.get("not_run") or ()
    if parts:
        yield f"NOT RUN: {markdown('; '.join(map(str, parts))[:1_000])}."
        yield ""


def _chart(each: Mapping[str, Any]) -> Iterator[str]:
    """How long restores took, oldest first (https://mermaid.js.org/syntax/xyChart.html)."""
    trend = each.get("trend")
    if not trend or len(trend["points"]) < 2:
        return
    points: Sequence[Mapping[str, Any]] = trend["points"][-_POINTS:]
    days = ", ".join(f'"{point["finished"][5:10]}"' for point in points)
    seconds = ", ".join(f"{point['rto']:.1f}" for point in points)
    yield "```mermaid"
    yield "xychart-beta"
    # names are letters, digits, `.`, `_` and `-`: nothing that would end a title
    yield f'    title "{_plain(str(each["name"]))}: seconds of a restore ({_plain(str(trend["tier"]))})"'
    yield f"    x-axis [{days}]"
    yield f'    y-axis "seconds" 0 --> {max(point["rto"] for point in points) * 1.2 + 1:.0f}'
    yield f"    line [{seconds}]"
    yield "```"
    yield ""
    at = "; ".join(f"{span(later['rto'])} at {size(later['size'])}" for later in trend["rto_at"])
    yield f"{markdown(str(trend['formula']))}: {at}; {span(trend['rto_in_90_days'])} in 90 days as it grows."
    yield ""


def span(seconds: float | None) -> str:
    """E.g. `3 d 4 h`, `2 h 5 min`, `12.3 s`: the two largest units."""
    if seconds is None:
        return "unknown"
    if seconds < 60:
        return f"{seconds:.3g} s"
    count = int(seconds) // 60
    days, hours, rest = count // 1440, count // 60 % 24, count % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {rest} min" if rest else f"{hours} h"
    return f"{rest} min"


def size(count: int) -> str:
    """E.g. `12.5 MiB`."""
    amount, unit = float(count), "B"
    for larger in ("KiB", "MiB", "GiB", "TiB"):
        if amount < 1024:
            break
        amount, unit = amount / 1024, larger
    return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"


def _plain(text: str) -> str:
    return "".join(each for each in text if each.isascii() and (each.isalnum() or each in " ._-"))
