"""The gate's own decisions, on real repositories, with an engine that answers from the catalogue."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.core.base import Base
from aegis.core.errors import UsageError
from aegis.core.outcome import Outcome
from aegis.core.policy import Allow, Policy, ScanPolicy
from aegis.core.policy_in_force import InForce
from aegis.gates.scan.catalogue import load
from aegis.gates.scan.gate import CODE_CLASSES, Judged, Request, judge
from tests.doubles.engine import ScriptedEngine
from tests.support.scan.gitrepo import HERMETIC, GitRepo

CATALOGUE = load()
USE = "import boto3\n"
TODAY = datetime.date(2026, 6, 1)


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepo:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    return GitRepo.init(tmp_path / "repo")


def judged(
    repo: GitRepo,
    policy: ScanPolicy | None = None,
    *,
    base: str | None = None,
    engine: ScriptedEngine | None = None,
    loosened: tuple[str, ...] = (),
    **options: Any,
) -> Judged:
    policy = policy or ScanPolicy()
    request = Request(
        policy=policy,
        in_force=InForce(Policy(version=1, scan=policy), "aegis.yml", "0" * 64, loosened=loosened),
        policy_file="aegis.yml",
        base=Base("change" if base else "whole", base, base, "compared as asked"),
        today=TODAY,
        **options,
    )
    repository, _ = open_repository(repo.root)
    return judge(request, repository, engine or ScriptedEngine(CATALOGUE))


def rules(outcome: Outcome) -> list[tuple[str, str | None]]:
    return [(finding.rule, finding.path) for finding in outcome.findings]


def evidence(outcome: Outcome, name: str) -> Any:
    return next(each.value for each in outcome.evidence if each.name == name)


def test_lenient_fails_on_code_alone(repo: GitRepo) -> None:
    repo.commit({"a.py": USE, "run.sh": "aws s3 ls\n"})
    lenient = judged(repo, ScanPolicy(strict=False)).outcome
    assert rules(lenient) == [("scan.runtime", "a.py")]
    assert "1 uses of class cli; `--strict` fails on them" in lenient.notices
    assert rules(judged(repo).outcome) == [("scan.runtime", "a.py"), ("scan.cli", "run.sh")]
    assert {"runtime", "dynamic", "embedded"} == CODE_CLASSES


def test_a_disagreement_fails_even_where_the_use_is_allowed(repo: GitRepo) -> None:
    repo.commit({"a.py": USE})
    controls = 1 + len(CATALOGUE.providers)
    engine = ScriptedEngine(CATALOGUE, spoil=lambda hit: hit if hit.line <= controls + 1 else None)
    policy = ScanPolicy(allow=(Allow(path="a.py", provider="aws", reason="an adapter"),))
    assert rules(judged(repo, policy, engine=engine).outcome) == [("scan.engine_mismatch", "a.py")]


def test_what_is_allowed_is_listed_and_not_found(repo: GitRepo) -> None:
    repo.commit({"adapters/a.py": USE, "b.py": USE})
    policy = ScanPolicy(allow=(Allow(path="adapters/**", provider="aws", reason="an adapter"),))
    result = judged(repo, policy)
    assert rules(result.outcome) == [("scan.runtime", "b.py")]
    assert [use.path for use in result.uses] == ["adapters/a.py", "b.py"]
    assert [use.path for use in result.not_allowed] == ["b.py"]
    assert evidence(result.outcome, "uses") == {"runtime": 2}


def test_an_allowed_use_that_leaves_its_adapter_is_new(repo: GitRepo) -> None:
    base = repo.commit({"adapters/a.py": USE})
    repo.commit({"adapters/a.py": "x = 1\n", "b.py": USE})
    policy = ScanPolicy(allow=(Allow(path="adapters/**", provider="aws", reason="an adapter"),))
    assert rules(judged(repo, policy, base=base).outcome) == [("scan.runtime", "b.py")]


def test_a_moved_use_is_not_new(repo: GitRepo) -> None:
    base = repo.commit({"a.py": USE})
    repo.commit({"a.py": "x = 1\n", "b.py": USE})
    result = judged(repo, base=base)
    assert rules(result.outcome) == []
    assert evidence(result.outcome, "known") == {"before": 1, "suppressed": 0}
    assert result.before is not None


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"aegis.yml": "b\n"}, []),
        ({"aegis.yml": "b\n", "README.md": "b\n"}, [("core.policy_loosened", "aegis.yml")]),
        ({"README.md": "b\n"}, [("core.policy_loosened", "aegis.yml")]),
    ],
)
def test_a_loosening_passes_only_alone(repo: GitRepo, files: dict[str, str], found: list[tuple[str, str]]) -> None:
    base = repo.commit({"aegis.yml": "a\n", "README.md": "a\n"})
    repo.commit(files)
    outcome = judged(repo, base=base, loosened=("scan.strict: false",)).outcome
    assert rules(outcome) == found
    assert any("scan.strict: false" in notice for notice in outcome.notices) == (not found)


def test_unknown_providers_are_wrong_usage(repo: GitRepo) -> None:
    repo.commit({"a.py": USE})
    with pytest.raises(UsageError, match="awz") as caught:
        judged(repo, ScanPolicy(providers=("awz",)))
    assert caught.value.code == "scan.unknown_provider"
    with pytest.raises(UsageError, match="awz"):
        judged(repo, ScanPolicy(allow=(Allow(path="a.py", provider="awz", reason="x"),)))


def test_nothing_to_judge_says_why(repo: GitRepo) -> None:
    base = repo.commit()
    assert judged(repo).outcome.not_applicable == "no file to scan"
    assert judged(repo, base=base).outcome.not_applicable == "the change touches no file"
    repo.commit({"a.py": "x = 1\n"})
    assert judged(repo, base=base).outcome.not_applicable is None


def test_a_part_of_a_repository_cannot_know_what_is_unused(repo: GitRepo) -> None:
    repo.commit({"a/a.py": "x = 1\n"})
    policy = ScanPolicy(allow=(Allow(path="b/**", provider="aws", reason="an adapter"),))
    assert any("matches nothing" in notice for notice in judged(repo, policy).outcome.notices)
    assert not any("matches nothing" in notice for notice in judged(repo, policy, paths=("a",)).outcome.notices)


def test_an_old_catalogue_is_warned_about(repo: GitRepo) -> None:
    repo.commit({"a.py": "x = 1\n"})
    notices = judged(repo).outcome.notices
    assert ("catalogue" in " ".join(notices)) == (CATALOGUE.age_notice(TODAY) is not None)
    assert CATALOGUE.age_notice(CATALOGUE.as_of + datetime.timedelta(days=3650)) is not None
