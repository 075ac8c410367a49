"""Whose policy judges a change, and what a change may do to it."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.cli.scan.command import answer
from aegis.cli.scan.options import ScanOptions
from aegis.core.verdict import Verdict, exit_code
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.scanning import scan

USE = "import boto3\n"
STRICT = "version: 1\nscan:\n  strict: true\n"
ALLOW = STRICT + '  allow: [{path: "adapters/**", provider: aws, reason: "the object store"}]\n'
Run = Callable[..., Verdict]
SOON = (datetime.datetime.now(datetime.UTC).date() + datetime.timedelta(days=60)).isoformat()


def test_the_base_commits_policy_is_in_force(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT})
    repo.commit({"aegis.yml": ALLOW, "adapters/s3.py": USE})
    result = scan(repo.root, "--base", base)
    assert result.code == 1
    assert ("scan.runtime", "adapters/s3.py", 1) in result.findings
    assert result.verdict["policy"]["origin"] == f"{base}:aegis.yml"
    assert "allow" not in result.verdict["policy"]["effective"] or not result.verdict["policy"]["effective"]["allow"]


def test_a_change_of_the_policy_alone_is_told_and_passes(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT, "svc.py": "x = 1\n"})
    repo.commit({"aegis.yml": ALLOW})
    result = scan(repo.root, "--base", base)
    assert result.code == 0
    assert any("loosens the policy and does nothing else" in notice for notice in result.notices)


def test_a_loosening_beside_anything_else_fails(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT, "README.md": "x\n"})
    repo.commit({"aegis.yml": ALLOW, "README.md": "y\n"})
    result = scan(repo.root, "--base", base)
    assert (result.code, result.findings) == (1, [("core.policy_loosened", "aegis.yml", 1)])
    assert "adapters/**" in result.messages[0]


GATES = """\
version: 1
scan: {}
verify:
  artifacts: [{name: tool, kind: file, source: bin/tool, signers: [{key: keys/0.pub}]}]
canary:
  prometheus: {url: "https://prometheus.example.com"}
  rollout: {namespace: shop, name: web}
  metrics: [{preset: http}]
  requires: {source: verdicts/, gates: [verify, scan], signers: [{key: keys/1.pub}]}
backup-check:
  store: s3://bkt/db/
  databases: [{name: shop, max-age: 26h}]
"""


@pytest.mark.parametrize(
    ("loosened", "says"),
    [
        (("signers: [{key: keys/0.pub}]", "signers: [{key: keys/0.pub}, {key: keys/2.pub}]"), "keys/2.pub is new"),
        (("gates: [verify, scan], ", "gates: [scan], "), "canary.requires.gates: verify is gone"),
        (("max-age: 26h", "max-age: 60h"), "backup-check.databases.shop.max-age: 60h"),
    ],
    ids=["verify", "canary", "backup-check"],
)
def test_what_another_gate_would_let_through_is_told_too(repo: GitRepo, loosened: tuple[str, str], says: str) -> None:
    base = repo.commit({"aegis.yml": GATES, "README.md": "x\n", "a/svc.py": "x = 1\n"})
    repo.commit({"aegis.yml": GATES.replace(*loosened)})
    for folder in (repo.root, repo.root / "a"):
        alone = scan(folder, "--base", base)
        assert (alone.code, alone.findings) == (0, [])
        assert [says in notice for notice in alone.notices if "loosens the policy" in notice] == [True]
    repo.commit({"README.md": "y\n"})
    for folder in (repo.root, repo.root / "a"):
        beside = scan(folder, "--base", base)
        assert (beside.code, beside.findings) == (1, [("core.policy_loosened", "aegis.yml", 1)])
        assert says in beside.messages[0]


@pytest.mark.parametrize(("key", "section"), [("keys/0.pub", "verify"), ("keys/1.pub", "canary")])
def test_another_key_of_another_gate_is_told_too(repo: GitRepo, key: str, section: str) -> None:
    base = repo.commit({"aegis.yml": GATES, "keys/0.pub": "zero", "keys/1.pub": "one", "README.md": "x\n"})
    repo.commit({key: "mine"})
    alone = scan(repo.root, "--base", base)
    assert (alone.code, alone.findings) == (0, [])
    assert [f"{section}: {key} is another one" in each for each in alone.notices if "loosens" in each] == [True]
    repo.commit({"README.md": "y\n"})
    assert scan(repo.root, "--base", base).messages == [
        f"the change loosens the policy: {section}: {key} is another one"
    ]


def test_a_policy_with_its_key_and_lock_is_a_change_of_the_policy_alone(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": GATES, "keys/0.pub": "zero"})
    weaker = GATES.replace("max-age: 26h", "max-age: 60h")
    repo.commit({"aegis.yml": weaker, "keys/0.pub": "mine", "aegis.lock": "{}"})
    assert scan(repo.root, "--base", base).code == 0
    repo.commit({"keys/9.pub": "mine"})
    assert scan(repo.root, "--base", base).code == 1


def test_a_renamed_policy_is_no_change_of_the_policy_alone(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT})
    repo.git("mv", "aegis.yml", "notes.yml")
    repo.commit()
    assert scan(repo.root, "--base", base).findings == [("core.policy_loosened", "aegis.yml", 1)]


def test_a_tightening_passes(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": ALLOW, "svc.py": "x = 1\n"})
    repo.commit({"aegis.yml": STRICT, "svc.py": "x = 2\n"})
    assert scan(repo.root, "--base", base).code == 0


def test_the_first_policy_is_the_heads_own_and_says_so(repo: GitRepo) -> None:
    base = repo.commit({"adapters/s3.py": "x = 1\n"})
    repo.commit({"aegis.yml": ALLOW, "adapters/s3.py": USE})
    result = scan(repo.root, "--base", base)
    assert (result.code, result.verdict["bootstrap"]) == (0, True)


def test_the_first_baseline_can_go_green(repo: GitRepo) -> None:
    base = repo.commit({"svc.py": USE})
    repo.commit({"aegis.yml": STRICT + "  baseline: known.json\n", "known.json": '{"version": 1, "uses": {}}'})
    assert scan(repo.root, "--base", base).code == 0


def test_a_policy_that_the_change_breaks_is_an_error_now(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT})
    repo.commit({"aegis.yml": "version: 1\nscan:\n  strikt: true\n"})
    result = scan(repo.root, "--base", base)
    assert (result.code, result.verdict["reason"]) == (2, "core.policy_invalid")


def test_a_suppression_of_the_change_does_not_count(repo: GitRepo) -> None:
    base = repo.commit({"aegis.yml": STRICT})
    entry = f"{{rule: scan.runtime, path: svc.py, owner: me, reason: me, expires: {SOON}}}"
    repo.commit({"aegis.yml": STRICT + f"  suppressions: [{entry}]\n", "svc.py": USE})
    assert {rule for rule, _, _ in scan(repo.root, "--base", base).findings} == {"scan.runtime", "core.policy_loosened"}


class TestExtends:
    """`extends` takes the organisation's policy from its server, which is a folder here."""

    @pytest.fixture
    def organisation(self, tmp_path: Path) -> GitRepo:
        return GitRepo.init(tmp_path / "server" / "org" / "policy")

    @pytest.fixture
    def run(self, repo: GitRepo, tmp_path: Path) -> Run:
        def run(policy: str, **files: str) -> Verdict:
            repo.commit({"aegis.yml": policy, **{name.replace("_", "/") + ".py": text for name, text in files.items()}})
            environ = {"GITHUB_SERVER_URL": f"file://{tmp_path / 'server'}"}
            return answer(ScanOptions(path=str(repo.root)), environ)[0]

        return run

    def extending(self, commit: str, rest: str = "") -> str:
        return f"version: 1\nextends: {{repository: org/policy, commit: {commit}}}\n{rest}"

    def test_its_rules_hold(self, organisation: GitRepo, run: Run) -> None:
        commit = organisation.commit({"aegis.yml": ALLOW})
        verdict = run(self.extending(commit), adapters_s3=USE, svc=USE)
        assert [finding.path for finding in verdict.findings] == ["svc.py"]
        assert f"org/policy@{commit}:aegis.yml" in verdict.policy.origin

    def test_it_may_be_tightened(self, organisation: GitRepo, run: Run) -> None:
        commit = organisation.commit({"aegis.yml": "version: 1\nscan:\n  strict: false\n"})
        verdict = run(self.extending(commit, "scan:\n  strict: true\n"), tests_x=USE)
        assert [finding.rule for finding in verdict.findings] == ["scan.test"]

    def test_it_may_not_be_loosened(self, organisation: GitRepo, run: Run) -> None:
        commit = organisation.commit({"aegis.yml": STRICT})
        verdict = run(self.extending(commit, "scan:\n  strict: false\n"))
        assert (verdict.decision, verdict.reason) == ("misconfigured", "core.policy_loosened")

    def test_a_commit_that_is_not_there(self, organisation: GitRepo, run: Run) -> None:
        organisation.commit({"aegis.yml": STRICT})
        verdict = run(self.extending("f" * 40))
        assert (verdict.decision, verdict.reason) == ("could-not-decide", "core.extends_unresolved")

    def test_a_repository_that_is_not_there(self, run: Run) -> None:
        verdict = run(self.extending("f" * 40))
        assert (verdict.decision, verdict.reason) == ("could-not-decide", "core.extends_unresolved")

    def test_a_chain_is_refused(self, organisation: GitRepo, run: Run) -> None:
        commit = organisation.commit({"aegis.yml": self.extending("e" * 40)})
        verdict = run(self.extending(commit))
        assert (verdict.decision, verdict.reason) == ("misconfigured", "core.policy_invalid")


@pytest.mark.parametrize(("policy", "code"), [("scan: {}", 2), ("scan: {strict: false}", 0), (None, 0)])
def test_an_input_cannot_be_more_lenient_than_the_policy(repo: GitRepo, policy: str | None, code: int) -> None:
    repo.commit({"a.py": "x = 1\n", **({"aegis.yml": f"version: 1\n{policy}\n"} if policy else {})})
    verdict, _ = answer(ScanOptions(path=str(repo.root), lenient=True), {})
    assert exit_code(verdict) == code
    assert (verdict.reason == "core.policy_loosened") is (code == 2)
