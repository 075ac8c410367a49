"""Several gates' verdicts as one: the worst answer counts."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from aegis.core.verdict import Evidence, PolicyInForce, Verdict, exit_code, worst_exit

_SHOWN = frozenset({"databases"})


def merged(verdicts: Sequence[Verdict]) -> Verdict:
    """One verdict over several gates of one run. At least one; findings and notices keep the gates' order."""
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
            *(
                Evidence(name=verdict.gate, value={"result": verdict.result, "reason": verdict.reason})
                for verdict in verdicts
            ),
            # what a report shows as a table of its own
            *(each for verdict in verdicts for each in verdict.evidence if each.name in _SHOWN),
        ),
        # a policy that cannot be read stands in the way of each gate, and is one finding
        findings=tuple({(f.rule, f.fingerprint, f.line): f for v in verdicts for f in v.findings}.values()),
        waivers=tuple(waiver for verdict in verdicts for waiver in verdict.waivers),
        notices=tuple(notice for verdict in verdicts for notice in verdict.notices),
        bootstrap=any(verdict.bootstrap for verdict in verdicts),
        observe=any(verdict.observe for verdict in verdicts),
        started=min(verdict.started for verdict in verdicts),
        finished=max(verdict.finished for verdict in verdicts),
    )
