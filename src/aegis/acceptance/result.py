"""What an acceptance run found: the types of `acceptance.json`, version 1, and how they follow from each other.

Every conclusion is a function of what is recorded below it, so that whoever reads the evidence can draw it again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from aegis.acceptance.catalogue import Mode
from aegis.core.verdict import EXIT_ERROR, EXIT_FAIL, EXIT_PASS, Tool

SCHEMA_ID: Final = "urn:aegis-gates:schema:acceptance:v1"
Status = Literal["pass", "fail", "error", "not-run"]
"""Only `pass` is one: `error` is a probe without an answer, `not-run` is what nobody looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSeen:
    """One thing that a probe looked at."""

    name: str
    result: Literal["pass", "fail"]
    detail: str
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One run of a probe."""

    name: str
    """`positive`, or the name of the fault that it has to see."""
    fault: str | None
    """What was planted; in a positive probe only by `--plant`."""
    plants: str
    """That, for people; empty where nothing was."""
    expected: tuple[str, ...]
    """The reasons with which a negative probe may fail."""
    result: Literal["pass", "fail", "error"]
    reason: str
    """A code: `core.passed`, why it failed, or why there is no answer."""
    message: str
    command: str
    """As it was run, below the repository's root; without what the engine adds for the evidence."""
    exit_code: int | None
    """None where it was killed or never ended."""
    started: str
    """RFC 3339, UTC."""
    finished: str
    checks: tuple[CheckSeen, ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def positive(self) -> bool:
        """Whether it looked at the real thing."""
        return not self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class CriterionResult:
    """One criterion's status, and what it rests on."""

    id: str
    title: str
    runbook: tuple[str, ...]
    status: Status
    reason: str
    message: str
    remedy: str
    simulated: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    kept: bool = False
    """Taken over by `--resume` from a run that was broken off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueUsed:
    """The catalogue that was run."""

    origin: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """A whole run."""

    mode: Mode
    asked: tuple[str, ...]
    """Ids of the criteria that were asked for."""
    planted: tuple[str, ...]
    """`A4:fault` for each fault that `--plant` put in place of the real thing."""
    commit: str | None
    uncommitted: bool
    """Whether the work tree differs from the commit."""
    catalogue: CatalogueUsed
    config_sha256: str | None
    """Of the staging configuration."""
    tool: Tool
    versions: dict[str, str]
    """Of the machine and what runs on it."""
    command: str
    started: str
    finished: str
    criteria: tuple[CriterionResult, ...]
    result: Status
    accepted: bool
    text: str
    """One sentence for people."""
    schema: str = field(default=SCHEMA_ID)


def overall(criteria: Sequence[CriterionResult], asked: Sequence[str]) -> Status:
    """The worst status of those that were asked for; none at all is an error."""
    found = {one.status for one in criteria if one.id in asked}
    order: tuple[Status, ...] = ("error", "not-run", "fail", "pass")
    return next((status for status in order if status in found), "error")


def accepted(
    criteria: Sequence[CriterionResult], *, planted: Sequence[str], commit: str | None, uncommitted: bool
) -> bool:
    """Whether everything that there is to accept was, of a commit that has a name, with nothing planted."""
    every = bool(criteria) and all(one.status == "pass" for one in criteria)
    return every and not planted and commit is not None and not uncommitted


def exit_code(result: Status) -> int:
    """0 only where each criterion that was asked for passed; 1 fail; 3 where there is no answer for one."""
    return {"pass": EXIT_PASS, "fail": EXIT_FAIL}.get(result, EXIT_ERROR)


def said(run: Acceptance) -> str:
    """The whole run in one sentence: the mode first, since `local` is not `staging`."""
    counted = {status: sum(one.status == status for one in run.criteria) for status in ("pass", "fail", "error")}
    rest = len(run.criteria) - sum(counted.values())
    numbers = f"{counted['pass']} of {len(run.criteria)} criteria passed"
    numbers += "".join(f", {counted[status]} {status}" for status in ("fail", "error") if counted[status])
    numbers += f", {rest} not run" if rest else ""
    end = "all accepted" if run.accepted else "not accepted"
    why = [f"planted: {', '.join(run.planted)}"] if run.planted else []
    why += ["of no commit"] if run.commit is None else ["with uncommitted changes"] if run.uncommitted else []
    aside = f" ({'; '.join(why)})" if why else ""
    return f"{kind(run.mode, run.criteria)}: {numbers}: {end}{aside}"


def kind(mode: Mode, criteria: Sequence[CriterionResult]) -> str:
    """How real the run was: `local (simulated parts: …)` or `staging (real)`; of what was run."""
    parts = sorted({part for one in criteria if one.status != "not-run" for part in one.simulated})
    return f"{mode} (simulated parts: {'; '.join(parts)})" if parts else f"{mode} (real)"
