"""What the root action says of the section `canary`: there is no rollout to judge, but its policy is looked at."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.cli.gate_run import Asked, GateRun
from aegis.core.loosening import alone, of_gate
from aegis.core.outcome import Outcome, of_loosening
from aegis.core.verdict import Verdict
from aegis.gates.canary.check import check_policy


def answer(asked: Asked, environ: Mapping[str, str]) -> Verdict:
    """Not applicable, with the reason; or what is wrong with the section, or loosened by the change."""
    run = GateRun.begin("canary", asked, environ if asked.github else {})

    def judge() -> Verdict:
        found = run.look()
        section = found.in_force.policy.canary
        run.named(found.in_force, section)
        if section is not None:
            check_policy(section, file=run.policy_file)
        weaker = of_gate(found.in_force.loosened, "canary")
        changes = tuple(found.repository.changed(found.base.commit)) if found.base.commit is not None else None
        if alone(changes, frozenset({run.policy_file})):
            told = tuple(f"This change loosens the policy and does nothing else: {what}" for what in weaker)
            outcome = Outcome(notices=told, not_applicable=_WHY)
        elif weaker:
            outcome = Outcome(findings=tuple(of_loosening(what, run.policy_file) for what in weaker))
        else:
            outcome = Outcome(not_applicable=_WHY)
        return run.conclude(outcome, found.in_force, section)

    return run.guarded(judge)


_WHY = "the section `canary` is for rollouts, which `aegis canary watch` judges; here is none"
