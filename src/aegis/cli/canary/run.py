"""A judgement of a rollout, joined: policy, cluster, Prometheus, what was kept, and the verdict."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.cli.canary.access import KUBECONFIG, CanaryAccess
from aegis.cli.canary.attempts import Attempt, refuse_tracked
from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.policy import no_section
from aegis.cli.canary.seal import STATE_KEY, Seal, seal_of, unsealed
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.masking import masker
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.outcome import Outcome, fingerprint_of
from aegis.core.verdict import Evidence, Finding, Subject, Verdict

if TYPE_CHECKING:
    from aegis.adapters.kubernetes.api import Cluster
    from aegis.cli.canary.state import StateFile
    from aegis.core.policy import CanaryPolicy
    from aegis.core.ports.metrics import Metrics
    from aegis.core.ports.rollouts import Rollouts, RolloutState
    from aegis.gates.canary.required import Examined
    from aegis.gates.canary.watching import Looked, Watched

_OWN_WORDS: Final = frozenset({"pass", "fail", "could-not-decide"})
"""Decisions that this gate has words of its own for; of an observed or misconfigured run the common ones stay."""


@dataclass(frozen=True, slots=True)
class Judging:
    """What a run judges, and by which policy."""

    found: Found
    policy: CanaryPolicy
    sides: tuple[str, str, str, str | None]
    """Namespace and name of the rollout, and the hashes of canary and stable (None: a first version)."""
    watched: Watched = field(repr=False)
    rollouts: Rollouts | None
    """The cluster's; None: both sides were named, and nothing is to be done."""
    seen: RolloutState | None
    """The rollout when the run began."""
    state: Path
    """The file of what was seen."""
    seal: Seal | None
    """Of that file, in a workflow."""
    examined: Examined | None = None
    """The verdicts about its images; None: the policy demands none."""
    examine: Callable[[datetime.datetime], Examined] | None = field(repr=False, default=None)
    """Looks for them anew, at a time; None as above."""


def judged(options: CanaryOptions, environ: Mapping[str, str], clock: Callable[[], float]) -> Verdict:
    """The verdict of one look, whatever happens. `clock`: Unix seconds."""
    run = begin(options, environ)

    def judge() -> Verdict:
        from aegis.cli.canary.state import StateFile

        judging = prepared(run, options, environ)
        if (refusal := without_verdicts(run, judging)) is not None:
            return refusal
        with StateFile.opened(judging.state, judging.seal) as file:
            now = clock()
            reopen_a_promotion(judging, file, now)
            looked = look(judging.watched, file, now)
        return concluded(run, judging, looked)

    return run.guarded(judge)


def begin(options: CanaryOptions, environ: Mapping[str, str]) -> GateRun:
    """Start the clock of a judgement."""
    return GateRun.begin("canary", options, environ if options.github else {}, options.words(), "judge")


def prepared(run: GateRun, options: CanaryOptions, environ: Mapping[str, str]) -> Judging:
    """Find policy and rollout, and open Prometheus. Raises AegisError."""
    from aegis.core.policy import seconds
    from aegis.gates.canary.check import check_policy
    from aegis.gates.canary.climbing import pauses_of
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.samples.sides import Hashes, Scope
    from aegis.gates.canary.watching import Watched

    # first, so that the next attempt finds its mark wherever this one ends
    seal = seal_of(environ, environ.get(KUBECONFIG, "")) if options.github else None
    attempt = Attempt.begin(options.state, environ, seal, anew=options.begin_anew) if options.github else None
    found = run.look()
    policy = found.in_force.policy.canary
    if policy is None:
        raise no_section(found.in_force.origin, run.policy_file)
    check_policy(policy, file=run.policy_file)
    access = CanaryAccess(policy, options, environ, found.event)
    access.check_allowed()
    if attempt is not None:
        if seal is None:
            raise unsealed(
                f"there is neither {STATE_KEY} nor {KUBECONFIG}, so that anybody could have written the state"
            )
        refuse_tracked(options.state, found.repository)
        if options.kubeconfig is not None:
            refuse_tracked(options.kubeconfig, found.repository, "kubeconfig")
    cluster = access.cluster() if _asks_cluster(options, policy) else None
    rollouts, seen = None, None
    canary, stable, weight = options.canary, options.stable, options.weight
    if cluster is not None and (options.act or canary is None or policy.requires is not None):
        from aegis.adapters.kubernetes.rollouts import KubernetesRollouts

        rollouts = KubernetesRollouts(cluster)
        seen = rollouts.get(policy.rollout.namespace, policy.rollout.name)
    if seen is not None:
        canary, stable = _sides(options, seen)
        if weight is None and seen.canary_weight is not None:
            weight = seen.canary_weight / 100
    assert canary is not None  # noqa: S101 - without a cluster both sides are named
    over = "no stable version" if stable is None else stable
    watched = Watched(
        metrics=access.metrics(cluster),
        policy=policy,
        plan=plan_of(policy, first=stable is None, pauses=0 if seen is None else pauses_of(seen)),
        scope=Scope(policy.rollout.namespace, Hashes(policy.rollout.name, canary, stable)),
        rollout=f"{policy.rollout.namespace}/{policy.rollout.name}: {canary} over {over}",
        weight=weight,
    )
    sides = (policy.rollout.namespace, policy.rollout.name, canary, stable)
    examined, examine = None, None
    if policy.requires is not None and seen is not None:
        from aegis.cli.canary.required import examined as look_at

        examine = partial(look_at, run, found, policy.requires, access, _images(seen))
        examined = examine(run.started)
        run.subject += tuple(Subject(name=name, digest={"sha256": digest}) for name, digest in examined.digests)
    state = options.state
    if attempt is not None and seen is not None:
        # what nobody has vouched for is not judged, so it needs no state
        unfit = examined is not None and bool(examined.problems)
        waited = datetime.timedelta(seconds=seconds(policy.deadline))
        state = attempt.file(seen, canary) if unfit else attempt.state(seen, canary, waited)
    return Judging(found, policy, sides, watched, rollouts, seen, state, seal, examined, examine)


def _images(seen: RolloutState) -> tuple[str, ...]:
    """Of the version that is rolled out. Raises CouldNotDecide where the spec may be of another one already."""
    if not seen.observed:
        raise CouldNotDecide(
            "canary.act_unfit",
            f"the controller of {seen.place} has not seen its newest spec yet",
            expected="a rollout that its controller has observed",
            remedy="Run this again in a moment.",
        )
    return seen.images


def _sides(options: CanaryOptions, seen: RolloutState) -> tuple[str, str | None]:
    """Both hashes, as they were named or else as the cluster has them."""
    if options.canary is not None:
        if options.canary != seen.canary_hash:
            raise Refused(
                "canary.rollout_changed",
                f"{seen.place} rolls out {seen.canary_hash!r}; what was asked about is {options.canary!r}",
                expected="the version that is rolled out",
                remedy="Name the version that is rolled out, or leave --canary and --stable out.",
            )
        if seen.rolling_out and options.stable != (seen.stable_hash or None):
            raise Refused(
                "canary.rollout_changed",
                f"{seen.place} has the stable version {seen.stable_hash or 'none'!r}; what was asked for is to compare"
                f" with {options.stable or 'none'!r}",
                expected="the version that takes the other requests",
                remedy="Name the version that is stable, or leave --canary, --stable and --first out.",
            )
        return options.canary, options.stable
    if not seen.observed or not seen.rolling_out:
        raise CouldNotDecide(
            "canary.act_unfit",
            f"{seen.place} has one version only, or its controller has not seen the other one yet ({seen.phase})",
            expected="a rollout in the middle of its steps",
            remedy="Start the rollout first; to repeat an earlier run, name its sides by --canary and --stable.",
        )
    return seen.canary_hash, seen.stable_hash or None


def _asks_cluster(options: CanaryOptions, policy: CanaryPolicy) -> bool:
    """Whether it has anything to say, or to do."""
    named = options.canary is not None and not options.act
    return not named or policy.prometheus.via == "api-server" or policy.requires is not None


def server(policy: CanaryPolicy, environ: Mapping[str, str], cluster: Cluster | None) -> Metrics:
    """The policy's Prometheus. Raises UsageError where its credentials are not here."""
    from aegis.adapters.aws.ambient import AmbientCredentials
    from aegis.adapters.prometheus.server import server_of

    return server_of(
        policy.prometheus, environ=environ, mask=masker(environ), credentials=AmbientCredentials(), cluster=cluster
    )


def look(watched: Watched, file: StateFile, now: float) -> Looked:
    """Look once, and keep what was seen before anybody is told of it. `now`: Unix seconds of this machine."""
    from aegis.gates.canary import watching

    looked = watching.look(watched, file.read(), now)
    file.write(looked.data)
    return looked


def reopen_a_promotion(judging: Judging, file: StateFile, now: float) -> None:
    """Let a promotion that was decided, and that nobody has asked the cluster for, be decided by a look from now.

    What came since then counts: the version may have turned bad. A decision that is older than the pause which it would
    end is of an earlier rollout of these versions, one of which came back: its state is removed. Where no cluster was
    asked, one that was looked at longer ago than the deadline may be such a one. What was found worse stays so.
    `now`: Unix seconds of this machine. Raises CouldNotDecide where the state can't be read.
    """
    from aegis.gates.canary.kept import dump, load

    seen, plan = judging.seen, judging.watched.plan
    if (seen is not None and (not seen.rolling_out or seen.promoting)) or (data := file.read()) is None:
        return
    kept = load(plan, judging.watched.rollout, data)
    decision = kept.state.decision
    if decision is None or decision.answer != "promote":
        return
    if seen is None:
        is_this_ones = 0 <= now - kept.looked <= plan.deadline
    else:
        is_this_ones = seen.paused_since is not None and seen.paused_since.timestamp() <= decision.time
    if not is_this_ones:
        file.path.unlink()
        return
    kept.state.decision = None
    file.write(dump(kept))


def concluded(
    run: GateRun,
    judging: Judging,
    looked: Looked,
    *,
    undone: AegisError | None = None,
    notices: tuple[str, ...] = (),
) -> Verdict:
    """The verdict, in this gate's own words. `undone`: why what was decided could not be done."""
    from aegis.gates.canary.answer import answer

    told = answer(looked, judging.watched.plan, revert=_revert(run, judging), undone=undone)
    outcome = replace(
        told.outcome,
        notices=(*notices, *judging.found.base.notices, *told.outcome.notices),
        evidence=(*told.outcome.evidence, *_verdicts(judging)),
    )
    verdict = run.conclude(outcome, judging.found.in_force, judging.policy)
    if verdict.decision not in _OWN_WORDS:
        return verdict
    return replace(verdict, decision=told.decision, reason=told.reason)


def without_verdicts(
    run: GateRun,
    judging: Judging,
    *,
    notices: tuple[str, ...] = (),
    undone: AegisError | None = None,
) -> Verdict | None:
    """The verdict on a rollout whose images lack verdicts that the policy demands; None where they have them all."""
    if judging.examined is None or not judging.examined.problems:
        return None
    problems = [*judging.examined.problems, *([] if undone is None else [undone])]
    outcome = Outcome(
        findings=tuple(_finding(each, judging.watched.rollout) for each in problems),
        notices=(*notices, *judging.found.base.notices),
        evidence=_verdicts(judging),
    )
    verdict = run.conclude(outcome, judging.found.in_force, judging.policy)
    if verdict.decision not in _OWN_WORDS:
        return verdict
    first = judging.examined.problems[0]
    decision = "abort" if verdict.result == "fail" else "inconclusive"
    return replace(verdict, decision=decision, reason=first.code)


def _finding(error: AegisError, rollout: str) -> Finding:
    return Finding(
        rule=error.code,
        message=f"{error.problem} (expected: {error.expected})",
        remedy=error.remedy,
        fingerprint=fingerprint_of(error.code, rollout, error.problem),
        cause="your-change" if isinstance(error, Refused) else "could-not-decide",
    )


def _verdicts(judging: Judging) -> tuple[Evidence, ...]:
    """The verdicts about the rollout's images that hold."""
    if judging.examined is None:
        return ()
    return (Evidence(name="verdicts", value=[asdict(each) for each in judging.examined.shown]),)


def _revert(run: GateRun, judging: Judging) -> str:
    """What to do about a version that is worse: whatever the cluster does, the repository still asks for it."""
    rollout = judging.policy.rollout
    commit = next((each.digest.get("gitCommit") for each in run.subject), None)
    change = f"`git revert --no-edit {commit}`" if commit else "`git revert` of the change that brought it in"
    return (
        f"The bad version still stands in the spec of {rollout.namespace}/{rollout.name}: revert the change that "
        f"brought it in, e.g. {change} where that is this commit, and deploy that."
    )
