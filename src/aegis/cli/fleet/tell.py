"""A run over many repositories, for people and for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict

from aegis.report.escape import markdown, terminal
from aegis.scaffold.fleet import Report, State, table

_SCHEMA = "aegis.fleet/v1"


def tell(report: Report, form: str) -> None:
    """Print it."""
    match form:
        case "json":
            lines = [json.dumps(_document(report), indent=1)]
        case "markdown":
            lines = list(_markdown(report))
        case _:
            lines = list(_text(report))
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _document(report: Report) -> dict[str, object]:
    return {
        "schema": _SCHEMA,
        "command": report.command,
        "organisation": report.organisation,
        "dry_run": report.dry_run,
        "exit_code": report.exit_code,
        "repositories": [asdict(row) for row in report.rows],
        "excluded": [{"repository": name, "reason": reason} for name, reason in report.excluded],
        "unseen": report.unseen,
        "notices": list(report.notices),
        "difference": list(report.difference),
    }


def _text(report: Report) -> Iterator[str]:
    yield from map(terminal, report.difference)
    rows = [tuple(map(terminal, words)) for words in table(report)]
    widths = [max((len(row[column]) for row in rows), default=0) for column in (0, 1)]
    for name, state, detail in rows:
        yield f"{name:<{widths[0]}}  {state:<{widths[1]}}  {detail}"
    for name, reason in report.excluded:
        yield f"{terminal(name)}: not meant: {reason}"
    for words in _summary(report):
        yield terminal(words)


def _markdown(report: Report) -> Iterator[str]:
    yield f"### Aegis fleet {report.command}: {markdown(report.organisation)}"
    yield ""
    yield "| repository | | |"
    yield "|---|---|---|"
    for words in table(report):
        yield "| " + " | ".join(map(markdown, words)) + " |"
    yield ""
    for words in _summary(report):
        yield f"- {markdown(words)}"


def _summary(report: Report) -> Iterator[str]:
    yield from report.notices
    if report.unseen:
        yield (
            f"The token does not see {report.unseen} repositories of {report.organisation}: nothing is known of them; "
            "--seen-only is content with the others."
        )
    counts = [f"{report.count(state)} {state.value}" for state in State if report.count(state)]
    yield f"{report.organisation}: {', '.join(counts)}; {len(report.excluded)} not meant."
    if report.dry_run and report.count(State.WOULD_WRITE):
        yield "Nothing was written; --yes writes."
