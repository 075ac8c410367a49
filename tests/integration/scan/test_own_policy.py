"""This repository keeps its own rule, and each exception in its policy is needed."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from msgspec import structs

from aegis.adapters.git.repository import open_repository
from aegis.adapters.semgrep import SemgrepCore
from aegis.core.base import Base
from aegis.core.policy_file import parse_policy
from aegis.core.policy_in_force import InForce
from aegis.gates.scan.gate import Judged, Request, judge
from aegis.gates.scan.survey import Survey, Surveyor

ROOT = Path(__file__).parents[3]
POLICY = parse_policy((ROOT / "aegis.yml").read_bytes(), file="aegis.yml").policy
assert POLICY.scan is not None
SECTION = POLICY.scan


@pytest.fixture(scope="module", autouse=True)
def surveyed_once() -> Iterator[None]:
    """What the files say is the same, whatever the policy allows: it is read once for all tests."""
    read = Surveyor.tree
    with pytest.MonkeyPatch.context() as patch:
        surveys: list[Survey] = []

        def tree(surveyor: Surveyor, paths: Sequence[str] | None = None) -> Survey:
            if not surveys:
                surveys.append(read(surveyor, paths))
            return surveys[0]

        patch.setattr(Surveyor, "tree", tree)
        yield


def judged(engine: Path, without: int | None = None) -> Judged:
    allow = tuple(entry for number, entry in enumerate(SECTION.allow) if number != without)
    request = Request(
        policy=structs.replace(SECTION, allow=allow),
        in_force=InForce(POLICY, "aegis.yml", ""),
        policy_file="aegis.yml",
        base=Base("whole", None, None, "whole repository"),
        today=datetime.date(2026, 11, 23),
    )
    repository, _ = open_repository(ROOT)
    return judge(request, repository, SemgrepCore(lambda: engine))


@pytest.mark.xdist_group("own-policy")
def test_no_finding_on_this_repository_and_no_exception_for_nothing(engine: Path) -> None:
    outcome = judged(engine).outcome
    assert outcome.findings == ()
    assert [notice for notice in outcome.notices if "matches nothing" in notice] == []


@pytest.mark.xdist_group("own-policy")
@pytest.mark.parametrize("number", range(len(SECTION.allow)))
def test_each_exception_is_needed(engine: Path, number: int) -> None:
    assert judged(engine, without=number).outcome.findings
