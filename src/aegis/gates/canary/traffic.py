"""What a service's counters have shown of late: the traffic that a forecast needs, from Prometheus itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import CanaryPolicy, seconds
from aegis.core.ports.metrics import Metrics
from aegis.gates.canary.forecast import Traffic
from aegis.gates.canary.increment import Increment
from aegis.gates.canary.samples.look import SETTLED, look
from aegis.gates.canary.samples.sides import Hashes, Scope
from aegis.gates.canary.samples.sources import source_of, starts_of
from aegis.gates.canary.samples.state import Counters
from aegis.gates.canary.watching import HISTORY

_UNSEEN_BAD = 0.5
"""Bad events where none was seen: a rate of none would say that none can ever be (Krichevsky and Trofimov, 1981)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One metric of the version that runs, all its pods together."""

    exposure: float
    """A second: requests; or pods, where events are counted over time."""
    bad: float
    """Events that were seen."""
    rate: float
    """Bad events per exposure."""
    seconds: float
    """Of the past that were counted."""
    pods: int
    """That were scraped of late."""

    def traffic(self, share: float, *, timed: bool) -> Traffic:
        """As it would be with so much of it at a canary, and as much of the pods.

        `timed`: exposure is the pods' time, whatever their requests.
        """
        canary_pods = max(1, round(self.pods * share))
        stable_pods = max(1, self.pods - canary_pods)
        return Traffic(
            canary=canary_pods if timed else self.exposure * share,
            stable=stable_pods if timed else self.exposure * (1 - share),
            rate=self.rate,
            canary_pods=canary_pods,
            stable_pods=stable_pods,
        )


def seen(metrics: Metrics, policy: CanaryPolicy, version: str) -> Mapping[str, Seen]:
    """Each metric of the policy, by its name. `version`: the pod template's hash of the pods that run.

    Raises CouldNotDecide `canary.no_data` for a metric that has no samples, and what `look` raises.
    """
    every = seconds(policy.prometheus.scrape_interval)
    # the only version is looked at as a first one: nothing is compared
    scope = Scope(policy.rollout.namespace, Hashes(policy.rollout.name, version, None))
    sources = [source_of(each, policy.rollout) for each in policy.metrics]
    reading = look(
        metrics, sources, starts_of(policy.rollout), scope, Counters(), scrape_interval=every, history=HISTORY
    )
    found: dict[str, Seen] = {}
    for source in sources:
        increments = [each for each in reading.increments if each.metric == source.metric]
        told = _sum(increments, every)
        if told is None:
            raise CouldNotDecide(
                "canary.no_data",
                f"Prometheus has no traffic in {source.metric} of the pods of {version[:80]!r}",
                expected=f"counters of its pods that grew within the last {HISTORY // 60} minutes",
                remedy="Name the hash of the version that runs, or say the traffic by --requests and --rate.",
            )
        found[source.metric] = told
    return found


def _sum(increments: list[Increment], every: int) -> Seen | None:
    """None: nothing has happened."""
    exposure = sum(each.exposure for each in increments)
    if not exposure:
        return None
    first, last = increments[0].time, increments[-1].time
    # the first increment of a pod has grown since the scrape before it
    span = last - first + every
    bad = sum(each.bad[0] for each in increments)
    return Seen(
        exposure=exposure / span,
        bad=bad,
        rate=(bad or _UNSEEN_BAD) / exposure,
        seconds=span,
        pods=len({each.pod for each in increments if each.time >= last - SETTLED * every}),
    )
