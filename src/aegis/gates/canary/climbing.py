"""A ramp that evidence controls: an endless pause ends as soon as enough is known for the next share of the traffic."""

from __future__ import annotations

from aegis.core.ports.rollouts import RolloutState
from aegis.gates.canary.acting import PAUSED_AT_STEP
from aegis.gates.canary.judge import Judgement
from aegis.gates.canary.plan import Plan


def pauses_of(seen: RolloutState) -> int:
    """How many endless pauses a rollout's steps have."""
    return sum(step.endless for step in seen.steps)


def is_due(plan: Plan, judgement: Judgement, seen: RolloutState) -> bool:
    """Whether a rollout stands at an endless pause, not the last one, that the evidence ends.

    A look that did not see all of the canary ends none. The last pause is ended by the promotion, which is a decision.
    """
    if seen.step is None or seen.step >= len(seen.steps) or not seen.steps[seen.step].endless:
        return False
    if not seen.observed or seen.aborted or seen.held or set(seen.pauses) != {PAUSED_AT_STEP}:
        return False
    number = sum(step.endless for step in seen.steps[: seen.step + 1])
    sees_all = judgement.decision == "continue" and judgement.reason == "canary.undecided"
    return number < plan.steps and sees_all and judgement.good >= plan.bound(number)
