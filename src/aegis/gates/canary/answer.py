"""What a judgement is in a verdict: its word, its findings and its numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aegis.core.codes import CODES
from aegis.core.errors import AegisError, Refused
from aegis.core.outcome import Outcome, fingerprint_of
from aegis.core.verdict import Cause, Evidence, Finding
from aegis.gates.canary.explain import Lines, chart, lines, looks
from aegis.gates.canary.judge import Judgement, held_by_ceilings
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import State
from aegis.gates.canary.watching import Looked

MOST: Final = 100
"""Metrics with numbers of their own in a verdict."""
_LARGEST: Final = 1e300
"""Evidence beyond it is told as this: JSON has no infinity."""


@dataclass(frozen=True, slots=True)
class Answer:
    """For a verdict."""

    decision: str
    """`promote`, `abort`, `continue` or `inconclusive`."""
    reason: str
    outcome: Outcome


def answer(looked: Looked, plan: Plan, *, revert: str, undone: AegisError | None = None) -> Answer:
    """Of one look. `revert`: what to do about a version that is worse, told only where it is to be aborted.

    `undone`: why what was decided could not be done in the cluster. A promotion that was not made is none.
    """
    judgement, state = looked.judgement, looked.state
    shown = lines(state, plan, MOST)
    outcome = Outcome(
        findings=(*_findings(looked, plan, shown, revert), *_undone(undone, state.rollout)),
        notices=looked.notices,
        evidence=(
            Evidence(name="canary", value=_whole(judgement, state, plan)),
            Evidence(name="metrics", value=[_numbers(each) for each in shown]),
            Evidence(name="looks", value=looks(state)),
            Evidence(name="chart", value=chart(state, plan)),
        ),
    )
    if judgement.decision == "promote" and undone is not None:
        return Answer("inconclusive", undone.code, outcome)
    fault = looked.fault if judgement.decision == "continue" else None
    return Answer(judgement.decision, fault.code if fault is not None else judgement.reason, outcome)


def _findings(looked: Looked, plan: Plan, shown: Iterable[Lines], revert: str) -> Iterable[Finding]:
    judgement, rollout = looked.judgement, looked.state.rollout
    if judgement.decision == "promote":
        return
    if judgement.decision == "abort" and judgement.culprits:
        by_name = {each.metric: each for each in shown}
        metrics = {each.name: each for each in plan.metrics}
        for name, claim in judgement.culprits:
            told = sentence(by_name[name], metrics[name], plan) if name in by_name else ""
            yield _finding(judgement.reason, rollout, f"{name}: {claim}; {told}".rstrip("; "), revert, "your-change")
        return
    whole = progress(judgement, looked.state, plan)
    if judgement.decision == "abort":
        yield _finding(judgement.reason, rollout, f"the policy aborts without evidence: {whole}", revert, "your-change")
        return
    if looked.fault is not None:
        yield _finding(looked.fault.code, rollout, looked.fault.problem, looked.fault.remedy, "could-not-decide")
    if looked.fault is None or judgement.decision == "inconclusive":
        remedy = CODES[judgement.reason].remedy
        if judgement.decision == "inconclusive":
            remedy = f"Nobody has promoted or aborted it: decide by hand. {remedy}"
        yield _finding(judgement.reason, rollout, whole, remedy, "could-not-decide")


def _undone(undone: AegisError | None, rollout: str) -> Iterable[Finding]:
    if undone is not None:
        cause: Cause = "your-change" if isinstance(undone, Refused) else "could-not-decide"
        yield _finding(undone.code, rollout, undone.problem, undone.remedy, cause)


def _finding(rule: str, rollout: str, message: str, remedy: str, cause: Cause) -> Finding:
    return Finding(
        rule=rule, message=message, remedy=remedy, fingerprint=fingerprint_of(rule, rollout, message), cause=cause
    )


def progress(judgement: Judgement, state: State, plan: Plan) -> str:
    """How far it is, in one line."""
    held = held_by_ceilings(state, plan)
    but = f"; not shown to be below its ceiling: {', '.join(held)}" if held else ""
    passed, promotes_at = judgement.time - state.start, _evidence(plan.promotes_at)
    return (
        f"after {passed:.0f} s of {plan.deadline:.0f} s evidence against the canary is {_evidence(judgement.harm)} "
        f"(aborts at {1 / plan.alpha:.4g}), for it {_evidence(judgement.good)} (promotes at {promotes_at}){but}"
    )


def sentence(line: Lines, metric: MetricPlan, plan: Plan) -> str:
    """One metric's numbers, in one line."""
    parts = [f"canary {_counted(line.canary_bad, line.canary_exposure, metric)}"]
    if not plan.first:
        parts.append(f"stable {_counted(line.stable_bad, line.stable_exposure, metric)}")
        above = "more" if line.ratio_high == math.inf else f"{line.ratio_high:.3g}"
        parts.append(f"the ratio is {line.ratio_low:.3g} to {above} with {1 - plan.alpha:.4g}")
        parts.append(f"evidence {min(line.evidence, _LARGEST):.3g}")
    if metric.ceiling is not None:
        parts.append(f"the ceiling is {metric.ceiling:g}, evidence {min(line.over_ceiling or 0.0, _LARGEST):.3g}")
    if line.more_requests:
        parts.append(f"needs about {line.more_requests:,.0f} more requests to see twice the rate")
    return ", ".join(parts)


def _counted(bad: float, exposure: float, metric: MetricPlan) -> str:
    if metric.kind == "share":
        return f"{exposure:,.0f} requests"
    if metric.kind == "pace":
        return f"{bad:,.0f} in {exposure:,.0f} pod seconds"
    share = f" ({bad / exposure:.3%})" if exposure else ""
    return f"{bad:,.0f} of {exposure:,.0f}{share}"


def _whole(judgement: Judgement, state: State, plan: Plan) -> Mapping[str, Any]:
    return {
        "decision": judgement.decision,
        "rollout": state.rollout,
        "seconds": round(judgement.time - state.start, 3),
        "deadline": plan.deadline,
        "harm": _exp(judgement.harm),
        "aborts_at": 1 / plan.alpha,
        "good": _exp(judgement.good),
        "promotes_at": _exp(plan.promotes_at),
        "p_value": min(1.0, math.exp(-state.peak)),
        "culprits": [list(each) for each in judgement.culprits],
    }


def _numbers(line: Lines) -> Mapping[str, Any]:
    return {
        "metric": line.metric,
        "critical": line.critical,
        "canary_exposure": line.canary_exposure,
        "canary_bad": line.canary_bad,
        "stable_exposure": line.stable_exposure,
        "stable_bad": line.stable_bad,
        "ratio_low": line.ratio_low,
        "ratio_high": line.ratio_high if math.isfinite(line.ratio_high) else None,
        "evidence": min(line.evidence, _LARGEST),
        "p_value": line.p_value,
        "over_ceiling": None if line.over_ceiling is None else min(line.over_ceiling, _LARGEST),
        "good": min(line.good, _LARGEST),
        "weight": line.weight,
        "pods": list(line.pods),
        "spread": line.spread,
        "clustering": line.clustering,
        "more_requests": line.more_requests,
    }


def _exp(logarithm: float) -> float:
    return math.exp(min(logarithm, math.log(_LARGEST)))


def _evidence(logarithm: float) -> str:
    return f"{_exp(logarithm):.3g}"
