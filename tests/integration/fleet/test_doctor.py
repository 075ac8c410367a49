"""`aegis fleet doctor`: what `aegis doctor` says of each repository."""

from __future__ import annotations

import pytest

from tests.doubles.github_fleet import OrganisationAtGitHub, RepositoryAtGitHub
from tests.integration.fleet.conftest import Run


@pytest.fixture
def shop(run: Run, github: OrganisationAtGitHub) -> RepositoryAtGitHub:
    """A repository with its gates."""
    made = github.add("shop", {"README.md": "x\n"})
    run("init", "--gates", "scan", "--owner", "@octo/platform", "--yes")
    made.close(1, merged=True)
    return made


def test_what_init_and_protect_leave_is_well(run: Run, shop: RepositoryAtGitHub) -> None:
    assert run("protect", "--yes").code == 0
    done = run("doctor")
    assert (done.code, done.states) == (0, {"shop": "well"}), done
    assert done.detail("shop") == "gates: scan"


def test_what_is_missing_is_counted_and_hides_nothing(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.add("bare", {"README.md": "x\n"})
    github.add("empty")
    github.add("locked", {"README.md": "x\n"}).settings.right = "read"
    done = run("doctor")
    assert done.states == {"shop": "found", "bare": "found", "empty": "excluded", "locked": "error"}
    assert (done.code, done.codes["locked"], done.codes["shop"]) == (3, "github.no_permission", "doctor.found")
    assert "doctor.check_not_required" in done.detail("shop")
    assert "doctor.no_policy" in done.detail("bare")
    assert run("doctor", "--without", "locked").code == 1


def test_files_alone_need_no_administrator(run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub) -> None:
    shop.settings.right = "read"
    github.requests.clear()
    done = run("doctor", "--no-settings")
    assert (done.code, done.states) == (0, {"shop": "well"}), done
    assert not [line for line in github.requests if "ruleset" in line or "protection" in line]


def test_a_right_that_the_token_lacks_is_no_good_answer(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.unseen = frozenset({"GET /repos/{owner}/{repo}/actions/permissions/workflow"})
    done = run("doctor")
    assert (done.code, done.codes) == (3, {"shop": "github.no_permission"})
