"""One look at a rollout, joined: policy, Prometheus, what was kept, and the verdict."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from aegis.cli.canary_options import CanaryOptions
from aegis.cli.canary_policy import no_section
from aegis.cli.gate_run import Found, GateRun
from aegis.cli.masking import masker
from aegis.core.verdict import Verdict

if TYPE_CHECKING:
    from aegis.cli.canary_state import StateFile
    from aegis.core.policy import CanaryPolicy
    from aegis.core.ports.metrics import Metrics
    from aegis.gates.canary.plan import Plan
    from aegis.gates.canary.watching import Looked, Watched

_OWN_WORDS: Final = frozenset({"pass", "fail", "could-not-decide"})
"""Decisions that this gate has words of its own for; of an observed or misconfigured run the common ones stay."""


def judged(options: CanaryOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict of one look, whatever happens."""
    run = GateRun.begin("canary", options, {}, options.words(), "judge")

    def judge() -> Verdict:
        from aegis.cli.canary_state import StateFile

        judging = prepared(run, options, environ)
        with StateFile.opened(options.state) as file:
            looked = look(judging.watched, file)
        return concluded(run, judging, looked)

    return run.guarded(judge)


@dataclass(frozen=True, slots=True)
class Judging:
    """What a run judges, and by which policy."""

    found: Found
    policy: CanaryPolicy
    watched: Watched = field(repr=False)


def prepared(run: GateRun, options: CanaryOptions, environ: Mapping[str, str]) -> Judging:
    """Find the policy, and open Prometheus. Raises AegisError."""
    from aegis.gates.canary.check import check_policy
    from aegis.gates.canary.planned import plan_of
    from aegis.gates.canary.samples.sides import Hashes, Scope
    from aegis.gates.canary.watching import Watched

    found = run.look()
    policy = found.in_force.policy.canary
    if policy is None:
        raise no_section(found.in_force.origin, run.policy_file)
    check_policy(policy, file=run.policy_file)
    plan: Plan = plan_of(policy, first=options.stable is None)
    rollout = policy.rollout
    over = "no stable version" if options.stable is None else options.stable
    watched = Watched(
        metrics=server(policy, environ),
        policy=policy,
        plan=plan,
        scope=Scope(rollout.namespace, Hashes(rollout.name, options.canary, options.stable)),
        rollout=f"{rollout.namespace}/{rollout.name}: {options.canary} over {over}",
        weight=options.weight,
    )
    return Judging(found, policy, watched)


def server(policy: CanaryPolicy, environ: Mapping[str, str]) -> Metrics:
    """The policy's Prometheus. Raises UsageError where its credentials are not here."""
    from aegis.adapters.aws_ambient import AmbientCredentials
    from aegis.adapters.prometheus import server_of

    return server_of(policy.prometheus, environ=environ, mask=masker(environ), credentials=AmbientCredentials())


def look(watched: Watched, file: StateFile) -> Looked:
    """Look once, and keep what was seen before anybody is told of it."""
    from aegis.gates.canary import watching

    looked = watching.look(watched, file.read(), time.time())
    file.write(looked.data)
    return looked


def concluded(run: GateRun, judging: Judging, looked: Looked) -> Verdict:
    """The verdict, in this gate's own words."""
    from aegis.gates.canary.answer import answer

    told = answer(looked, judging.watched.plan, revert=revert(run, judging))
    verdict = run.conclude(told.outcome, judging.found.in_force, judging.policy)
    if verdict.decision not in _OWN_WORDS:
        return verdict
    return replace(verdict, decision=told.decision, reason=told.reason)


def revert(run: GateRun, judging: Judging) -> str:
    """What to do about a version that is worse: whatever the cluster does, the repository still asks for it."""
    rollout = judging.policy.rollout
    commit = next((each.digest.get("gitCommit") for each in run.subject), None)
    change = f"`git revert --no-edit {commit}`" if commit else "`git revert` of the change that brought it in"
    return (
        f"The bad version still stands in the spec of {rollout.namespace}/{rollout.name}: revert the change that "
        f"brought it in, e.g. {change} where that is this commit, and deploy that."
    )
