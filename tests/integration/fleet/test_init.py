"""`aegis fleet init` against a double that answers as GitHub's description says."""

from __future__ import annotations

from tests.doubles.github_fleet import OrganisationAtGitHub
from tests.integration.fleet.conftest import Run

BRANCH = "aegis/init"


def test_a_dry_run_tells_and_writes_nothing(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", {"README.md": "shop\n"})
    told = run("init", "--gates", "scan")
    assert (told.code, told.states) == (0, {"shop": "would write"}), told
    assert not [line for line in github.requests if not line.startswith("GET ")]


def test_a_pull_request_adds_what_init_writes(run: Run, github: OrganisationAtGitHub) -> None:
    shop = github.add("shop", {"README.md": "shop\n"})
    done = run("init", "--gates", "scan", "--yes")
    assert (done.code, done.states) == (0, {"shop": "written"}), done
    assert shop.git.text(BRANCH, "README.md") == "shop\n"
    assert "scan:" in str(shop.git.text(BRANCH, "aegis.yml"))
