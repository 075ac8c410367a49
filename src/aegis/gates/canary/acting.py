"""Is what was asked of a rollout true yet? Decided from its state alone.

An act is a wish in the rollout's status; its controller fulfils it, or does not. So nothing is believed that it has not
observed, and of an abort nothing but that no request reaches the canary any more and the stable version is whole.
"""

from __future__ import annotations

from dataclasses import dataclass

from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState

PAUSED_AT_STEP = "CanaryPauseStep"
"""The reason of a pause that the rollout's own steps ask for."""
UNSEEN = "the controller to see the rollout as it is now"


@dataclass(frozen=True, slots=True)
class Goal:
    """An act, and which version of which rollout it is meant for."""

    act: Act
    uid: str
    canary_hash: str
    stable_hash: str
    step: int | None
    images: tuple[str, ...]


def goal_of(act: Act, judged: RolloutState, seen: RolloutState) -> Goal:
    """The act, meant for the version that was `judged`, on the rollout as it is `seen` now.

    Raises CouldNotDecide `canary.act_unfit` where it would do something else, and Refused `canary.rollout_changed`.
    """
    goal = Goal(act, judged.uid, judged.canary_hash, judged.stable_hash, seen.step, judged.images)
    _check_same(goal, seen)
    problem = _unfit(act, judged, seen)
    if problem:
        raise CouldNotDecide(
            "canary.act_unfit",
            f"{seen.place} cannot {_WORDS[act]}: {problem}",
            expected="a rollout that was aborted" if act == "retry" else "a rollout in the middle of its steps",
            remedy=f"Look at it: kubectl argo rollouts get rollout {seen.name} -n {seen.namespace}",
        )
    return goal


def progress(goal: Goal, seen: RolloutState, *, asked: bool) -> str:
    """What is still waited for; empty where the act is true.

    `asked`: the wish is in the rollout. Raises Refused `canary.rollout_changed` where the version that was judged is no
    longer what is rolled out, `canary.rollout_retried` where an abort was taken back, and `canary.rollout_aborted`
    where something else was asked for and the rollout has been aborted.
    """
    _check_same(goal, seen)
    if not seen.observed:
        return UNSEEN
    if goal.act == "abort":
        return _abort(goal, seen, asked)
    if goal.act == "retry":
        return "" if not seen.aborted and seen.phase != "Degraded" else _standing("the rollout to start again", seen)
    if seen.aborted:
        raise Refused(
            "canary.rollout_aborted",
            f"{seen.place} was aborted while it was to {_WORDS[goal.act]}: {seen.message}",
            expected="a rollout that goes on",
            remedy="Look for what aborted it: its analysis, its progress deadline, or a person.",
        )
    if goal.act == "promote":
        return _promote(seen)
    return _step(goal, seen)


def wanted(goal: Goal, seen: RolloutState) -> bool:
    """Whether the wish has still to be put into the rollout, as it is seen now."""
    if goal.act == "abort":
        return not seen.aborted and seen.canary_hash == goal.canary_hash and seen.rolling_out
    if goal.act == "retry":
        return seen.aborted
    if goal.act == "promote":
        return not seen.promoting and seen.rolling_out
    return seen.step == goal.step and bool(seen.pauses)


_WORDS = {"abort": "be aborted", "promote": "be promoted", "step": "go to its next step", "retry": "be retried"}


def _unfit(act: Act, judged: RolloutState, seen: RolloutState) -> str:
    """Why the act makes no sense. One that is true already does: a run that is repeated finds what it wanted."""
    if act == "retry":
        return "" if seen.aborted else "it was not aborted"
    if not judged.stable_hash:
        return "it had no stable version to go back to"
    if not judged.rolling_out:
        return "there was one version only, and it was the stable one"
    if act == "abort" or not seen.rolling_out:
        return ""
    if seen.aborted:
        return "it was aborted"
    if seen.held:
        return "a person holds it by spec.paused"
    if act == "step" and set(seen.pauses) != {PAUSED_AT_STEP}:
        return f"it does not stand at a pause step, but is {seen.phase} ({', '.join(seen.pauses) or seen.message})"
    return ""


def _check_same(goal: Goal, seen: RolloutState) -> None:
    if seen.uid != goal.uid:
        problem = "was deleted and made anew"
    elif seen.canary_hash == goal.canary_hash:
        if goal.act in {"abort", "retry"} or not seen.observed:
            return
        if seen.rolling_out and seen.stable_hash != goal.stable_hash:
            problem = f"has the stable version {seen.stable_hash!r} now, with which nothing was compared"
        elif seen.images != goal.images:
            # whatever the hash says: other images are what nobody has looked at
            problem = "asks for other images now"
        else:
            return
    elif goal.act == "abort" and seen.canary_hash == goal.stable_hash:
        return  # the spec was set back: which is what an abort asks people to do
    else:
        problem = f"rolls out {seen.canary_hash!r} now"
    raise Refused(
        "canary.rollout_changed",
        f"{seen.place} {problem}; what was judged is {goal.canary_hash!r}",
        expected="the version that was judged",
        remedy="Judge the new version: the evidence about the old one says nothing about it.",
    )


def _abort(goal: Goal, seen: RolloutState, asked: bool) -> str:
    if seen.canary_hash == goal.stable_hash:
        # the good version may itself be rolled out by steps now, beside the bad one
        healthy = seen.phase == "Healthy" and not seen.rolling_out
        return _whole(seen) if healthy else _standing("the rollout to be Healthy", seen)
    if not seen.rolling_out:
        # aborted or not: every pod is of the version that was judged
        raise Refused(
            "canary.rollout_promoted",
            f"{seen.place} has been promoted before it was aborted",
            expected="a rollout in the middle of its steps",
            remedy=f"Set it back: kubectl argo rollouts undo {seen.name} -n {seen.namespace}",
        )
    if not seen.aborted and asked:
        raise Refused(
            "canary.rollout_retried",
            f"{seen.place} was aborted, and then retried by somebody else",
            expected="a rollout that stays aborted",
            remedy="Ask who retried it; the version in its spec is the one that was judged to be worse.",
        )
    if not seen.aborted:
        return "the wish to abort"
    if seen.phase != "Degraded":
        return _standing("the rollout to be Degraded", seen)
    return _whole(seen)


def _whole(seen: RolloutState) -> str:
    """Whether nothing but stable pods gets requests, and all of them are there."""
    canary = seen.canary_pods if seen.rolling_out else 0
    if canary and seen.canary_weight != 0:
        return _standing(f"{canary} pods of the canary to go", seen)
    # at least so many are stable ones: how many pods of the canary take requests is not told
    if seen.available - canary < seen.desired:
        return _standing(f"{seen.desired - (seen.available - canary)} stable pods", seen)
    return ""


def _promote(seen: RolloutState) -> str:
    if seen.rolling_out:
        return _standing("the canary to become the stable version", seen)
    return "" if seen.phase == "Healthy" else _standing("the rollout to be Healthy", seen)


def _step(goal: Goal, seen: RolloutState) -> str:
    past = goal.step is not None and seen.step is not None and seen.step > goal.step
    return "" if past or not seen.rolling_out else _standing("the next step", seen)


def _standing(what: str, seen: RolloutState) -> str:
    """What is waited for, and what the rollout says of itself."""
    held = ", held by spec.paused" if seen.held else ""
    said = f": {seen.message[:200]}" if seen.message else ""
    return f"{what} (it is {seen.phase or 'without a phase'}{held}{said})"
