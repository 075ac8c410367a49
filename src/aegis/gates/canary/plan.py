"""What a rollout is judged by: the policy's canary section as numbers, checked against each other."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Literal

from aegis.core.errors import UsageError

Kind = Literal["events", "latency", "pace", "share"]
"""Bad ones among events; requests above the edges of a histogram; bad events over time (restarts); or how many
requests the canary gets."""
Direction = Literal["increase", "decrease", "either"]
Undecided = Literal["hold", "abort"]
MOST_STEPS = 20
"""Each of them asks for twice the evidence of the one before."""
MOST_WINDOWS = 240
"""Of a ceiling in a rollout; what one of them needs more than a single one is the logarithm of their number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricPlan:
    """How one metric is judged."""

    name: str
    kind: Kind = "events"
    direction: Direction = "increase"
    """Which way is worse."""
    weight: float = 1.0
    """In the average of evidence that aborts."""
    critical: bool = True
    """Whether a promotion needs evidence from it."""
    tolerated: float = 1.0
    """The ratio of canary to stable that nobody minds (for `decrease`, of stable to canary)."""
    margin: float = 2.0
    """The ratio that a promotion must exclude."""
    floor: float = 0.0
    """The rate below which nobody minds, whatever the ratio."""
    ceiling: float | None = None
    """The rate above which the canary is aborted, whatever stable does."""
    window: float | None = None
    """Seconds: the ceiling is judged anew each time, so that what was good for long does not hide what is bad now."""
    spread: float | None = None
    """How much pods differ by chance (standard deviation of the logarithm of rates). None: estimated."""
    cluster: float | None = None
    """How many bad events come at once. None: estimated."""

    def __post_init__(self) -> None:
        """Raise UsageError `canary.plan_invalid` where two values contradict each other."""
        one_way = self.direction == "increase"
        for wrong, problem, expected in (
            (not 0 < self.tolerated < self.margin, f"tolerated ratio {self.tolerated}", f"below margin {self.margin}"),
            (not 1 < self.margin < math.inf, f"margin {self.margin}", "more than 1"),
            (not 0 < self.weight < math.inf, f"weight {self.weight}", "more than 0"),
            (not 0 <= self.floor < math.inf, f"floor {self.floor}", "0 or more"),
            (bool(self.floor) and not one_way, f"floor {self.floor}", "none where fewer events are worse"),
            (self.ceiling is not None and not one_way, f"ceiling {self.ceiling}", "none where fewer events are worse"),
            (
                self.ceiling is not None and not max(self.floor, 0.0) < self.ceiling < math.inf,
                f"ceiling {self.ceiling}",
                f"more than the floor {self.floor}",
            ),
            (
                self.window is not None and (self.ceiling is None or not 0 < self.window < math.inf),
                f"ceiling window of {self.window} s",
                "a ceiling with it, and more than 0 seconds",
            ),
            (self.spread is not None and not 0 <= self.spread < math.inf, f"spread {self.spread}", "0 or more"),
            (self.cluster is not None and not 1 <= self.cluster < math.inf, f"cluster {self.cluster}", "1 or more"),
            (self.kind == "share" and self.critical, "a critical share of traffic", "evidence against a canary only"),
        ):
            if wrong:
                raise _invalid(f"metric {self.name!r} has a {problem}", expected)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How a rollout is judged."""

    metrics: tuple[MetricPlan, ...]
    alpha: float = 0.01
    """How often a good canary may be aborted, however often it is looked at."""
    beta: float = 0.05
    """How often a canary that is `margin` times as bad may be promoted."""
    steps: int = 0
    """Endless pauses that are ended one by one, the last one by the promotion; 0: one promotion ends all of them."""
    interval: float = 10.0
    """Seconds from look to look: increments of one interval are counted together."""
    warm_up: float = 0.0
    """Seconds of each new pod that are left out; restarts count from the first second."""
    deadline: float = 3600.0
    """Seconds after the start when it must be decided."""
    at_deadline: Undecided = "hold"
    no_data: Undecided = "hold"
    """What is done when a side gives no samples; never a promotion."""
    no_data_after: float = 60.0
    """Seconds without samples."""
    min_bad_events: int = 3
    """Of the canary, before a metric says anything against it."""
    first: bool = False
    """There is no stable side: only ceilings judge."""
    question: str = ""
    """What is counted, and where it is read: evidence about something else is not gone on with."""

    def __post_init__(self) -> None:
        """Raise UsageError `canary.plan_invalid` for what could only ever decide by accident, or never."""
        names = [metric.name for metric in self.metrics]
        doubled = sorted({name for name in names if names.count(name) > 1})
        narrow = [each.window for each in self.metrics if each.window and self.deadline / each.window > MOST_WINDOWS]
        deciding = [metric for metric in self.metrics if metric.critical and (metric.ceiling or not self.first)]
        for wrong, problem, expected in (
            (not names, "no metric", "at least one"),
            (bool(doubled), f"the metric {doubled[:1]} twice", "names that differ"),
            (not 0 < self.alpha < 1, f"alpha {self.alpha}", "between 0 and 1"),
            (not 0 < self.beta < 1, f"beta {self.beta}", "between 0 and 1"),
            (not 0 <= self.steps <= MOST_STEPS, f"{self.steps} steps", f"at most {MOST_STEPS}"),
            (
                bool(narrow),
                f"a ceiling window of {min(narrow, default=0.0)} s",
                f"{MOST_WINDOWS} in the deadline at most",
            ),
            (not 0 < self.interval < math.inf, f"interval {self.interval}", "more than 0 seconds"),
            (not 0 <= self.warm_up < self.deadline, f"warm-up of {self.warm_up} s", "shorter than the deadline"),
            (not 0 < self.deadline < math.inf, f"deadline of {self.deadline} s", "more than 0 seconds"),
            (not 0 < self.no_data_after < math.inf, f"no-data after {self.no_data_after} s", "more than 0 seconds"),
            (self.min_bad_events < 1, f"min-bad-events {self.min_bad_events}", "1 or more"),
            (
                bool(names) and not deciding,
                "no metric that could promote" + (" a first version" if self.first else ""),
                "a critical one with a ceiling" if self.first else "a critical one",
            ),
        ):
            if wrong:
                raise _invalid(f"the plan has {problem}", expected)

    def bound(self, step: int) -> float:
        """The evidence (a logarithm) that ends an endless pause, the first one being 1; 0: all of them at once.

        Each needs twice that of the one before, the first one 2/beta: so all of them together are ended in error with a
        probability of less than beta, and the more of the traffic is at stake, the more must be known.
        """
        return step * math.log(2) - math.log(self.beta)

    @property
    def promotes_at(self) -> float:
        """The evidence (a logarithm) that promotes."""
        return self.bound(self.steps)

    def windows(self, seconds: float) -> int:
        """How often a ceiling's window begins until the deadline."""
        return max(1, math.ceil(self.deadline / seconds))

    def digest(self) -> str:
        """SHA-256 (hex) of all of it: a state belongs to one plan."""
        text = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def _invalid(problem: str, expected: str) -> UsageError:
    return UsageError(
        "canary.plan_invalid", problem, expected=expected, remedy="correct the section `canary` of the policy file"
    )
