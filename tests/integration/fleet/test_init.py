"""`aegis fleet init` against a double that answers as GitHub's description says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aegis.cli.main import main
from tests.doubles.git_store import GitStore
from tests.doubles.github_fleet import OrganisationAtGitHub, RepositoryAtGitHub
from tests.integration.fleet.conftest import Run
from tests.support.scan.gitrepo import GitRepo

BRANCH = "aegis/init"
REF = f"refs/heads/{BRANCH}"
SCAN = ("--gates", "scan")
POST_COMMIT, POST_PULL = "POST /repos/{owner}/{repo}/git/commits", "POST /repos/{owner}/{repo}/pulls"
RECORD = ".github/aegis-init.json"
WORKFLOW = ".github/workflows/sdk-scan.yml"


def writes(github: OrganisationAtGitHub) -> list[str]:
    """The requests that change something."""
    return [line for line in github.requests if not line.startswith("GET ")]


def tree(git: GitStore, branch: str) -> dict[str, str]:
    """Every file of a branch."""
    files = git.files(git.tree_of(git.refs[f"refs/heads/{branch}"]))
    return {path: git.objects[identity][1].decode() for path, (_, identity) in files}


@pytest.fixture
def shop(github: OrganisationAtGitHub) -> RepositoryAtGitHub:
    """A repository without gates."""
    return github.add("shop", {"README.md": "shop\n", "docs/index.md": "index\n"})


def test_a_dry_run_tells_and_writes_nothing(run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub) -> None:
    told = run("init", *SCAN)
    assert (told.code, told.states, told.report["dry_run"]) == (0, {"shop": "would write"}, True)
    assert WORKFLOW in told.detail("shop")
    assert writes(github) == []
    assert "--yes writes" in run("init", *SCAN, form="text").out


@pytest.mark.parametrize(
    "choices",
    [SCAN, ("--gates", "scan,verify", "--artifact", "ranking=s3://models/ranking/", "--owner", "@octo/platform")],
    ids=["scan", "scan and verify"],
)
def test_a_pull_request_adds_exactly_what_init_writes(
    choices: tuple[str, ...], run: Run, shop: RepositoryAtGitHub, tmp_path: Path
) -> None:
    done = run("init", *choices, "--yes")
    assert (done.code, done.states) == (0, {"shop": "written"}), done
    local = GitRepo.init(tmp_path / "shop")
    local.write({"README.md": "shop\n", "docs/index.md": "index\n"})
    assert main(["init", str(local.root), *choices, "--repository", "octo/shop", "--branch", "main"]) == 0
    here = {
        path.relative_to(local.root).as_posix(): path.read_text("utf-8")
        for path in local.root.rglob("*")
        if path.is_file() and ".git" not in path.relative_to(local.root).parts
    }
    assert tree(shop.git, BRANCH) == here
    (pull,) = shop.pulls
    assert (pull["state"], pull["head"]["ref"], pull["base"]["ref"]) == ("open", BRANCH, "main")
    assert f"| `{WORKFLOW}` | created |" in pull["body"]
    assert done.report["repositories"][0]["url"] == pull["html_url"]
    assert shop.git.parts(shop.git.refs[REF])[1] == [shop.git.refs["refs/heads/main"]]


def test_a_second_run_writes_nothing_and_after_the_merge_all_is_well(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    run("init", *SCAN, "--yes")
    before = writes(github)
    again = run("init", *SCAN, "--yes")
    assert (again.code, again.states) == (0, {"shop": "waiting"})
    shop.close(1, merged=True)
    merged = run("init", *SCAN, "--yes")
    assert (merged.code, merged.states) == (0, {"shop": "well"})
    assert writes(github) == before


def test_a_default_branch_that_moves_elsewhere_is_no_reason_to_write(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    run("init", *SCAN, "--yes")
    before = writes(github)
    shop.git.commit({"README.md": "more\n"})
    assert run("init", *SCAN, "--yes").states == {"shop": "waiting"}
    assert writes(github) == before


def test_an_open_pull_request_is_brought_up_to_date_by_a_commit_after_its_own(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    run("init", *SCAN, "--yes")
    first = shop.git.refs[REF]
    head = shop.git.commit({"README.md": "more\n"})
    done = run("init", *SCAN, "--ref", "v2", "--yes")
    assert (done.states, len(shop.pulls)) == ({"shop": "written"}, 1)
    assert shop.git.parts(shop.git.refs[REF])[1] == [first, head]
    assert tree(shop.git, BRANCH)["README.md"] == "more\n"
    assert "@v2" in tree(shop.git, BRANCH)[WORKFLOW]
    assert run("init", *SCAN, "--ref", "v2", "--yes").states == {"shop": "waiting"}


def test_a_file_of_somebody_else_is_never_replaced(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    shop.git.commit({"aegis.yml": "version: 1\nscan:\n  strict: true\n"})
    other = github.add("other", {"README.md": ""})
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.states) == (1, {"shop": "refused", "other": "written"})
    assert (done.codes["shop"], REF in shop.git.refs) == ("init.file_edited", False)
    assert REF in other.git.refs


def test_edits_of_a_person_stay_when_another_version_is_written(run: Run, shop: RepositoryAtGitHub) -> None:
    run("init", *SCAN, "--yes")
    shop.close(1, merged=True)
    edited = tree(shop.git, "main")[WORKFLOW].replace("timeout-minutes: 10", "timeout-minutes: 33")
    assert "timeout-minutes: 33" in edited
    shop.git.commit({WORKFLOW: edited})
    assert run("init", *SCAN, "--yes").states == {"shop": "well"}
    assert run("init", *SCAN, "--ref", "v2", "--yes").states == {"shop": "written"}
    assert "timeout-minutes: 33" in tree(shop.git, BRANCH)[WORKFLOW]
    assert "@v2" in tree(shop.git, BRANCH)[WORKFLOW]
    assert [pull["state"] for pull in shop.pulls] == ["closed", "open"]


def test_an_edit_in_the_lines_that_change_is_a_conflict(run: Run, shop: RepositoryAtGitHub) -> None:
    run("init", *SCAN, "--yes")
    shop.close(1, merged=True)
    shop.git.commit({WORKFLOW: tree(shop.git, "main")[WORKFLOW].replace("actions/scan@v1", "actions/scan@v1.5.0")})
    done = run("init", *SCAN, "--ref", "v2", "--yes")
    assert (done.code, done.codes) == (1, {"shop": "init.conflict"})
    assert len(shop.pulls) == 1


def test_gates_that_a_repository_has_are_never_taken_away(run: Run, shop: RepositoryAtGitHub) -> None:
    artifact = ("--artifact", "ranking=s3://models/ranking/")
    run("init", "--gates", "scan,verify", *artifact, "--yes")
    shop.close(1, merged=True)
    assert run("init", *SCAN, "--yes").states == {"shop": "well"}


def test_a_new_version_of_aegis_alone_opens_nothing(
    run: Run, shop: RepositoryAtGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("init", *SCAN, "--yes")
    shop.close(1, merged=True)
    monkeypatch.setattr("aegis.__version__", "9.9.9")
    assert run("init", *SCAN, "--yes").states == {"shop": "well"}


def test_our_lines_are_added_to_the_owners_that_are_there(run: Run, shop: RepositoryAtGitHub) -> None:
    shop.git.commit({"CODEOWNERS": "* @octo/shop\n"})
    assert run("init", *SCAN, "--owner", "@octo/platform", "--yes").states == {"shop": "written"}
    owners = tree(shop.git, BRANCH)["CODEOWNERS"]
    assert owners.startswith("* @octo/shop\n")
    assert "/aegis.yml @octo/platform" in owners


def commit_on(shop: RepositoryAtGitHub) -> None:
    shop.git.commit({"aegis.yml": "version: 1\nscan: {}\n"}, branch=BRANCH)


def amend(shop: RepositoryAtGitHub) -> None:
    tip = shop.git.refs[REF]
    message = shop.git.parts(tip)[2]
    shop.git.commit({"aegis.yml": "version: 1\nscan: {}\n"}, branch=BRANCH)
    shop.git.refs[REF] = shop.git.make_commit(shop.git.tree_of(shop.git.refs[REF]), shop.git.parts(tip)[1], message)


def begin(shop: RepositoryAtGitHub) -> None:
    shop.git.refs[REF] = shop.git.refs["refs/heads/main"]


@pytest.mark.parametrize("person", [commit_on, amend, begin])
def test_a_branch_with_a_persons_commit_is_his(
    person: Any, run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    run("init", *SCAN, "--yes")
    person(shop)
    his, before = shop.git.refs[REF], writes(github)
    done = run("init", *SCAN, "--ref", "v2", "--yes")
    assert (done.code, done.codes) == (1, {"shop": "fleet.branch_taken"})
    assert (shop.git.refs[REF], writes(github)) == (his, before)


def test_a_commit_that_is_pushed_meanwhile_stays(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    run("init", *SCAN, "--yes")
    his = {"aegis.yml": "version: 1\nscan: {}\n"}
    github.before[POST_COMMIT] = lambda: shop.git.commit(his, branch=BRANCH)
    done = run("init", *SCAN, "--ref", "v2", "--yes")
    assert (done.code, done.codes) == (3, {"shop": "github.rejected"})
    assert "not a fast forward" in done.detail("shop")
    assert tree(shop.git, BRANCH)["aegis.yml"] == "version: 1\nscan: {}\n"


def test_a_closed_pull_request_is_a_no(run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub) -> None:
    run("init", *SCAN, "--yes")
    shop.close(1)
    before = writes(github)
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.codes) == (1, {"shop": "fleet.declined"})
    assert writes(github) == before
    del shop.git.refs[REF]
    assert run("init", *SCAN, "--yes").codes == {"shop": "fleet.declined"}
    again = run("init", *SCAN, "--yes", "--again")
    assert (again.code, again.states) == (0, {"shop": "written"})
    assert [pull["state"] for pull in shop.pulls] == ["closed", "open"]


def test_a_run_that_ended_before_the_pull_request_opens_it_next_time(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.instead[POST_PULL] = 422, {"message": "not today"}
    assert run("init", *SCAN, "--yes").codes == {"shop": "github.rejected"}
    github.instead.clear()
    assert (REF in shop.git.refs, github.commits) == (True, 1)
    assert run("init", *SCAN, "--yes").states == {"shop": "written"}
    assert (len(shop.pulls), github.commits) == (1, 1)


@pytest.mark.parametrize("change", [{"parents": []}, {"tree": {"sha": "c" * 40, "url": "https://x"}}])
def test_a_commit_that_is_not_what_was_sent_gets_no_branch(
    change: dict[str, Any], run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.twists[POST_COMMIT] = lambda found: {**found, **change}
    assert run("init", *SCAN, "--yes").codes == {"shop": "github.answer_invalid"}
    assert REF not in shop.git.refs


@pytest.mark.parametrize("link", [".github", ".github/workflows", WORKFLOW, "aegis.yml", RECORD, "docs/CODEOWNERS"])
def test_a_link_in_a_files_place_is_refused(link: str, run: Run, shop: RepositoryAtGitHub) -> None:
    shop.git.commit({}, links={link: "../elsewhere"})
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.codes) == (1, {"shop": "init.outside"})
    assert REF not in shop.git.refs


@pytest.mark.parametrize("path", [".github", ".github/workflows"])
def test_a_file_in_a_folders_place_is_not_replaced(path: str, run: Run, shop: RepositoryAtGitHub) -> None:
    shop.git.commit({path: "x"})
    assert run("init", *SCAN, "--yes").codes == {"shop": "init.outside"}
    assert REF not in shop.git.refs


def test_a_record_that_is_not_ours_is_told(run: Run, shop: RepositoryAtGitHub) -> None:
    shop.git.commit({RECORD: '{"version": 1, "files": {"../../x": []}}'})
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.codes) == (3, {"shop": "init.record_invalid"})


def test_more_files_than_are_read_are_told(run: Run, shop: RepositoryAtGitHub) -> None:
    shop.git.commit({f".github/workflows/w{number}.yml": "on: push\n" for number in range(501)})
    assert run("init", *SCAN, "--yes").codes == {"shop": "fleet.too_large"}


def test_a_token_that_may_not_write_workflows_is_told(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.workflows_right = False
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.codes) == (3, {"shop": "github.no_permission"})
    assert "Resource not accessible" in done.detail("shop")


@pytest.mark.parametrize(
    "words",
    [(), ("--gates", "none"), ("--gates", "verify"), (*SCAN, "--wait", "-1"), (*SCAN, "--ref", "main")],
    ids=["no gates", "unknown", "no artifact", "wait", "branch"],
)
def test_wrong_arguments_are_told_before_anything_is_asked(
    words: tuple[str, ...], run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    assert run("init", *words).code == 2
    assert github.requests == []


def test_a_limit_is_told_with_the_rest_as_not_reached(
    run: Run, github: OrganisationAtGitHub, shop: RepositoryAtGitHub
) -> None:
    github.add("tools", {"README.md": ""})
    github.instead["GET /repos/{owner}/{repo}/git/ref/{ref}"] = 403, {"message": "API rate limit exceeded for user 1."}
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.states) == (3, {"shop": "error", "tools": "not reached"})
    assert done.codes["shop"] == "github.rate_limited"
