"""`aegis doctor` on whole repositories: well after init and protect, and never well where it could not look."""

from __future__ import annotations

import json
import logging
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.main import main
from aegis.scaffold.protection import Wanted, ruleset
from tests.doubles.github import Fault
from tests.doubles.github_settings import ACTIONS_APP, SettingsAtGitHub
from tests.integration.scaffold.conftest import Run
from tests.support.scan.gitrepo import GitRepo

ROOT = Path(__file__).resolve().parents[3]
OPEN = {"deployment_branch_policy": None}
CUSTOM = {"protected_branches": False, "custom_branch_policies": True}
GATES = {"deployment_branch_policy": CUSTOM, "branches": ["main", "refs/pull/*/merge"]}
CLOSED = {"deployment_branch_policy": CUSTOM, "branches": ["main"]}


def protected(github: SettingsAtGitHub) -> None:
    """A repository in which nothing is left to mend."""
    wanted = Wanted(("sdk-scan", "verify-model-signatures-aws-oidc"), ACTIONS_APP)
    github.rulesets[100] = github._kept(ruleset(wanted, None), 100)
    github.environments["staging"] = GATES


def test_what_init_and_protect_leave_is_well(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes").code == 0
    github.environments["staging"] = GATES
    done = run("doctor", "--github")
    assert done.code == 0, done.out
    assert "Gates that run: scan, verify" in done.out


def test_findings_are_told_with_place_and_remedy(run: Run, github: SettingsAtGitHub, shop: GitRepo) -> None:
    scan = shop.root / ".github/workflows/sdk-scan.yml"
    scan.write_text(scan.read_text().replace("  merge_group:\n", ""))
    done = run("doctor")
    assert done.code == 1
    assert ".github/workflows/sdk-scan.yml:6: doctor.no_merge_group: no `merge_group` among the triggers\n" in done.out
    assert "next: Add `merge_group:` to the triggers." in done.out
    document: dict[str, Any] = json.loads(run("doctor", "--format", "json").out)
    assert [each["rule"] for each in document["findings"]] == ["doctor.no_merge_group"]
    assert github.requests == []


def test_what_an_older_version_wrote_is_told(run: Run, shop: GitRepo) -> None:
    record = shop.root / ".github/aegis-init.json"
    older = record.read_text().replace("timeout-minutes: 10", "timeout-minutes: 9")
    record.write_text(older)
    scan = shop.root / ".github/workflows/sdk-scan.yml"
    scan.write_text(scan.read_text().replace("timeout-minutes: 10", "timeout-minutes: 9"))
    done = run("doctor")
    assert (done.code, "doctor.out_of_date" in done.out) == (1, True)


def test_a_policy_or_workflow_that_cannot_be_read_is_a_finding(run: Run, shop: GitRepo) -> None:
    (shop.root / "aegis.extra.yml").write_text("version: 1\nscam: {}\n")
    (shop.root / ".github/workflows/odd.yml").write_text("on: push\non: push\n")
    done = run("doctor")
    assert done.code == 1
    assert "\naegis.extra.yml:2: doctor.policy_invalid: unknown key `scam` in the top level\n" in f"\n{done.out}"
    assert ".github/workflows/odd.yml:2: doctor.workflow_unreadable: the key 'on' stands twice\n" in done.out


def test_a_policy_that_cannot_be_read_is_there(run: Run, shop: GitRepo) -> None:
    (shop.root / "aegis.yml").write_text("version: 1\nscam: {}\n")
    done = run("doctor")
    assert "aegis.yml:2: doctor.policy_invalid: " in done.out
    assert "doctor.no_policy" not in done.out


def test_a_policy_that_is_no_text_is_named_once(run: Run, shop: GitRepo) -> None:
    (shop.root / "aegis.extra.yml").write_bytes(b"version: 1 # \xff\n")
    assert "\naegis.extra.yml:1: doctor.policy_invalid: byte 13 is not UTF-8\n" in f"\n{run('doctor').out}"


def test_names_from_outside_cannot_write_to_the_terminal(run: Run, shop: GitRepo) -> None:
    (shop.root / ".github/workflows/odd.yml").write_text(
        'on: pull_request\npermissions: {}\njobs:\n  a:\n    steps:\n      - uses: "a/b@\\e[31mred"\n'
    )
    done = run("doctor")
    assert done.code == 1
    assert "\x1b" not in done.out


WRITES = {"default_workflow_permissions": "write", "can_approve_pull_request_reviews": True}
UNKNOWN = {"line": 1, "column": 1, "kind": "Unknown owner", "message": "x", "path": "CODEOWNERS"}
WEAK: dict[str, tuple[dict[str, Any], str]] = {
    "open": ({"environments": {"staging": OPEN}}, "doctor.environment_open"),
    "missing": ({"environments": {}}, "doctor.environment_missing"),
    "every branch": (
        {"environments": {"staging": {"deployment_branch_policy": CUSTOM, "branches": ["*"]}}},
        "doctor.environment_open",
    ),
    "pull requests": (
        {"environments": {"staging": {**GATES, "branches": ["refs/*/merge"]}}},
        "doctor.environment_open",
    ),
    "ruleset": (
        {
            "environments": {
                "staging": {
                    "deployment_branch_policy": {**CUSTOM, "protected_branches": True, "custom_branch_policies": False}
                }
            }
        },
        "doctor.environment_open",
    ),
    "subject": ({"subject": {"use_default": False, "include_claim_keys": ["repo"]}}, "doctor.subject"),
    "token": ({"token_permissions": WRITES}, "doctor.token_approves"),
    "asleep": (
        {"workflows": [{"path": ".github/workflows/sdk-scan.yml", "state": "disabled_inactivity"}]},
        "doctor.workflow_off",
    ),
    "owners": ({"owner_errors": [UNKNOWN]}, "doctor.codeowners_broken"),
    "no rules": ({"rulesets": {}}, "doctor.check_not_required"),
}


@pytest.mark.parametrize("name", sorted(WEAK))
def test_a_weak_setting_is_found(name: str, run: Run, github: SettingsAtGitHub) -> None:
    change, code = WEAK[name]
    protected(github)
    for attribute, value in change.items():
        setattr(github, attribute, value)
    done = run("doctor", "--github")
    assert (done.code, code in done.out) == (1, True), done.out


def test_pull_requests_use_the_environment_of_their_gates_alone(
    run: Run, github: SettingsAtGitHub, shop: GitRepo
) -> None:
    protected(github)
    assert run("doctor", "--github").code == 0
    deploy = "on: push\npermissions: {}\njobs:\n  deploy:\n    environment: staging\n    steps: [{run: make}]\n"
    (shop.root / ".github/workflows/deploy.yml").write_text(deploy)
    done = run("doctor", "--github")
    assert "doctor.environment_open: every branch 'refs/pull/*/merge' may use the environment 'staging'" in done.out


def test_a_repository_of_another_name_is_not_looked_at(
    run: Run, github: SettingsAtGitHub, caplog: pytest.LogCaptureFixture
) -> None:
    """GitHub's client follows a 301 and loses the query, so that lists would end after 30 entries."""
    caplog.set_level(logging.WARNING, "github.Requester")
    protected(github)
    for words in (("doctor", "--github"), ("github", "protect", "--yes")):
        github.faults = [Fault(301, "Moved Permanently", {"Location": f"{github.api}/repos/octo/widgets"})]
        done = run(*words, "--repository", "octo/former")
        done.refused(3, "github.not_found", "'octo/former' now 'octo/widgets'")
        assert github.writes == []


def test_an_environment_of_a_job_without_a_gate_is_looked_at(run: Run, github: SettingsAtGitHub, shop: GitRepo) -> None:
    """It has the power: what it holds changes the infrastructure."""
    protected(github)
    assert main(["init", str(shop.root), "--update", "--terraform"]) == 0
    github.environments["terraform-plan"] = GATES  # its job runs on pull requests, without a gate
    github.environments["terraform-apply"] = CLOSED
    assert run("doctor", "--github").code == 0
    github.environments["terraform-apply"] = GATES
    assert "'refs/pull/*/merge' may use the environment 'terraform-apply'" in run("doctor", "--github").out
    github.environments["terraform-apply"] = OPEN
    done = run("doctor", "--github")
    assert (done.code, done.out.count("doctor.")) == (1, 1), done.out
    assert "doctor.environment_open: any branch may use the environment 'terraform-apply'" in done.out


@pytest.mark.parametrize(
    "unseen",
    [
        "GET /repos/{owner}/{repo}/actions/oidc/customization/sub",
        "GET /repos/{owner}/{repo}/actions/permissions/workflow",
        "GET /repos/{owner}/{repo}/actions/workflows",
        "GET /repos/{owner}/{repo}/branches/{branch}/protection",
        "GET /repos/{owner}/{repo}/codeowners/errors",
        "GET /repos/{owner}/{repo}/environments/{environment_name}",
        "GET /repos/{owner}/{repo}/rules/branches/{branch}",
        "GET /repos/{owner}/{repo}/rulesets",
        "GET /repos/{owner}/{repo}/rulesets/{ruleset_id}",
    ],
)
def test_what_the_token_may_not_see_is_never_well(unseen: str, run: Run, github: SettingsAtGitHub) -> None:
    protected(github)
    github.unseen = frozenset({unseen})
    run("doctor", "--github").refused(3, "github.no_permission", "Resource not accessible")


def test_a_reader_of_the_repository_is_told_that_he_cannot_look(run: Run, github: SettingsAtGitHub) -> None:
    protected(github)
    github.right = "read"
    run("doctor", "--github").refused(3, "github.no_permission")


def test_the_example_has_nothing_to_mend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    repo = GitRepo.init(tmp_path / "shop")
    shutil.copytree(ROOT / "examples" / "consumer", repo.root, dirs_exist_ok=True)
    assert main(["doctor", str(repo.root)]) == 0, capsys.readouterr().out


def test_without_the_extra_the_other_files_are_looked_at(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jinja2", None)
    done = run("doctor")
    assert (done.code, "0 found" in done.out) == (0, True)
    run("init", "--update").refused(3, "core.package_missing", "aegis-gates[scaffold]")
