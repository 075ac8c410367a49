"""The canary judge beside other ways to decide: `python benchmarks/canary.py [--runs N] [--metrics N]`.

Simulated rollouts, a look each 10 s for one hour, 1 % of false aborts asked for. The same counts are put to all:

- `threshold`: success below 99 % in five windows of a minute, as progressive-delivery tools are usually configured
- `z, each look`: a one-sided z-test of two proportions at 1 %, repeated at each look
- `Pocock`: the same test at a constant bound that is right for 360 looks at normal values (Pocock 1977)
- `mSPRT`: mixture sequential probability ratio test with a normal approximation (Johari, Pekelis & Walsh 2015)
- `Mann-Whitney`: of rates of a minute, from five minutes on, each minute at 1 % (as automated canary analysis does)
- `oracle`: the sequential test that is told the true ratio (Wald 1945); nothing can be much faster
- `aegis, known`: this judge, told that pods are alike and events independent
- `aegis`: this judge as it comes, which learns both from stable pods and their last 30 minutes

First how often each aborts a good canary, then the mean seconds until a bad one is aborted (an hour where it is not),
and in how many rollouts it is. At the end the judge's own CPU. Times depend on the machine, the rest does not.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import numpy as np  # noqa: E402 - the path comes first
import numpy.typing as npt  # noqa: E402
from scipy.stats import mannwhitneyu, norm  # noqa: E402

from aegis.gates.canary.increment import Increment  # noqa: E402
from aegis.gates.canary.judge import look  # noqa: E402
from aegis.gates.canary.plan import MetricPlan, Plan  # noqa: E402
from aegis.gates.canary.state import begin  # noqa: E402
from tests.support.canary.rollouts import START, Scrape, World, fates, looks, never_promoting, plan  # noqa: E402

ALPHA, LOOKS, INTERVAL, HISTORY = 0.01, 360, 10.0, 180
Array = npt.NDArray[np.float64]

WORLDS: Mapping[str, World] = {
    "good": World(),
    "good, rare": World(rate=0.001),
    "good, half": World(share=0.5),
    "incidents": World(incidents=True),
    "pods differ": World(requests=500.0, share=0.2, spread=0.2),
    "clusters": World(cluster=4),
    "2 times": World(ratio=2.0),
    "5 times": World(ratio=5.0),
    "10 times": World(ratio=10.0),
}
"""100 requests a second, 5 % to the canary, 0.5 % bad, if nothing else is said (tests/support/canary/rollouts.py)."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What each look adds, without the history."""

    canary: Array
    stable: Array
    canary_bad: Array
    stable_bad: Array

    def rates(self) -> tuple[Array, Array, Array, Array]:
        """Both rates, the pooled one, and the sum of the exposures' inverses, of everything up to each look."""
        exposure = np.maximum(np.cumsum(self.canary), 1), np.maximum(np.cumsum(self.stable), 1)
        bad = np.cumsum(self.canary_bad), np.cumsum(self.stable_bad)
        pooled = (bad[0] + bad[1]) / (exposure[0] + exposure[1])
        return bad[0] / exposure[0], bad[1] / exposure[1], pooled, 1 / exposure[0] + 1 / exposure[1]


def first(wrong: npt.NDArray[np.bool_], every: int = 1) -> float:
    """Seconds until the first look that aborts; infinite if none does."""
    return float((np.argmax(wrong) + 1) * INTERVAL * every) if wrong.any() else math.inf


def minutes(values: Array) -> Array:
    return np.asarray(values.reshape(-1, 6).sum(axis=1))


def threshold(counts: Counts, _: World) -> float:
    failed = minutes(counts.canary_bad) / np.maximum(minutes(counts.canary), 1) > 0.01
    return first(np.cumsum(failed) >= 5, 6)


def z_values(counts: Counts) -> Array:
    canary, stable, pooled, inverse = counts.rates()
    return np.asarray((canary - stable) / np.sqrt(np.maximum(pooled * (1 - pooled), 1e-12) * inverse))


def z_test(counts: Counts, _: World) -> float:
    return first(z_values(counts) > norm.isf(ALPHA))


def pocock_bound() -> float:
    paths = np.random.default_rng(1).standard_normal((20_000, LOOKS)).cumsum(axis=1)
    return float(np.quantile((paths / np.sqrt(np.arange(1, LOOKS + 1))).max(axis=1), 1 - ALPHA))


BOUND = pocock_bound()


def pocock(counts: Counts, _: World) -> float:
    return first(z_values(counts) > BOUND)


def msprt(counts: Counts, world: World) -> float:
    canary, stable, pooled, inverse = counts.rates()
    variance = np.maximum(pooled * (1 - pooled), 1e-12) * inverse
    scale, difference = world.rate**2, canary - stable
    evidence = 0.5 * np.log(variance / (variance + scale))
    evidence += scale * difference**2 / (2 * variance * (variance + scale))
    return first((evidence > -math.log(ALPHA)) & (difference > 0))


def mann_whitney(counts: Counts, _: World) -> float:
    canary = minutes(counts.canary_bad) / np.maximum(minutes(counts.canary), 1)
    stable = minutes(counts.stable_bad) / np.maximum(minutes(counts.stable), 1)
    for minute in range(5, len(canary) + 1):
        if mannwhitneyu(canary[:minute], stable[:minute], alternative="greater").pvalue < ALPHA:
            return minute * 60.0
    return math.inf


def oracle(counts: Counts, world: World) -> float:
    if world.ratio == 1:
        return math.nan
    share = counts.canary / np.maximum(counts.canary + counts.stable, 1)
    steps = counts.canary_bad * math.log(world.ratio)
    steps = steps - (counts.canary_bad + counts.stable_bad) * np.log1p(share * (world.ratio - 1))
    return first(np.cumsum(steps) >= -math.log(ALPHA))


PEERS: Mapping[str, Callable[[Counts, World], float]] = {
    "threshold": threshold,
    "z, each look": z_test,
    "Pocock": pocock,
    "mSPRT": msprt,
    "Mann-Whitney": mann_whitney,
    "oracle": oracle,
}
OURS: Mapping[str, Plan] = {
    "aegis, known": never_promoting(plan(ALPHA)),
    "aegis": never_promoting(plan(ALPHA, spread=None, cluster=None)),
}


def ours(asked: Plan, rollouts: Sequence[Sequence[Scrape]]) -> list[float]:
    ended = fates(asked, zip(*rollouts, strict=True), len(rollouts), LOOKS)
    return [fate.seconds if fate.decision == "abort" else math.inf for fate in ended]


def rollout(rng: np.random.Generator, world: World) -> tuple[Counts, list[Scrape]]:
    """The same rollout as sums a look, and as increments with the history in the first look."""
    counts = np.zeros((4, LOOKS))
    scrapes: list[Scrape] = []
    history: list[Increment] = []
    for now, increments in looks(rng, replace(world, history=HISTORY), LOOKS):
        if now <= START:
            history += increments
            continue
        for one in increments:
            row = 0 if one.side == "canary" else 1
            counts[row, len(scrapes)] += one.exposure
            counts[row + 2, len(scrapes)] += one.bad[0]
        scrapes.append((now, [*history, *increments]))
        history = []
    return Counts(*counts), scrapes


def table(runs: int) -> None:
    print(f"| {runs} rollouts | " + " | ".join([*PEERS, *OURS]) + " |")
    print("|---" * (1 + len(PEERS) + len(OURS)) + "|")
    for name, world in WORLDS.items():
        rng = np.random.default_rng(7)
        ended: dict[str, list[float]] = {method: [] for method in (*PEERS, *OURS)}
        rollouts: list[list[Scrape]] = []
        for _ in range(runs):
            counts, scrapes = rollout(rng, world)
            rollouts.append(scrapes)
            for method, decide in PEERS.items():
                ended[method].append(decide(counts, world))
        for method, asked in OURS.items():
            ended[method] = ours(asked, rollouts)
        print(f"| {name} | " + " | ".join(cell(times, world) for times in ended.values()) + " |", flush=True)


def cell(times: list[float], world: World) -> str:
    if any(math.isnan(seconds) for seconds in times):
        return "-"
    found = sum(math.isfinite(seconds) for seconds in times) / len(times)
    if world.ratio == 1:
        return f"{found:.1%}"
    return f"{sum(min(seconds, 3_600.0) for seconds in times) / len(times):.0f} s ({found:.0%})"


def cpu(metrics: int, pods: int) -> None:
    """An hour of looks at so many metrics, of one canary pod and `pods - 1` stable ones. Sampling is not counted."""
    asked = Plan(metrics=tuple(MetricPlan(name=f"m{number}") for number in range(metrics)), alpha=1e-200, beta=1e-200)
    state, spent = begin(asked, "benchmark", START), 0.0
    rng = np.random.default_rng(8)
    for now, increments in looks(rng, World(pods=(1, pods - 1)), LOOKS):
        several = [replace(one, metric=metric.name) for metric in asked.metrics for one in increments]
        before = time.process_time()
        look(state, asked, several, now)
        spent += time.process_time() - before
    each = spent / LOOKS / metrics * 1e6
    print(f"{metrics} metrics of {pods} pods, {LOOKS} looks: {spent:.1f} s CPU, {each:.0f} µs a metric and look")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=200, help="rollouts a row")
    parser.add_argument("--metrics", type=int, default=1_000, help="metrics of the CPU measurement")
    arguments = parser.parse_args()
    table(arguments.runs)
    for pods in (2, 5):
        cpu(arguments.metrics, pods)


if __name__ == "__main__":
    main()
