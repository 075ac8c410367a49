"""One look at a rollout: from what was kept to a judgement and what is to be kept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import CanaryPolicy, seconds
from aegis.core.ports.metrics import Metrics
from aegis.gates.canary import judge
from aegis.gates.canary.judge import Judgement
from aegis.gates.canary.kept import Kept, dump, load
from aegis.gates.canary.plan import Plan
from aegis.gates.canary.samples.look import Reading
from aegis.gates.canary.samples.look import look as read
from aegis.gates.canary.samples.sides import Scope
from aegis.gates.canary.samples.sources import source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from aegis.gates.canary.state import State, begin

HISTORY: Final = 1800
"""Seconds before the first look that are read: what they say of pods and clusters need not be learned meanwhile."""
_TOLD: Final = 10
"""Pods that are named as not countable; of more their number is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watched:
    """What is looked at, and by what it is judged."""

    metrics: Metrics
    policy: CanaryPolicy
    plan: Plan
    scope: Scope
    rollout: str
    """Names and versions: whose the state is."""
    weight: float | None = None
    """The canary's share of traffic by configuration, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found."""

    judgement: Judgement
    state: State
    data: bytes
    """To be kept for the next look."""
    notices: tuple[str, ...] = ()
    fault: CouldNotDecide | None = None
    """Why nothing could be read. Time goes on nevertheless: towards the deadline, and towards no data."""


def look(watched: Watched, data: bytes | None, now: float) -> Looked:
    """Look once. `data`: what the look before kept, None at the first. `now`: Unix seconds of this machine.

    A decision stands: where there is one, nothing is read. Raises CouldNotDecide where `data` can't be gone on with.
    """
    kept = None if data is None else load(watched.plan, watched.rollout, data)
    if kept is not None and kept.state.decision is not None and data is not None:
        return Looked(judge.look(kept.state, watched.plan, (), kept.state.now), kept.state, data)
    counters = Counters() if kept is None else kept.counters
    try:
        reading = _read(watched, counters)
        state = begin(watched.plan, watched.rollout, reading.time) if kept is None else kept.state
        judgement = judge.look(
            state, watched.plan, reading.increments, reading.time, watched.weight, blind=reading.blind
        )
    except CouldNotDecide as error:
        return _unseen(watched, data, now, error)
    return Looked(judgement, state, dump(Kept(now, counters, state)), _notices(reading))


def decided(watched: Watched, data: bytes | None) -> tuple[str, float] | None:
    """What a look that kept `data` has decided, and when by this machine's clock; None: nothing yet.

    Raises CouldNotDecide as `look` does.
    """
    kept = None if data is None else load(watched.plan, watched.rollout, data)
    return None if kept is None or kept.state.decision is None else (kept.state.decision.answer, kept.looked)


def _read(watched: Watched, counters: Counters) -> Reading:
    policy = watched.policy
    return read(
        watched.metrics,
        [source_of(each, policy.rollout) for each in policy.metrics],
        starts_of(policy.rollout),
        watched.scope,
        counters,
        scrape_interval=seconds(policy.prometheus.scrape_interval),
        history=HISTORY,
    )


def _unseen(watched: Watched, data: bytes | None, now: float, fault: CouldNotDecide) -> Looked:
    """A look at which nothing could be read; from what was kept, since counting may have begun."""
    if data is None:
        kept = Kept(now, Counters(), begin(watched.plan, watched.rollout, now))
    else:
        kept = load(watched.plan, watched.rollout, data)
    time = kept.state.now + max(0.0, now - kept.looked)
    judgement = judge.look(kept.state, watched.plan, (), time, watched.weight, blind=True)
    return Looked(judgement, kept.state, dump(Kept(now, kept.counters, kept.state)), fault=fault)


def _notices(reading: Reading) -> tuple[str, ...]:
    told = [f"{pod} (canary) could not be scraped: nothing is promoted by the others" for pod in reading.out_of_reach]
    told += [f"{each.metric}: {each.pod} ({each.side}) could not be counted: {each.why}" for each in reading.unusable]
    rest = [f"and {len(told) - _TOLD} more that could not be counted"] if len(told) > _TOLD else []
    return (*told[:_TOLD], *rest, *reading.notices)
