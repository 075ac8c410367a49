"""What a judgement has seen so far, as a file: a job that is run again goes on, and gets no second chance.

Canonical JSON. What is read back is believed in nothing: it must be of this rollout and of this plan, and every number
must be one that counting could have made.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.typed import convert
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.tallies import Tallies
from aegis.gates.canary.tally import Tally, over
from aegis.signatures import strict_json

SCHEMA: Final = "aegis-canary-state/v1"
MAX_BYTES = 64 << 20
"""Of a state: 1,000 metrics of 20 pods are about 5 MB."""


class Point(Struct, frozen=True, forbid_unknown_fields=True):
    """Evidence at one look, logarithms."""

    time: float
    harm: float
    good: float


class Decision(Struct, frozen=True, forbid_unknown_fields=True):
    """What was decided, once and for all."""

    answer: Literal["promote", "abort", "inconclusive"]
    reason: str
    time: float
    harm: float
    good: float
    culprits: list[tuple[str, Literal["worse than stable", "over its ceiling"]]] = []


class _Saved(Struct, kw_only=True, forbid_unknown_fields=True):
    """All of it, as a file has it."""

    schema: Literal["aegis-canary-state/v1"]
    rollout: Annotated[str, Meta(min_length=1, max_length=1000)]
    """Which one: names and the canary's revision."""
    plan: Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
    """The plan's digest."""
    start: float
    """Seconds since the epoch. The deadline counts from here, however often the job is run again."""
    now: float
    """Time of the last look."""
    tallies: dict[str, Tally]
    """By the metric's name."""
    peak: float
    """The highest that the evidence against the canary has been."""
    history: list[Point]
    decision: Decision | None


@dataclass(slots=True)
class State:
    """All of it; the fields are explained where they are saved."""

    rollout: str
    plan: str
    start: float
    now: float
    tallies: Tallies
    peak: float = 0.0
    history: list[Point] = field(default_factory=list)
    decision: Decision | None = None


def begin(plan: Plan, rollout: str, start: float) -> State:
    """The state of a rollout that starts now."""
    return State(rollout, plan.digest(), start, start, Tallies(plan))


def save(state: State) -> bytes:
    """The state as canonical JSON: the same state gives the same bytes."""
    saved = _Saved(
        schema=SCHEMA,
        rollout=state.rollout,
        plan=state.plan,
        start=state.start,
        now=state.now,
        tallies={name: state.tallies[name] for name in state.tallies},
        peak=state.peak,
        history=state.history,
        decision=state.decision,
    )
    return msgspec.json.encode(saved, order="sorted") + b"\n"


def resume(plan: Plan, rollout: str, data: bytes) -> State:
    """The state that was saved. Raises CouldNotDecide.

    `canary.state_other`: of another rollout or plan; `canary.state_invalid`: what no run has written.
    """
    saved = _parsed(data)
    for name, found, expected in (
        ("rollout", saved.rollout, rollout),
        ("plan", saved.plan, plan.digest()),
    ):
        if found != expected:
            raise CouldNotDecide(
                "canary.state_other",
                f"the saved state is of the {name} {found!r:.200}",
                expected=f"the {name} {expected!r:.200}",
                remedy="give every rollout a state of its own, and do not change the policy while it is judged",
            )
    problem = _problem(saved, plan)
    if problem is not None:
        raise _invalid(problem)
    return State(
        saved.rollout,
        saved.plan,
        saved.start,
        saved.now,
        Tallies(plan, saved.tallies),
        saved.peak,
        saved.history,
        saved.decision,
    )


def _parsed(data: bytes) -> _Saved:
    try:
        document: Any = strict_json.parse(data, what="the saved state", limit=MAX_BYTES)
        return convert(document, _Saved)
    except AegisError as error:
        raise _invalid(error.problem) from error
    except msgspec.ValidationError as error:
        raise _invalid(f"the saved state is not one: {error}") from error


def _problem(state: _Saved, plan: Plan) -> str | None:
    """What counting could not have made."""
    if set(state.tallies) != {metric.name for metric in plan.metrics}:
        return f"the saved state has the metrics {sorted(state.tallies)!r:.200}, other ones than the plan"
    if state.now < state.start:
        return f"the saved state's last look {state.now} was before its start {state.start}"
    for metric in plan.metrics:
        tally, points = state.tallies[metric.name], len(over(metric).points)
        counts = (
            *tally.canary.values(), *tally.stable.values(), *tally.last.values(), *tally.born.values(),
            *tally.newest.values(),
            *tally.spread.bad.values(), *tally.spread.expected.values(), *tally.spread.open.values(),
            *tally.clustering.first.values(),
            *((tally.waiting.canary, tally.waiting.stable) if tally.waiting else ()),
        )  # fmt: skip
        flat = [number for count in counts for number in (count if isinstance(count, tuple) else (count,))]
        flat += [number for lane in tally.lanes for number in (lane.canary_bad, lane.stable_bad)]
        flat += [tally.clustering.squares, tally.clustering.variance, tally.known]
        flat += [*tally.waiting.canary_bad, *tally.waiting.stable_bad] if tally.waiting else []
        if min(flat, default=0.0) < 0:
            return f"the saved state counts {min(flat)} of the metric {metric.name!r}"
        if any(len(lane.likelihood) != points for lane in tally.lanes):
            return f"the saved state has a likelihood of other ratios for the metric {metric.name!r}"
        if tally.waiting and {len(tally.waiting.canary_bad), len(tally.waiting.stable_bad)} != {len(tally.lanes)}:
            return f"the saved state has other lanes that wait for the metric {metric.name!r}"
        if tally.size < 1 or not math.isclose(sum(part for part, _ in tally.mix), 1.0, rel_tol=1e-6):
            return f"the saved state has an impossible spread or clustering of the metric {metric.name!r}"
        if any(part < 0 or spread < 0 for part, spread in tally.mix):
            return f"the saved state has a negative spread of the metric {metric.name!r}"
    return None


def _invalid(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "canary.state_invalid",
        problem,
        expected="the state that an earlier run of the same rollout saved",
        remedy="restore the file; without it this rollout cannot go on being judged, so abort it or start another",
    )
