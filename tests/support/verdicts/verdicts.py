"""Verdicts that the report tests share."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from aegis.core.verdict import (
    AppliedWaiver,
    Evidence,
    Finding,
    PolicyInForce,
    Source,
    Subject,
    Tool,
    Verdict,
)

COMMIT = "1f" * 20


def finding(**changes: Any) -> Finding:
    plain = Finding(
        rule="scan.runtime",
        message="`boto3` is used directly",
        remedy="Call the adapter.",
        fingerprint=hashlib.sha256(repr(sorted(changes.items())).encode()).hexdigest(),
        path="src/app.py",
        line=3,
        column=1,
    )
    return replace(plain, **changes)


def verdict(**changes: Any) -> Verdict:
    """A passing one."""
    plain = Verdict(
        gate="scan",
        result="pass",
        reason="core.passed",
        decision="pass",
        subject=(Subject(name="octo/widgets", digest={"gitCommit": COMMIT}),),
        tool=Tool(name="aegis", version="1.0.0", digest="ab" * 32),
        source=Source(
            repository="octo/widgets",
            commit=COMMIT,
            base="2e" * 20,
            event="pull_request",
            run_url="https://github.com/octo/widgets/actions/runs/7",
            run_attempt=1,
            actor="octocat",
        ),
        policy=PolicyInForce(origin=f"{'2e' * 20}:aegis.yml", sha256="cd" * 32, effective={"strict": True}),
        started="2026-01-02T03:04:05Z",
        finished="2026-01-02T03:04:06Z",
        evidence=(Evidence(name="files", value=12),),
        reproduce="aegis scan . --base 2e2e2e2e",
    )
    return replace(plain, **changes)


def failing(*findings: Finding, **changes: Any) -> Verdict:
    return verdict(result="fail", reason="core.findings", decision="fail", findings=findings or (finding(),), **changes)


def undecided(**changes: Any) -> Verdict:
    return verdict(**{"result": "error", "reason": "scan.engine_failed", "decision": "error", **changes})


def waiver() -> AppliedWaiver:
    return AppliedWaiver(
        fingerprint="ef" * 32,
        rule="scan.runtime",
        reason="moves in Q3",
        owner="@octo/platform",
        expires="2026-03-31",
    )


def every_kind() -> list[Verdict]:
    """One of each kind that a report must tell apart."""
    return [
        verdict(),
        verdict(waivers=(waiver(),)),
        verdict(bootstrap=True),
        verdict(observe=True),
        verdict(reason="core.not_applicable", notices=("no candidate in this change",)),
        failing(),
        failing(finding(), finding(line=9), finding(path=None, line=None, column=None)),
        failing(finding(cause="artifact")),
        failing(observe=True),
        undecided(),
        undecided(reason="core.policy_invalid", decision="misconfigured"),
    ]


HOSTILE = (
    "::error::owned",
    "x\n::set-output name=a::b",
    "##[add-mask]x",
    "a|b`c`|d",
    "``` ` ``",
    "</code><script>alert(1)</script>",
    "<!-- -->",
    "[click](https://evil.example)",
    "![x](https://evil.example/x.png)",
    "@octocat and #1",
    "https://evil.example/www.evil.example",
    "\x1b[31mred\x1b]8;;https://evil.example\x07",
    "\u202egnp.exe",
    "caf\udce9.py",
    "a,b:c%0Ad=e;f",
    "&#64;&lt;b&gt;",
    "line\r\nbreak",
    "\u2028\u0085\x00",
    "\\",
    "*_~^$",
)
"""Values that a pull request's author could choose, each aimed at one of the forms."""
