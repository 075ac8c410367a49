"""Several gates' verdicts as one: the worst answer counts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from aegis.core.codes import CODES
from aegis.core.outcome import NOT_APPLICABLE
from aegis.core.verdict import Evidence, PolicyInForce, Verdict, exit_code, worst_exit

_SHOWN = frozenset({"databases"})


NOT_RUN = "not-run"
"""In the place of a result: nothing was asked of the gate, which is no pass."""


def merged(verdicts: Sequence[Verdict], not_run: Mapping[Any, str] = MappingProxyType({})) -> Verdict:
    """One verdict over several gates of one run. At least one; findings and notices keep the gates' order.

    `not_run`: why the other gates were not run. Each gate has an evidence of its name with its answer.
    """
    worst = worst_exit(exit_code(verdict) for verdict in verdicts)
    decisive = next(verdict for verdict in verdicts if exit_code(verdict) == worst)
    digests = "\n".join(f"{verdict.gate}:{verdict.policy.sha256}" for verdict in verdicts)
    return replace(
        decisive,
        gate="all",
        policy=PolicyInForce(
            origin=decisive.policy.origin,
            sha256=hashlib.sha256(digests.encode()).hexdigest(),
            effective={verdict.gate: verdict.policy.effective for verdict in verdicts},
        ),
        evidence=(
            *_answers(verdicts, not_run),
            # what a report shows as a table of its own
            *(each for verdict in verdicts for each in verdict.evidence if each.name in _SHOWN),
        ),
        # a policy that cannot be read stands in the way of each gate, and is one finding
        findings=tuple({(f.rule, f.fingerprint, f.line): f for v in verdicts for f in v.findings}.values()),
        waivers=tuple(waiver for verdict in verdicts for waiver in verdict.waivers),
        notices=tuple(dict.fromkeys(notice for verdict in verdicts for notice in verdict.notices)),
        bootstrap=any(verdict.bootstrap for verdict in verdicts),
        observe=any(verdict.observe for verdict in verdicts),
        started=min(verdict.started for verdict in verdicts),
        finished=max(verdict.finished for verdict in verdicts),
    )


def _answers(verdicts: Sequence[Verdict], not_run: Mapping[Any, str]) -> Iterator[Evidence]:
    for verdict in verdicts:
        if verdict.gate not in not_run:
            answer = {"result": verdict.result, "decision": verdict.decision, "reason": verdict.reason}
            yield Evidence(name=verdict.gate, value={**answer, "findings": len(verdict.findings), "why": _why(verdict)})
    for gate, why in not_run.items():
        answer = {"result": NOT_RUN, "decision": NOT_RUN, "reason": "core.gate_not_named"}
        yield Evidence(name=gate, value={**answer, "findings": 0, "why": why})


def _why(verdict: Verdict) -> str:
    """In one sentence."""
    if verdict.findings:
        more = f" (and {len(verdict.findings) - 1} more)" if len(verdict.findings) > 1 else ""
        return f"{verdict.findings[0].message}{more}"
    for notice in verdict.notices:
        if verdict.reason == "core.not_applicable" and notice.startswith(NOT_APPLICABLE):
            return notice
    known = CODES.get(verdict.reason)
    return known.title if known is not None else verdict.reason
