"""What past verdicts say together. Nothing is guessed: what no verdict says is unknown, and the newest one counts."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import msgspec

from aegis.core.policy import GateName
from aegis.core.verdict import Verdict
from aegis.core.waivers import WARN_DAYS
from aegis.report.history.collected import Collected, Past
from aegis.report.history.shapes import (
    Artifact,
    Database,
    Exempt,
    Look,
    Part,
    Point,
    Proof,
    Rollout,
    SignedBy,
    convert,
    evidence,
)

WHOLE: Final = "all"
"""The gate of a verdict over several."""
UNKNOWN: Final = "(unknown)"
"""The repository of a run on a laptop."""
_GATES: Final = frozenset(get_args(GateName))


@dataclass(frozen=True, slots=True)
class Answer:
    """What one gate said once."""

    repository: str
    gate: str
    result: str
    """Of the verdict; `not-run` where a verdict over all gates says so."""
    reason: str
    decision: str
    observe: bool
    past: Past


@dataclass(frozen=True, slots=True)
class GateState:
    """One gate of one repository."""

    repository: str
    gate: str
    newest: Answer
    last_pass: Answer | None
    counts: dict[str, int]
    """By result; what was only observed counts as `observed`."""
    age: datetime.timedelta
    stale: bool
    """The newest is older than asked for."""


@dataclass(frozen=True, slots=True)
class DatabaseState:
    """One database of one repository."""

    repository: str
    name: str
    outcome: str
    """When last looked at."""
    proof: Proof | None
    """The newest of all verdicts."""
    proven: datetime.datetime | None
    """When the restore was proven."""
    age: datetime.timedelta | None
    limit: datetime.timedelta
    stale: bool
    """Nothing is proven, or longer ago than the policy allows, today."""
    rto_limit: float | None
    points: tuple[tuple[datetime.datetime, float], ...]
    """When restores ended and the seconds that they took, oldest first; of the newest verdict's tier."""
    past: Past


@dataclass(frozen=True, slots=True)
class ArtifactState:
    """One artifact that a verify gate let pass, as the newest such verdict has it."""

    repository: str
    name: str
    kind: str
    source: str
    sha256: str
    release: str | None
    signed_by: tuple[SignedBy, ...]
    versions: int
    """Different digests over all verdicts."""
    standing: bool
    """Whether the gate's newest verdict still has it."""
    past: Past


@dataclass(frozen=True, slots=True)
class Exemption:
    """What is let through for a time, as the newest verdict of its gate has it."""

    repository: str
    kind: Literal["waiver", "suppression", "observe"]
    gate: str
    rule: str
    what: str
    owner: str
    reason: str
    expires: datetime.date | None
    """The last day; unknown of `mode: observe`, which a verdict does not name."""
    left: int | None
    """Days; below zero: it has ended."""

    @property
    def ends_soon(self) -> bool:
        """Within the days in which the gates warn, or already over."""
        return self.left is not None and self.left <= WARN_DAYS


@dataclass(frozen=True, slots=True)
class RolloutState:
    """One rollout at its newest verdict."""

    repository: str
    rollout: Rollout
    looks: tuple[Look, ...]
    past: Past


@dataclass(frozen=True, slots=True)
class History:
    """Everything that the page shows."""

    answers: tuple[Answer, ...]
    """Newest first."""
    gates: tuple[GateState, ...]
    databases: tuple[DatabaseState, ...]
    artifacts: tuple[ArtifactState, ...]
    exemptions: tuple[Exemption, ...]
    """Those that end first, first."""
    rollouts: tuple[RolloutState, ...]
    """Newest first."""
    unclear: tuple[str, ...]
    """Evidence that has another form than its gate writes."""

    @property
    def repositories(self) -> tuple[str, ...]:
        """In the order of their names."""
        return tuple(sorted({each.repository for each in self.answers}))


def history(found: Collected, stale_after: datetime.timedelta) -> History:
    """The facts. `stale_after`: how old a gate's newest verdict may be."""
    pasts = list(found.newest_first())
    unclear: list[str] = []
    answers = tuple(_answers(pasts))
    gates = tuple(_gates(answers, found.now, stale_after))
    return History(
        answers=answers,
        gates=gates,
        databases=tuple(_databases(pasts, found.now, unclear)),
        artifacts=tuple(_artifacts(pasts, unclear)),
        exemptions=tuple(_exemptions(gates, found.now.date())),
        rollouts=tuple(_rollouts(pasts, unclear)),
        unclear=tuple(unclear),
    )


def repository_of(verdict: Verdict) -> str:
    """For people; a laptop's run may not know it."""
    return verdict.source.repository or UNKNOWN


def _answers(pasts: Sequence[Past]) -> Iterator[Answer]:
    """Every gate's answers; what a verdict over all gates says of one counts where that one's own is not there."""
    own = {(past.verdict.gate, *run) for past in pasts if (run := _run(past.verdict)) is not None}
    for past in pasts:
        verdict = past.verdict
        if verdict.gate != WHOLE:
            yield _answer(past, verdict.gate, verdict.result, verdict.reason, verdict.decision)
            continue
        for each in verdict.evidence:
            part = convert(each.value, Part) if each.name in _GATES else None
            run = _run(verdict)
            if part is not None and (run is None or (each.name, *run) not in own):
                yield _answer(past, each.name, part.result, part.reason, part.decision)


def _run(verdict: Verdict) -> tuple[str, int | None] | None:
    source = verdict.source
    return (source.run_url, source.run_attempt) if source.run_url is not None else None


def _answer(past: Past, gate: str, result: str, reason: str, decision: str) -> Answer:
    verdict = past.verdict
    return Answer(repository_of(verdict), gate, result, reason, decision, verdict.observe, past)


def _gates(answers: Sequence[Answer], now: datetime.datetime, stale_after: datetime.timedelta) -> Iterator[GateState]:
    judged: dict[tuple[str, str], list[Answer]] = {}
    for each in answers:
        if each.result != "not-run":
            judged.setdefault((each.repository, each.gate), []).append(each)
    for (repository, gate), those in sorted(judged.items()):
        counts: dict[str, int] = {}
        for each in those:
            word = "observed" if each.observe else each.result
            counts[word] = counts.get(word, 0) + 1
        age = max(now - those[0].past.finished, datetime.timedelta())
        passed = next((each for each in those if each.result == "pass"), None)
        yield GateState(repository, gate, those[0], passed, counts, age, age > stale_after)


def _databases(pasts: Sequence[Past], now: datetime.datetime, unclear: list[str]) -> Iterator[DatabaseState]:
    seen: dict[tuple[str, str], list[tuple[Past, Database]]] = {}
    for past in pasts:
        for database in _evidence(past, "databases", list[Database], unclear) or ():
            seen.setdefault((repository_of(past.verdict), database.name), []).append((past, database))
    for (repository, name), those in sorted(seen.items()):
        newest_past, newest = those[0]
        proofs = [
            (past.finished - datetime.timedelta(seconds=each.proof.age), each.proof)
            for past, each in those
            if each.proof is not None and each.proof.age is not None and 0 <= each.proof.age < _LONGEST
        ]
        proven, proof = max(proofs, key=lambda pair: pair[0], default=(None, None))
        age = max(now - proven, datetime.timedelta()) if proven is not None else None
        limit = datetime.timedelta(seconds=min(max(newest.proof_limit, 0.0), _LONGEST))
        yield DatabaseState(
            repository=repository,
            name=name,
            outcome=newest.outcome,
            proof=proof,
            proven=proven,
            age=age,
            limit=limit,
            stale=age is None or age > limit,
            rto_limit=newest.rto_limit,
            points=_points(those),
            past=newest_past,
        )


_LONGEST: Final = 100 * 365 * 86400.0
"""Seconds: an age or a limit beyond it is a mistake, and no date could hold some of them."""


def _points(those: Sequence[tuple[Past, Database]]) -> tuple[tuple[datetime.datetime, float], ...]:
    """Restores of one tier, each once, whichever verdict it stands in."""
    trends = [each.trend for _, each in those if each.trend is not None]
    every = [point for trend in trends if trend.tier == trends[0].tier for point in trend.points]
    known = {moment: point.rto for point in every if (moment := _moment(point)) is not None}
    return tuple(sorted(known.items()))


def _moment(point: Point) -> datetime.datetime | None:
    try:
        moment = datetime.datetime.fromisoformat(point.finished)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _artifacts(pasts: Sequence[Past], unclear: list[str]) -> Iterator[ArtifactState]:
    seen: dict[tuple[str, str], list[tuple[Past, Artifact]]] = {}
    newest: dict[str, Past] = {}
    for past in pasts:
        if past.verdict.gate == "verify":
            newest.setdefault(repository_of(past.verdict), past)
            for artifact in _evidence(past, "artifacts", list[Artifact], unclear) or ():
                seen.setdefault((repository_of(past.verdict), artifact.name), []).append((past, artifact))
    for (repository, name), those in sorted(seen.items()):
        past, artifact = those[0]
        yield ArtifactState(
            repository=repository,
            name=name,
            kind=artifact.kind,
            source=artifact.source,
            sha256=artifact.sha256,
            release=artifact.release,
            signed_by=tuple(artifact.signed_by),
            versions=len({each.sha256 for _, each in those}),
            standing=past is newest[repository],
            past=past,
        )


def _exemptions(gates: Sequence[GateState], today: datetime.date) -> Iterator[Exemption]:
    """Of each gate's newest verdict; what an older one let through may be gone."""
    found = [each for state in gates for each in _exempted(state, today)]
    yield from sorted(
        found, key=lambda each: (each.expires or datetime.date.max, each.repository, each.gate, each.rule)
    )


def _exempted(state: GateState, today: datetime.date) -> Iterator[Exemption]:
    verdict, gate = state.newest.past.verdict, state.gate
    whole = verdict.gate == WHOLE
    for waiver in verdict.waivers:
        # a verdict over all gates has them all; a waiver's rule says whose it is
        if not whole or waiver.rule.partition(".")[0].replace("_", "-") in {gate, "core"}:
            what = f"one finding ({waiver.fingerprint[:12]})"
            yield _exemption(state, "waiver", waiver.rule, what, waiver.owner, waiver.reason, waiver.expires, today)
    effective: Any = verdict.policy.effective
    section = effective.get(gate) if whole else effective
    listed = section.get("suppressions") if gate == "scan" and isinstance(section, dict) else None
    for each in listed if isinstance(listed, list) else ():
        exempt = convert(each, Exempt)
        if exempt is not None:
            owner, reason = exempt.owner, exempt.reason
            yield _exemption(state, "suppression", exempt.rule, exempt.path, owner, reason, exempt.expires, today)
    if state.newest.observe:
        yield _exemption(state, "observe", "mode: observe", "every finding of the gate", "", "", "", today)


def _exemption(
    state: GateState,
    kind: Literal["waiver", "suppression", "observe"],
    rule: str,
    what: str,
    owner: str,
    reason: str,
    expires: str,
    today: datetime.date,
) -> Exemption:
    day = _day(expires)
    left = (day - today).days if day is not None else None
    return Exemption(state.repository, kind, state.gate, rule, what, owner, reason, day, left)


def _day(text: str) -> datetime.date | None:
    try:
        return datetime.date.fromisoformat(text)
    except ValueError:
        return None


def _rollouts(pasts: Sequence[Past], unclear: list[str]) -> Iterator[RolloutState]:
    seen: set[tuple[str, str]] = set()
    for past in pasts:
        rollout = _evidence(past, "canary", Rollout, unclear) if past.verdict.gate == "canary" else None
        key = (repository_of(past.verdict), rollout.rollout) if rollout is not None else None
        if rollout is not None and key is not None and key not in seen:
            seen.add(key)
            looks = _evidence(past, "looks", list[Look], unclear) or ()
            yield RolloutState(key[0], rollout, tuple(looks), past)


def _evidence(past: Past, name: str, kind: Any, unclear: list[str]) -> Any:
    try:
        return evidence(past.verdict, name, kind)
    except msgspec.ValidationError as error:
        unclear.append(f"{past.place}: the evidence {name!r}: {str(error)[:200]}")
        return None
