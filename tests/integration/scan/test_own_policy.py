"""This repository keeps its own rule, and each exception in its policy is needed."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from msgspec import structs

from aegis.adapters.git import open_repository
from aegis.adapters.semgrep import SemgrepCore
from aegis.core.base import Base
from aegis.core.policy_file import parse_policy
from aegis.core.policy_in_force import InForce
from aegis.core.verdict import Finding
from aegis.gates.scan.gate import Request, judge

ROOT = Path(__file__).parents[3]
POLICY = parse_policy((ROOT / "aegis.yml").read_bytes(), file="aegis.yml").policy
assert POLICY.scan is not None
SECTION = POLICY.scan


def findings(engine: Path, without: int | None = None) -> tuple[Finding, ...]:
    allow = tuple(entry for number, entry in enumerate(SECTION.allow) if number != without)
    request = Request(
        policy=structs.replace(SECTION, allow=allow),
        in_force=InForce(POLICY, "aegis.yml", ""),
        policy_file="aegis.yml",
        base=Base("whole", None, None, "whole repository"),
        today=datetime.date(2026, 11, 23),
    )
    repository, _ = open_repository(ROOT)
    return judge(request, repository, SemgrepCore(lambda: engine)).outcome.findings


def test_no_finding_on_this_repository(engine: Path) -> None:
    assert findings(engine) == ()


@pytest.mark.parametrize("number", range(len(SECTION.allow)))
def test_each_exception_is_needed(engine: Path, number: int) -> None:
    assert findings(engine, without=number)
