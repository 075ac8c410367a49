"""The issue about backups: which runs open one, and that each is opened once, updated and closed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.backup_check.issue import LABEL, keep
from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.main import main
from aegis.core.verdict import PolicyInForce, Verdict
from tests.doubles import github as github_double
from tests.doubles.github import Fault, GitHub
from tests.doubles.github_issues import TOKEN
from tests.support.verdicts.verdicts import failing, finding, undecided, verdict

OPTIONS = BackupCheckOptions(mode="verify", github=True)
BAD = finding(rule="backup_check.no_backup", message="shop: `none` <!-- @octocat", path=None, line=None, column=None)
PASSED = verdict(gate="backup-check")
FAILED = failing(BAD, gate="backup-check")


@pytest.fixture
def github() -> Iterator[GitHub]:
    with github_double.serve(GitHub()) as running:
        yield running


@pytest.fixture
def environ(github: GitHub, tmp_path: Path) -> dict[str, str]:
    """Of a scheduled run."""
    return surroundings(github, tmp_path, "schedule")


def surroundings(github: GitHub, folder: Path, event: str, branch: str = "main") -> dict[str, str]:
    payload = folder / "event.json"
    payload.write_text(json.dumps({"repository": {"default_branch": "main"}}), "utf-8")
    return {
        "GITHUB_EVENT_NAME": event,
        "GITHUB_EVENT_PATH": str(payload),
        "GITHUB_REF": f"refs/heads/{branch}",
        "GITHUB_API_URL": github.api,
        "AEGIS_INPUT_GITHUB_TOKEN": TOKEN,
    }


def open_ones(github: GitHub) -> list[dict[str, Any]]:
    return [each for each in github.issues.every if each["state"] == "open"]


def test_opened_once_updated_and_closed_by_the_next_that_passes(github: GitHub, environ: dict[str, str]) -> None:
    assert keep(PASSED, OPTIONS, environ) == ""
    assert github.issues.every == []
    assert keep(FAILED, OPTIONS, environ) == ""
    (issue,) = open_ones(github)
    assert (issue["title"], issue["labels"]) == ("Backups (mode verify): FAIL", [{"name": LABEL}])
    assert "https://github.com/octo/widgets/actions/runs/7" in issue["body"]
    assert keep(undecided(gate="backup-check"), OPTIONS, environ) == ""
    assert len(github.issues.every) == 1
    assert "COULD NOT DECIDE" in github.issues.comments[1][0]
    assert keep(PASSED, OPTIONS, environ) == ""
    assert (issue["state"], issue["state_reason"]) == ("closed", "completed")
    assert github.issues.comments[1][1].startswith("Passes again")
    assert keep(PASSED, OPTIONS, environ) == ""
    assert len(github.issues.comments[1]) == 2
    assert keep(FAILED, OPTIONS, environ) == ""
    assert len(open_ones(github)) == 1


def test_what_comes_from_outside_is_a_block_of_code(github: GitHub, environ: dict[str, str]) -> None:
    keep(failing(replace(BAD, message="```\n@octocat <script> " + "x" * 90_000), gate="backup-check"), OPTIONS, environ)
    (issue,) = github.issues.every
    before, _, inside = issue["body"].partition("````text\n")
    assert "@octocat" not in before
    assert inside.count("````") == 1
    assert len(issue["body"]) < 65_536


@pytest.mark.parametrize(
    "other",
    [
        replace(OPTIONS, mode="check"),
        replace(OPTIONS, database="shop"),
        replace(OPTIONS, policy="aegis.backup.yml"),
    ],
    ids=["mode", "database", "policy"],
)
def test_another_question_has_an_issue_of_its_own(
    github: GitHub, environ: dict[str, str], other: BackupCheckOptions
) -> None:
    keep(FAILED, OPTIONS, environ)
    keep(FAILED, other, environ)
    assert len(open_ones(github)) == 2
    keep(PASSED, other, environ)
    (left,) = open_ones(github)
    assert left["number"] == 1


def test_by_hand_on_the_default_branch(github: GitHub, tmp_path: Path) -> None:
    keep(FAILED, OPTIONS, surroundings(github, tmp_path, "workflow_dispatch"))
    assert len(github.issues.every) == 1


@pytest.mark.parametrize(
    ("event", "branch"),
    [("workflow_dispatch", "topic"), ("push", "main"), ("pull_request", "main"), ("workflow_run", "main")],
)
def test_runs_that_somebody_waits_for_open_none(github: GitHub, tmp_path: Path, event: str, branch: str) -> None:
    assert keep(FAILED, OPTIONS, surroundings(github, tmp_path, event, branch)) == ""
    assert github.requests == []


@pytest.mark.parametrize(
    "quiet",
    [
        replace(FAILED, observe=True),
        replace(FAILED, policy=PolicyInForce(origin="aegis.yml", sha256="", effective={"issue": False})),
    ],
    ids=["observe", "turned off"],
)
def test_verdicts_that_open_none(github: GitHub, environ: dict[str, str], quiet: Verdict) -> None:
    assert keep(quiet, OPTIONS, environ) == ""
    assert github.requests == []


def test_a_policy_that_cannot_be_read_opens_one(github: GitHub, environ: dict[str, str]) -> None:
    unread = undecided(policy=PolicyInForce(origin="unknown", sha256="", effective={}), gate="backup-check")
    assert keep(unread, OPTIONS, environ) == ""
    assert len(github.issues.every) == 1


class TestFaults:
    """Whatever stands in the way is told, without the token, and raises nothing."""

    def told(self, environ: dict[str, str], given: Verdict = FAILED) -> str:
        problem = keep(given, OPTIONS, environ)
        assert problem
        assert TOKEN not in problem
        return problem

    def test_no_token(self, environ: dict[str, str]) -> None:
        assert "github-token" in self.told({**environ, "AEGIS_INPUT_GITHUB_TOKEN": ""})

    @pytest.mark.parametrize("token", ["with space", "ümlaut"])
    def test_what_is_no_token(self, environ: dict[str, str], token: str) -> None:
        assert "token" in self.told({**environ, "AEGIS_INPUT_GITHUB_TOKEN": token})

    @pytest.mark.parametrize("address", ["http://evil.example", "https://u@host", "file:///x"])
    def test_an_address_that_tokens_must_not_be_sent_to(self, environ: dict[str, str], address: str) -> None:
        assert "GITHUB_API_URL" in self.told({**environ, "GITHUB_API_URL": address})

    def test_no_repository(self, environ: dict[str, str]) -> None:
        assert "repository" in self.told(environ, replace(FAILED, source=replace(FAILED.source, repository=None)))

    def test_a_token_that_may_not_write(self, github: GitHub, environ: dict[str, str]) -> None:
        github.issues.may_write = False
        assert "403" in self.told(environ)

    def test_a_token_that_may_not_label(self, github: GitHub, environ: dict[str, str]) -> None:
        github.issues.may_label = False
        assert LABEL in self.told(environ)

    def test_another_token(self, environ: dict[str, str]) -> None:
        assert "401" in self.told({**environ, "AEGIS_INPUT_GITHUB_TOKEN": "ghs_other"})

    def test_a_server_in_trouble(self, github: GitHub, environ: dict[str, str]) -> None:
        github.faults.append(Fault(502, times=9))
        assert "502" in self.told(environ)

    def test_an_event_that_cannot_be_read(self, environ: dict[str, str]) -> None:
        assert "event" in self.told({**environ, "GITHUB_EVENT_PATH": "/nowhere"})

    def test_closing_that_is_refused(self, github: GitHub, environ: dict[str, str]) -> None:
        keep(FAILED, OPTIONS, environ)
        github.issues.may_write = False
        assert "403" in self.told(environ, PASSED)
        assert len(open_ones(github)) == 1

    def test_an_issue_that_a_stranger_made_keeps_nothing_quiet(self, github: GitHub, environ: dict[str, str]) -> None:
        keep(FAILED, OPTIONS, environ)
        body = github.issues.every.pop()["body"]
        github.issues.add("mine", body)  # no label: he may not set one
        keep(FAILED, OPTIONS, environ)
        assert len(github.issues.every) == 2


def test_a_report_that_cannot_be_written_keeps_no_alarm_quiet(
    github: GitHub, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = {"GITHUB_WORKSPACE": str(tmp_path), "GITHUB_REPOSITORY": "octo/widgets", "AEGIS_INPUT_UPLOAD": "never"}
    for name, value in {**environ, **inputs, "GITHUB_STEP_SUMMARY": str(tmp_path / "no" / "such")}.items():
        monkeypatch.setenv(name, value)
    assert main(["backup-check", "--github"]) == 3
    assert len(open_ones(github)) == 1
