"""The one answer of every gate.

`Verdict` is data only. `aegis.report` renders it, `aegis.cli` turns it into an exit code. Its JSON form is version 1
of the published schema `docs/schemas/verdict.v1.schema.json`, which is generated from these types.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["pass", "fail", "error"]
"""`pass`, `fail` (the policy is not met) or `error` (could not decide). Only `pass` lets anything go on."""

Cause = Literal["your-change", "artifact", "could-not-decide"]
"""Whose cause a finding is: this change, somebody else's artifact, or nobody's until it is run again."""

SCHEMA_ID = "urn:aegis-gates:schema:verdict:v1"
PREDICATE_TYPE = "https://in-toto.io/attestation/test-result/v0.1"
"""Of a verdict as an in-toto statement."""
EXIT_PASS, EXIT_FAIL, EXIT_USAGE, EXIT_ERROR = 0, 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One reason against passing."""

    rule: str
    """A code of the registry, `<gate>.<cause>`."""
    message: str
    remedy: str
    fingerprint: str
    """SHA-256 (hex) of what the finding says, free of line numbers, so that it survives moves."""
    cause: Cause = "your-change"
    path: str | None = None
    """Relative to the repository's root, with forward slashes."""
    line: int | None = None
    """From 1."""
    column: int | None = None
    """From 1, in characters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What was judged, as in an in-toto statement's subject."""

    name: str
    digest: dict[str, str]
    """Algorithm to hex, e.g. `{"gitCommit": "…"}` or `{"sha256": "…"}` (in-toto digest sets)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """The tool that answered."""

    name: str
    version: str
    digest: str
    """SHA-256 (hex) over the action's source tree."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where and for whom the gate ran. Unknown is null, never guessed."""

    repository: str | None = None
    commit: str | None = None
    base: str | None = None
    event: str | None = None
    run_url: str | None = None
    run_attempt: int | None = None
    actor: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyInForce:
    """The policy that was applied."""

    origin: str
    """Where it was read: `<commit>:aegis.yml`, a path, or `defaults`."""
    sha256: str
    """Of the file's bytes; of nothing for the defaults."""
    effective: dict[str, Any]
    """The gate's section after defaults, `extends` and tightening."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """One thing that the gate looked at or counted."""

    name: str
    value: Any
    """Anything that JSON can hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedWaiver:
    """A finding that was let through by name."""

    fingerprint: str
    rule: str
    reason: str
    owner: str
    expires: str
    """ISO 8601 date, the last day on which it holds (UTC)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A gate's answer with its policy, its evidence and its findings."""

    gate: str
    result: Result
    reason: str
    """A code of the registry: why this result."""
    decision: str
    """The gate's own word for it."""
    subject: tuple[Subject, ...]
    tool: Tool
    source: Source
    policy: PolicyInForce
    started: str
    """RFC 3339, UTC."""
    finished: str
    evidence: tuple[Evidence, ...] = ()
    findings: tuple[Finding, ...] = ()
    waivers: tuple[AppliedWaiver, ...] = ()
    notices: tuple[str, ...] = ()
    bootstrap: bool = False
    """The base commit had no policy, so the head's own was used."""
    observe: bool = False
    """`mode: observe`: reported only, and never looks like a pass."""
    reproduce: str = ""
    """One command that gives the same answer on a laptop."""
    schema: str = field(default=SCHEMA_ID)


def exit_code(verdict: Verdict) -> int:
    """Exit code of one verdict: 0 pass, 1 fail, 2 wrong usage or policy, 3 could not decide."""
    if verdict.result == "pass":
        return EXIT_PASS
    if verdict.result == "fail":
        return EXIT_FAIL
    return EXIT_USAGE if verdict.decision == "misconfigured" else EXIT_ERROR


def worst_exit(codes: Iterable[int]) -> int:
    """Exit code of several gates together: the worst counts, in the order 2, 3, 1, 0. None at all is 3."""
    order = (EXIT_USAGE, EXIT_ERROR, EXIT_FAIL, EXIT_PASS)
    found = set(codes)
    unknown = found - set(order)
    if unknown or not found:
        return EXIT_ERROR if EXIT_USAGE not in found else EXIT_USAGE
    return next(code for code in order if code in found)
