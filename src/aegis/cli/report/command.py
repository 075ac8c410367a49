"""`aegis report`: past verdicts of folders or of a repository's artifacts, as a page and as JSON."""

from __future__ import annotations

import argparse
import datetime
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import aegis
from aegis.core.errors import CouldNotDecide, UsageError

if TYPE_CHECKING:
    from aegis.report.history.collected import Collected
    from aegis.report.history.facts import History

PAGE, DOCUMENT = "index.html", "report.json"
_DAYS: Final = re.compile(r"([1-9][0-9]{0,3})d")
_KEPT: Final = datetime.timedelta(days=90)
"""How long GitHub keeps artifacts unless it is told otherwise
(https://docs.github.com/actions/managing-workflow-runs/removing-workflow-artifacts)."""


def add_command(commands: Any) -> None:
    """Add the command and its arguments."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "report", help="past verdicts as one page", allow_abbrev=False
    )
    parser.add_argument(
        "folders", nargs="*", metavar="DIR", type=Path, help="with verdict.json files, at whatever depth"
    )
    parser.add_argument(
        "--repository", metavar="OWNER/NAME", help="read its workflows' artifacts at GitHub, too (GITHUB_TOKEN)"
    )
    parser.add_argument(
        "--since",
        metavar="DAY|DURATION",
        help="YYYY-MM-DD, or e.g. 30d (default: everything in folders, 90d at GitHub)",
    )
    parser.add_argument(
        "--stale-after", metavar="DURATION", default="7d", help="a gate without a newer verdict is stale (default: 7d)"
    )
    parser.add_argument(
        "--output", metavar="DIR", type=Path, default=Path("aegis-report"),
        help=f"where {PAGE} and {DOCUMENT} go (default: aegis-report)",
    )  # fmt: skip
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Run the command. 0: everything that was found is on the page; 3: something is missing on it, which it says."""
    from aegis.report.history import folder
    from aegis.report.history.collected import Collected
    from aegis.report.history.facts import history

    now = datetime.datetime.now(datetime.UTC)
    stale_after = _span("--stale-after", arguments.stale_after)
    since = _since(arguments.since, now)
    if not arguments.folders and arguments.repository is None:
        raise _usage("neither a folder nor --repository", "one of them, or both")
    found = Collected(now=now, since=since)
    for place in arguments.folders:
        if not place.exists():
            raise _usage(f"there is no {str(place)!r}", "a folder, or a verdict.json")
        folder.collect(place, found)
    sources = [str(place) for place in arguments.folders]
    if arguments.repository is not None:
        from aegis.cli.report.repository import collect

        collect(arguments.repository, found, since or now - _KEPT, os.environ)
        sources.append(f"artifacts of {arguments.repository}")
    if not found.pasts and not found.unread:
        raise _nothing(found, sources)
    facts = history(found, stale_after)
    _write(arguments.output, facts, found, sources)
    _tell(arguments.output, facts, found)
    if not found.complete or facts.unclear:
        raise _incomplete(facts, found)
    return 0


def _write(output: Path, facts: History, found: Collected, sources: list[str]) -> None:
    from aegis.cli import files
    from aegis.report.history import document, page

    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot make {str(output)!r}: {error.strerror}",
            expected="a folder that can be written",
            remedy="Name another folder in `--output`.",
        ) from error
    files.write(output / DOCUMENT, document.render(facts, found, sources))
    files.write(output / PAGE, page.render(facts, found, sources, f"aegis {aegis.__version__}"))


def _tell(output: Path, facts: History, found: Collected) -> None:
    """The page in a few lines."""
    from aegis.report.backups import span
    from aegis.report.escape import terminal

    for state in facts.gates:
        stale = ", stale" if state.stale else ""
        age = span(state.age.total_seconds())
        observed = " (observed)" if state.newest.observe else ""
        print(terminal(f"{state.gate}: {state.newest.result}{observed} {age} ago{stale} ({state.repository})"))
    for database in facts.databases:
        age = span(database.age.total_seconds()) + " ago" if database.age is not None else "never"
        late = ", which is too long" if database.stale else ""
        print(terminal(f"backup of {database.name}: restore proven {age}{late} ({database.repository})"))
    for exemption in facts.exemptions:
        if exemption.ends_soon:
            print(terminal(f"{exemption.kind} of {exemption.rule}: ends {exemption.expires} ({exemption.repository})"))
    for note in found.notes:
        print(terminal(f"note: {note}"))
    print(terminal(f"{len(found.pasts)} verdicts: {output / PAGE}"))


def _since(given: str | None, now: datetime.datetime) -> datetime.datetime | None:
    if given is None:
        return None
    if _DAYS.fullmatch(given):
        return now - _span("--since", given)
    try:
        day = datetime.date.fromisoformat(given)
    except ValueError as error:
        raise _usage(f"--since {given[:60]!r}", "a day as YYYY-MM-DD, or a number of days as 30d") from error
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)


def _span(name: str, given: str) -> datetime.timedelta:
    found = _DAYS.fullmatch(given)
    if found is None:
        raise _usage(f"{name} {given[:60]!r}", "a number of days, e.g. 30d")
    return datetime.timedelta(days=int(found[1]))


def _incomplete(facts: History, found: Collected) -> CouldNotDecide:
    said = [f"{each.place}: {each.problem} ({each.code})" for each in found.unread[:3]] + list(facts.unclear[:3])
    count = len(found.unread) + len(facts.unclear)
    return CouldNotDecide(
        "report.incomplete",
        f"{count} could not be read, so the page lacks what they say: {'; '.join(said)[:1_000]}",
        expected="verdicts as the gates wrote them",
        remedy="Look at the section `Not read` of the page; mend or take away what it names.",
    )


def _nothing(found: Collected, sources: list[str]) -> CouldNotDecide:
    older = f" that is new enough ({found.older} are older)" if found.older else ""
    notes = f" ({'; '.join(found.notes)})" if found.notes else ""
    return CouldNotDecide(
        "report.nothing_found",
        f"no verdict{older} in {', '.join(sources)}{notes}",
        expected="at least one verdict.json",
        remedy="Name a folder with verdicts, or a repository whose workflows upload them, or an earlier --since.",
    )


def _usage(problem: str, expected: str) -> UsageError:
    return UsageError("core.wrong_usage", problem, expected=expected, remedy="Correct the argument.")
