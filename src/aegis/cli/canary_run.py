"""A judgement of a rollout, joined: policy, cluster, Prometheus, what was kept, and the verdict."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from aegis.cli.canary_options import CanaryOptions
from aegis.cli.canary_policy import no_section
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.masking import masker
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.verdict import Verdict

if TYPE_CHECKING:
    from aegis.adapters.kubernetes_api import Cluster
    from aegis.cli.canary_state import StateFile
    from aegis.core.policy import CanaryPolicy
    from aegis.core.ports.metrics import Metrics
    from aegis.core.ports.rollouts import Rollouts, RolloutState
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


def judged(options: CanaryOptions, environ: Mapping[str, str], clock: Callable[[], float]) -> Verdict:
    """The verdict of one look, whatever happens. `clock`: Unix seconds."""
    run = GateRun.begin("canary", options, {}, options.words(), "judge")

    def judge() -> Verdict:
        from aegis.cli.canary_state import StateFile

        judging = prepared(run, options, environ)
        with StateFile.opened(options.state) as file:
            looked = look(judging.watched, file, clock())
        return concluded(run, judging, looked)

    return run.guarded(judge)


def prepared(run: GateRun, options: CanaryOptions, environ: Mapping[str, str]) -> Judging:
    """Find policy and rollout, and open Prometheus. Raises AegisError."""
    from aegis.gates.canary.check import check_policy
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.samples.sides import Hashes, Scope
    from aegis.gates.canary.watching import Watched

    found = run.look()
    policy = found.in_force.policy.canary
    if policy is None:
        raise no_section(found.in_force.origin, run.policy_file)
    check_policy(policy, file=run.policy_file)
    cluster = cluster_of(options, policy, environ)
    rollouts, seen = None, None
    canary, stable, weight = options.canary, options.stable, options.weight
    if cluster is not None and (options.act or canary is None):
        from aegis.adapters.kubernetes_rollouts import KubernetesRollouts

        rollouts = KubernetesRollouts(cluster)
        seen = rollouts.get(policy.rollout.namespace, policy.rollout.name)
    if seen is not None:
        canary, stable = _sides(options, seen)
        if weight is None and seen.canary_weight is not None:
            weight = seen.canary_weight / 100
    assert canary is not None  # noqa: S101 - without a cluster both sides are named
    over = "no stable version" if stable is None else stable
    watched = Watched(
        metrics=server(policy, environ, cluster),
        policy=policy,
        plan=plan_of(policy, first=stable is None),
        scope=Scope(policy.rollout.namespace, Hashes(policy.rollout.name, canary, stable)),
        rollout=f"{policy.rollout.namespace}/{policy.rollout.name}: {canary} over {over}",
        weight=weight,
    )
    sides = (policy.rollout.namespace, policy.rollout.name, canary, stable)
    return Judging(found, policy, sides, watched, rollouts, seen)


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
        return options.canary, options.stable
    if not seen.observed or not seen.rolling_out:
        raise CouldNotDecide(
            "canary.act_unfit",
            f"{seen.place} has one version only, or its controller has not seen the other one yet ({seen.phase})",
            expected="a rollout in the middle of its steps",
            remedy="Start the rollout first; to repeat an earlier run, name its sides by --canary and --stable.",
        )
    return seen.canary_hash, seen.stable_hash or None


def cluster_of(options: CanaryOptions, policy: CanaryPolicy, environ: Mapping[str, str]) -> Cluster | None:
    """The cluster, where it is needed."""
    if options.canary is not None and not options.act and policy.prometheus.via == "direct":
        return None  # it has nothing to say
    from aegis.adapters import kubernetes_api

    return kubernetes_api.cluster_of(environ, kubeconfig=options.kubeconfig, context=options.context)


def server(policy: CanaryPolicy, environ: Mapping[str, str], cluster: Cluster | None) -> Metrics:
    """The policy's Prometheus. Raises UsageError where its credentials are not here."""
    from aegis.adapters.aws_ambient import AmbientCredentials
    from aegis.adapters.prometheus import server_of

    return server_of(
        policy.prometheus, environ=environ, mask=masker(environ), credentials=AmbientCredentials(), cluster=cluster
    )


def look(watched: Watched, file: StateFile, now: float) -> Looked:
    """Look once, and keep what was seen before anybody is told of it. `now`: Unix seconds of this machine."""
    from aegis.gates.canary import watching

    looked = watching.look(watched, file.read(), now)
    file.write(looked.data)
    return looked


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
    outcome = replace(told.outcome, notices=(*notices, *judging.found.base.notices, *told.outcome.notices))
    verdict = run.conclude(outcome, judging.found.in_force, judging.policy)
    if verdict.decision not in _OWN_WORDS:
        return verdict
    return replace(verdict, decision=told.decision, reason=told.reason)


def _revert(run: GateRun, judging: Judging) -> str:
    """What to do about a version that is worse: whatever the cluster does, the repository still asks for it."""
    rollout = judging.policy.rollout
    commit = next((each.digest.get("gitCommit") for each in run.subject), None)
    change = f"`git revert --no-edit {commit}`" if commit else "`git revert` of the change that brought it in"
    return (
        f"The bad version still stands in the spec of {rollout.namespace}/{rollout.name}: revert the change that "
        f"brought it in, e.g. {change} where that is this commit, and deploy that."
    )
