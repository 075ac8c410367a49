"""Ask a rollout for an act until the act is true in the cluster, or time is up."""

from __future__ import annotations

from collections.abc import Callable

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.rollouts import Act, Rollouts, RolloutState
from aegis.gates.canary.acting import UNSEEN, Goal, goal_of, progress, wanted

SECONDS = 120.0
"""For an act to become true. Without a traffic router pods go as fast as they end (30 s of grace by default)."""
PAUSE = 0.5
"""Seconds between two looks; a controller takes about as long for an abort."""
NUDGE = 15.0
"""Seconds without any change after which the controller is made to look again: it can miss a change that arrives while
it writes the same object itself, and by itself looks again after many minutes only."""
PASSING = frozenset({"canary.cluster_unavailable", "canary.cluster_conflict"})
"""Faults that may be otherwise in a moment."""


def carry_out(
    rollouts: Rollouts,
    act: Act,
    judged: RolloutState,
    *,
    now: Callable[[], float],
    sleep: Callable[[float], None],
    seconds: float = SECONDS,
    told: Callable[[str], None] = lambda _: None,
) -> RolloutState:
    """The rollout as it is once the act is true for the version that was `judged`.

    A wish that may not have arrived is looked for before it is sent again, so nothing is done twice. `now` is any clock
    in seconds; `told` hears what is waited for, each time that it changes. Raises what `goal_of` and `progress` raise,
    faults of the cluster that do not pass, and CouldNotDecide `canary.act_unfinished` after `seconds`.
    """
    end = now() + seconds
    goal: Goal | None = None
    asked, waits = False, ""
    quiet_since = now()
    while True:
        before = waits
        try:
            seen = rollouts.get(judged.namespace, judged.name)
            goal = goal or (goal_of(act, judged, seen) if seen.observed else None)
            waits = progress(goal, seen, asked=asked) if goal else UNSEEN
            if not waits:
                return seen
            if goal and seen.observed:
                if wanted(goal, seen):
                    rollouts.act(act, seen)
                asked = True
            if waits != before:
                quiet_since = now()
            elif now() - quiet_since >= NUDGE:
                quiet_since = now()
                rollouts.nudge(seen)
        except CouldNotDecide as error:
            if error.code not in PASSING:
                raise
            waits = error.problem
        if waits != before:
            told(waits)
        if now() >= end:
            raise CouldNotDecide(
                "canary.act_unfinished",
                f"{act} of {judged.place} is not true after {seconds:.0f} s: waiting for {waits}",
                expected="a rollout that does what was asked of it",
                remedy=f"Look at it now: kubectl argo rollouts get rollout {judged.name} -n {judged.namespace}",
            )
        sleep(PAUSE)
