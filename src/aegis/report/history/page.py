"""The page of `aegis report`."""

from __future__ import annotations

import datetime
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

from aegis.report.backups import span
from aegis.report.headline import title as title_of
from aegis.report.history.collected import Collected, Past
from aegis.report.history.facts import Answer, DatabaseState, Exemption, GateState, History, RolloutState
from aegis.report.html import (
    Child,
    Html,
    Level,
    Moment,
    Row,
    Series,
    Tone,
    bullets,
    chip,
    code,
    details,
    facts,
    joined,
    line_chart,
    link,
    note,
    page,
    paragraph,
    section,
    table,
    tiles,
    timeline,
    utc,
)

_TONES: Final[dict[str, Tone]] = {"pass": "good", "fail": "bad", "error": "unknown", "not-run": "plain"}
_OUTCOMES: Final[dict[str, Tone]] = {"PASS": "good", "FAIL": "bad"}
_DECISIONS: Final[dict[str, Tone]] = {"promote": "good", "abort": "bad"}
_RUN: Final = re.compile(r"https://[A-Za-z0-9.-]+/(?P<repository>[\w.-]+/[\w.-]+)/actions/runs/(?P<number>[0-9]{1,20})")
_CHARTS: Final = 12
"""Rollouts and databases that get a picture."""
_RUNS: Final = 200
"""Verdicts in the table of all."""


def render(history: History, found: Collected, sources: Sequence[str], tool: str) -> bytes:
    """The page's bytes. `sources`: what was looked through; `tool`: name and version."""
    parts = [
        *_problems(history, found),
        _tiles(history, found),
        _gates(history),
        _backups(history),
        _artifacts(history),
        _exemptions(history),
        _rollouts(history),
        _runs(history),
        _sources(found, sources),
    ]
    subtitle = f"{len(found.pasts)} verdicts of {', '.join(history.repositories) or 'nothing'}, {_when(found.now)}"
    footer = (
        f"{tool}. Verdicts are read here, not judged again, and no signature is verified: see aegis evidence for that."
    )
    return page("Aegis: past verdicts", parts, subtitle=subtitle, footer=footer)


def _problems(history: History, found: Collected) -> Iterator[Html]:
    """What a reader must see first: that something is missing from all that follows."""
    if not found.complete:
        yield note("bad", f"{len(found.unread)} could not be read and are missing below. ", link("Which", "#not-read"))
    if history.unclear:
        yield note("bad", f"{len(history.unclear)} pieces of evidence have an unknown form and are missing below.")
        yield details("Which", bullets(history.unclear))


def _tiles(history: History, found: Collected) -> Html:
    stale = [each for each in history.gates if each.stale]
    unproven = [each for each in history.databases if each.stale]
    soon = [each for each in history.exemptions if each.ends_soon]
    ages = [each.age for each in history.databases if each.age is not None]
    return tiles(
        {
            "Gates that pass now": _count(
                sum(each.newest.result == "pass" for each in history.gates), len(history.gates)
            ),
            "Stale": chip(f"{len(stale)}", "warn" if stale else "good"),
            "Oldest proven restore": _span(max(ages)) if ages and not unproven else _unproven(history.databases),
            "Exceptions that end soon": chip(f"{len(soon)}", "warn" if soon else "good"),
            "Not read": chip(f"{len(found.unread)}", "bad" if found.unread else "good"),
        }
    )


def _count(good: int, of: int) -> Child:
    return chip(f"{good} of {of}", "plain" if not of else "good" if good == of else "bad")


def _unproven(databases: Sequence[DatabaseState]) -> Child:
    late = sum(each.stale for each in databases)
    return chip(f"{late} of {len(databases)} unproven", "bad") if databases else "no backups"


def _gates(history: History) -> Html:
    many = len(history.repositories) > 1
    rows = [
        (
            *((each.repository,) if many else ()),
            each.gate,
            _result(each.newest),
            code(each.newest.reason),
            joined(_span(each.age), " ago ", chip("stale", "warn") if each.stale else None),
            "never" if each.last_pass is None else _when(each.last_pass.past.finished),
            ", ".join(f"{count} {word}" for word, count in sorted(each.counts.items())),
            _run(each.newest.past),
        )
        for each in history.gates
    ]
    header = ("Gate", "Newest", "Reason", "Age", "Last pass", "All", "Run")
    return section(
        "Gates",
        table((*(("Repository",) if many else ()), *header), rows, empty="No verdict of any gate."),
        timeline(
            "Gates over time",
            [_row(history, state, many) for state in history.gates],
            x_label="UTC",
            x_text=utc,
        ),
    )


def _row(history: History, state: GateState, many: bool) -> Row:
    those = [
        each
        for each in reversed(history.answers)
        if (each.repository, each.gate) == (state.repository, state.gate) and each.result != "not-run"
    ]
    name = f"{state.gate} {state.repository}" if many else state.gate
    return Row(name, [Moment(each.past.finished.timestamp(), _tone(each), _words(each)) for each in those])


def _words(answer: Answer) -> str:
    source = answer.past.verdict.source
    told = [f"{answer.result}: {answer.reason}", _when(answer.past.finished), source.event, source.actor]
    return ", ".join(each for each in told if each)


def _backups(history: History) -> Html:
    rows = [
        (
            each.name if len(history.repositories) < 2 else f"{each.name} ({each.repository})",
            chip(each.outcome, _OUTCOMES.get(each.outcome, "unknown")),
            _when(each.proven) if each.proven is not None else "never",
            joined(
                f"{_span(each.age) if each.age is not None else 'unknown'} of {_span(each.limit)} ",
                chip("too old", "bad") if each.stale else chip("in time", "good"),
            ),
            f"{each.proof.tier}, {each.proof.equality}" if each.proof is not None else "nothing",
            span(each.proof.rto) if each.proof is not None else "unknown",
            _run(each.past),
        )
        for each in history.databases
    ]
    header = ("Database", "When last checked", "Last proven restore", "Its age today", "Proven", "Restore took", "Run")
    drawn = [each for each in history.databases if len(each.points) > 1][:_CHARTS]
    return section("Backups", table(header, rows, empty="No verdict of the gate backup-check."), *map(_restores, drawn))


def _restores(state: DatabaseState) -> Html:
    limits = [Level("limit (RTO)", state.rto_limit, "bad")] if state.rto_limit is not None else []
    points = [(moment.timestamp(), seconds) for moment, seconds in state.points]
    return line_chart(
        f"Restores of {state.name}",
        [Series("seconds of a restore", points)],
        x_label="UTC",
        y_label="seconds",
        levels=limits,
        x_text=utc,
    )


def _artifacts(history: History) -> Html:
    rows = [
        (
            joined(each.name, "" if each.standing else chip("not in the newest verdict", "warn")),
            joined(each.kind, f", release {each.release}" if each.release else ""),
            code(f"sha256:{each.sha256[:16]}…"),
            bullets(
                f"{signed.identity or signed.signer} ({signed.method}"
                + (f", {signed.signed_at}" if signed.signed_at else ", no proven time")
                + ")"
                for signed in each.signed_by
            ),
            each.source,
            f"{each.versions}",
            _when(each.past.finished),
        )
        for each in history.artifacts
    ]
    header = ("Artifact", "Kind", "Digest", "Signed by", "Source", "Versions", "Verified")
    return section("Models and signers", table(header, rows, empty="No artifact was verified."))


def _exemptions(history: History) -> Html:
    rows = [
        (_ends(each), each.kind, each.gate, code(each.rule), each.what, each.owner, each.reason)
        for each in history.exemptions
    ]
    header = ("Ends", "What", "Gate", "Rule", "Where", "Owner", "Why")
    return section("Exceptions", table(header, rows, empty="Nothing is let through by name."))


def _ends(each: Exemption) -> Child:
    if each.expires is None or each.left is None:
        return chip("see aegis.yml", "warn")
    when = each.expires.isoformat()
    if each.left < 0:
        return joined(when, " ", chip("ended", "bad"))
    left = "today" if each.left == 0 else f"{each.left} d"
    return joined(when, " ", chip(left, "warn" if each.ends_soon else "plain"))


def _rollouts(history: History) -> Html:
    rows = [
        (
            each.rollout.rollout,
            chip(each.rollout.decision, _DECISIONS.get(each.rollout.decision, "unknown")),
            f"{each.rollout.harm:.3g} (aborts at {each.rollout.aborts_at:.3g})",
            f"{each.rollout.good:.3g} (promotes at {each.rollout.promotes_at:.3g})",
            _when(each.past.finished),
            _run(each.past),
        )
        for each in history.rollouts
    ]
    header = ("Rollout", "Decision", "Against it (e)", "For it (e)", "When", "Run")
    drawn = [each for each in history.rollouts if len(each.looks) > 1][:_CHARTS]
    return section("Rollouts", table(header, rows, empty="No rollout was judged."), *map(_evidence, drawn))


def _evidence(state: RolloutState) -> Html:
    looks = [(look.seconds / 60, look) for look in state.looks]
    return line_chart(
        f"Evidence about {state.rollout.rollout}",
        [
            Series("against it", [(minute, look.harm) for minute, look in looks], "bad", dots=False),
            Series("for it", [(minute, look.good) for minute, look in looks], "good", dots=False),
        ],
        x_label="minutes",
        y_label="log10 of the likelihood ratio",
        levels=[
            Level("aborts", _power(state.rollout.aborts_at), "bad"),
            Level("promotes", _power(state.rollout.promotes_at), "good"),
        ],
    )


def _power(value: float) -> float:
    return math.log10(value) if value > 0 else math.nan


def _runs(history: History) -> Html:
    rows = [
        (
            _when(each.past.finished),
            each.gate if len(history.repositories) < 2 else f"{each.gate} ({each.repository})",
            _result(each),
            joined(code(each.reason), " ", title_of(each.reason)),
            each.past.verdict.source.event or "",
            each.past.verdict.source.actor or "",
            _run(each.past),
            code((each.past.verdict.source.commit or "")[:12]),
        )
        for each in history.answers[:_RUNS]
    ]
    header = ("When", "Gate", "Result", "Reason", "Event", "Actor", "Run", "Commit")
    more = len(history.answers) - _RUNS
    rest = paragraph(f"{more} older ones stand in report.json.") if more > 0 else None
    return section("All verdicts", details(f"{len(history.answers)} of them", table(header, rows), rest))


def _sources(found: Collected, sources: Sequence[str]) -> Html:
    since = found.since
    return section(
        "Not read" if found.unread else "Sources",
        table(
            ("What", "Reason", "Problem"),
            [(each.place, code(each.code), each.problem) for each in found.unread],
            empty="Everything that was found could be read.",
        ),
        facts(
            {
                "looked through": joined(bullets(sources)),
                "read": f"{len(found.pasts)}",
                "copies": f"{found.twice}" if found.twice else None,
                "older than asked for": f"{found.older}" if found.older else None,
                "since": _when(since) if since is not None else None,
            }
        ),
        bullets(found.notes) if found.notes else None,
    )


def _result(answer: Answer) -> Html:
    word = f"{answer.result}, observed" if answer.observe else answer.result
    return chip(word, _tone(answer))


def _tone(answer: Answer) -> Tone:
    """What was only observed is no pass and no fail."""
    return "warn" if answer.observe else _TONES.get(answer.result, "unknown")


def _run(past: Past) -> Child:
    """A link to the run, where the address is one of this very repository."""
    source = past.verdict.source
    if source.run_url is None or source.repository is None:
        return None
    found = _RUN.fullmatch(source.run_url)
    if found is None or found["repository"].lower() != source.repository.lower():
        return None
    return link(f"run {found['number']}", source.run_url)


def _span(length: datetime.timedelta) -> str:
    return span(length.total_seconds())


def _when(moment: datetime.datetime) -> str:
    return f"{moment.astimezone(datetime.UTC):%Y-%m-%d %H:%M} UTC"
