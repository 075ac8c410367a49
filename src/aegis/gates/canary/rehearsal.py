"""A rollout that is only simulated, judged as a real one would be."""

from __future__ import annotations

from collections.abc import Iterator

from aegis.core.policy import CanaryPolicy, seconds
from aegis.gates.canary.planned import plan_of
from aegis.gates.canary.samples.sources import source_of
from aegis.gates.canary.simulated import CANARY, STABLE, Scenario, SimulatedService
from aegis.gates.canary.watching import HISTORY, Looked, Watched, look


def rehearse(policy: CanaryPolicy, scenario: Scenario) -> Iterator[Looked]:
    """Every look of a rollout that begins after half an hour of stable alone, up to the one that decides."""
    rollout, every = policy.rollout, seconds(policy.prometheus.scrape_interval)
    service = SimulatedService(
        [source_of(each, rollout) for each in policy.metrics], rollout.namespace, rollout.name, scenario
    )
    for _ in range(HISTORY // every):
        service.live(every)
        service.scrape()
    service.deploy()
    watched = Watched(
        metrics=service,
        policy=policy,
        plan=plan_of(policy, first=False),
        scope=service.scope,
        rollout=f"{rollout.namespace}/{rollout.name}: {CANARY} over {STABLE}",
    )
    looked = look(watched, None, service.now())
    scraped = asked = service.now()
    while looked.judgement.decision == "continue":
        yield looked
        due = min(scraped + every, asked + seconds(policy.interval))
        service.live(due - service.now())
        if due >= scraped + every:
            service.scrape()
            scraped = due
        if due >= asked + seconds(policy.interval):
            looked = look(watched, looked.data, due)
            asked = due
    yield looked
