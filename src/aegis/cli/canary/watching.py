"""Looks at a rollout until there is a decision, and then the act; what a test replaces stands in `Means`."""

from __future__ import annotations

import datetime
import math
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.preflight import no_endless_pause
from aegis.cli.canary.recording import following, recorded
from aegis.cli.canary.run import (
    Judging,
    begin,
    concluded,
    look,
    prepared,
    reopen_a_promotion,
    without_verdicts,
)
from aegis.cli.canary.state import StateFile
from aegis.cli.gate_run import GateRun
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.ports.rollouts import Act, RolloutState
from aegis.core.verdict import Verdict
from aegis.gates.canary.answer import progress
from aegis.gates.canary.carrying_out import PASSING, carry_out
from aegis.gates.canary.climbing import is_due
from aegis.gates.canary.watching import Looked, Watched
from aegis.report.escape import terminal

_MORE: Final = 10
"""Looks beyond those that the deadline has room for: a store whose clock stands still must not be watched for ever."""
_TRUE_WITHIN: Final = 300.0
"""Seconds for an act to become true: pods have 30 s to end by default, and some are given minutes."""
_ACTS: Final[Mapping[str, Act]] = {"abort": "abort", "promote": "promote"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Means:
    """What a watch needs of the machine."""

    clock: Callable[[], float] = time.time
    """Unix seconds."""
    sleep: Callable[[float], None] = time.sleep
    passed: Callable[[], float] = time.monotonic
    """Seconds of a clock that nobody sets."""


def watched(options: CanaryOptions, environ: Mapping[str, str], means: Means) -> Verdict:
    """The verdict of a watch, whatever happens."""
    run = begin(options, environ)

    def watch() -> Verdict:
        asked = prepared(run, options, environ)
        with StateFile.opened(asked.state, asked.seal) as file, recorded(asked, options.record) as judging:
            acts = options.act and judging.found.in_force.policy.mode == "enforce"
            watcher = _Watcher(judging, file, means, acts)
            if (refusal := watcher.refusal(run, judging)) is not None:
                return refusal
            if acts:
                watcher.check_holds()
            reopen_a_promotion(judging, file, means.clock())
            looked = watcher.decided()
            if looked.judgement.decision == "promote" and judging.examine is not None:
                # while it was judged, a newer verdict may have come, and an old one may have become too old
                judging = replace(judging, examined=judging.examine(datetime.datetime.now(datetime.UTC)))
                if (refusal := watcher.refusal(run, judging)) is not None:
                    return refusal
            if not acts:
                why = "--no-act" if not options.act else "mode: observe"
                return concluded(run, judging, looked, notices=(f"Nothing was done in the cluster ({why}).",))
            notice, undone = watcher.act(_ACTS.get(looked.judgement.decision))
        return concluded(run, judging, looked, undone=undone, notices=notice)

    return run.guarded(watch)


@dataclass(frozen=True, slots=True)
class _Watcher:
    judging: Judging
    file: StateFile
    means: Means
    acts: bool
    """Something may be asked of the cluster."""

    def check_holds(self) -> None:
        """Refuse a rollout that would go to its end while nobody watches. Raises UsageError."""
        seen = self.judging.seen
        if seen is None or not seen.rolling_out:
            return
        # one that was aborted begins with its first step again when somebody retries it
        if not any(step.endless for step in seen.steps[seen.step or 0 :]):
            raise no_endless_pause(seen)

    def refusal(self, run: GateRun, judging: Judging) -> Verdict | None:
        """The verdict where images lack verdicts that the policy demands: nobody has vouched for them, so they take no
        requests, however good they look.
        """
        refusal = without_verdicts(run, judging)
        if refusal is None or not self.acts or refusal.decision != "abort":
            return refusal
        done, why_not = self.act("abort")
        return without_verdicts(run, judging, notices=done, undone=why_not) or refusal

    def decided(self) -> Looked:
        """Look until there is a decision. Raises AegisError where the rollout is no longer what is judged."""
        watched = self.judging.watched
        plan = watched.plan
        for _ in range(math.ceil(plan.deadline / plan.interval) + _MORE):
            began = self.means.clock()
            looked = look(watched, self.file, began)
            self._tell(looked)
            if looked.judgement.decision != "continue":
                return looked
            seen = self._check_same()
            if seen is not None:
                watched = self._climb(watched, looked, seen)
            self.means.sleep(max(0.0, plan.interval - max(0.0, self.means.clock() - began)))
        raise CouldNotDecide(
            "canary.undecided",
            f"the deadline of {plan.deadline:.0f} s has passed here, and not by the clock of Prometheus",
            expected="a Prometheus whose time goes on",
            remedy="Look at the clock of Prometheus's machine; what was seen is kept.",
        )

    def act(self, act: Act | None) -> tuple[tuple[str, ...], AegisError | None]:
        """Do what was decided, and wait until it is true: what is to be said, and what stood in the way."""
        seen, rollouts = self.judging.seen, self.judging.rollouts
        if act is None or seen is None or rollouts is None:
            return (), None
        if act == "promote" and not seen.rolling_out and seen.phase == "Healthy":
            return (f"{seen.place} had been promoted before.",), None
        try:
            now = carry_out(
                rollouts,
                act,
                seen,
                now=self.means.passed,
                sleep=self.means.sleep,
                seconds=_TRUE_WITHIN,
                told=_say,
            )
        except (Refused, CouldNotDecide) as error:
            return (), error
        return (_done(act, now),), None

    def _climb(self, watched: Watched, looked: Looked, seen: RolloutState) -> Watched:
        """End the pause at which the rollout stands, if that is due; the canary's share is what it is now."""
        rollouts, first = self.judging.rollouts, self.judging.seen
        if rollouts is not None and self.acts and is_due(watched.plan, looked.judgement, seen):
            try:
                seen = carry_out(
                    rollouts,
                    "step",
                    seen,
                    now=self.means.passed,
                    sleep=self.means.sleep,
                    seconds=_TRUE_WITHIN,
                    told=_say,
                )
                _say(f"{seen.place} goes on to step {seen.step} of {len(seen.steps)}")
            except CouldNotDecide as error:
                # the pause holds, and the next look tries again
                _say(error.problem)
        told = None if first is None or first.canary_weight is None else first.canary_weight / 100
        if told is None or self.judging.watched.weight != told or seen.canary_weight is None:
            return watched  # the share was given, or nobody tells it
        share = seen.canary_weight / 100
        return watched if watched.weight == share else following(watched, share)

    def _check_same(self) -> RolloutState | None:
        """The rollout now. Stop where others have decided; a cluster that does not answer stops nothing."""
        judged, rollouts = self.judging.seen, self.judging.rollouts
        if judged is None or rollouts is None:
            return None
        try:
            seen = rollouts.get(judged.namespace, judged.name)
        except CouldNotDecide as error:
            if error.code not in PASSING:
                raise
            _say(error.problem)
            return None
        found = _otherwise(judged, seen)
        if found is not None:
            code, problem = found
            raise Refused(
                code,
                f"{seen.place} {problem}",
                expected="the rollout that is judged, until it is decided",
                remedy="Look who changed it; a new version is judged by a run and a state of its own.",
            )
        return seen

    def _tell(self, looked: Looked) -> None:
        fault = f"; {looked.fault.problem}" if looked.fault is not None else ""
        far = progress(looked.judgement, looked.state, self.judging.watched.plan)
        _say(f"{looked.judgement.decision}: {far}{fault}")


def _otherwise(judged: RolloutState, seen: RolloutState) -> tuple[str, str] | None:
    """What others have done; None: nothing."""
    if seen.uid != judged.uid:
        return "canary.rollout_changed", "was deleted and made anew"
    if not seen.observed:
        return None
    if seen.canary_hash != judged.canary_hash:
        return (
            "canary.rollout_changed",
            f"rolls out {seen.canary_hash!r} now; what was judged is {judged.canary_hash!r}",
        )
    if seen.rolling_out and seen.stable_hash != judged.stable_hash:
        return (
            "canary.rollout_changed",
            f"has the stable version {seen.stable_hash!r} now, with which nothing was compared",
        )
    if seen.images != judged.images:
        return "canary.rollout_changed", "asks for other images now"
    if seen.steps != judged.steps:
        return "canary.rollout_changed", "has other steps now, and may promote itself by them"
    if judged.rolling_out and not seen.rolling_out:
        return "canary.rollout_promoted", "was promoted while it was judged"
    if seen.aborted:
        return "canary.rollout_aborted", f"was aborted while it was judged: {seen.message[:200]}"
    return None


def _done(act: Act, now: RolloutState) -> str:
    if act == "abort":
        return f"{now.place} was aborted: {now.available} pods take requests, and all of them are stable ones."
    return f"{now.place} was promoted: {now.available} pods of the new version take requests."


def _say(text: str) -> None:
    """On stderr: stdout belongs to the verdict."""
    sys.stderr.write(f"{terminal(text)}\n")
    sys.stderr.flush()
