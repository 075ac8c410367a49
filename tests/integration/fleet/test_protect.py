"""`aegis fleet protect`: one ruleset of the organisation where that can be, else each repository's own."""

from __future__ import annotations

from typing import Any

import pytest

from tests.doubles.github_fleet import OrganisationAtGitHub, RepositoryAtGitHub
from tests.doubles.github_settings import ACTIONS_APP
from tests.integration.fleet.conftest import Run

ORG_RULESETS = "GET /orgs/{org}/rulesets"
REF = "GET /repos/{owner}/{repo}/git/ref/{ref}"


@pytest.fixture
def shops(run: Run, github: OrganisationAtGitHub) -> list[RepositoryAtGitHub]:
    """Three repositories with the scan gate, and one that has verify too."""
    made = [github.add(name, {"README.md": "x\n"}) for name in ("a", "b", "c", "d")]
    run("init", "--gates", "scan", "--without", "d", "--yes")
    run("init", "--gates", "scan,verify", "--artifact", "r=s3://models/r/", "--name", "d", "--yes")
    for member in made:
        member.close(1, merged=True)
    github.requests.clear()
    return made


def required(github: OrganisationAtGitHub, member: RepositoryAtGitHub) -> dict[str, set[Any]]:
    """The checks that are in force on a repository's default branch, with their apps."""
    member.settings.organisation_rules = github._rules_for(member)
    found: dict[str, set[Any]] = {}
    for rule in member.settings._rules("main"):
        if rule["type"] == "required_status_checks":
            for check in rule["parameters"]["required_status_checks"]:
                found.setdefault(check["context"], set()).add(check.get("integration_id"))
    return found


def written(github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]) -> list[int]:
    """How many settings were written: of the organisation, then of each repository."""
    return [len(github.writes), *(len(member.settings.writes) for member in shops)]


def test_the_difference_is_told_first_and_nothing_written(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    told = run("protect")
    assert (told.code, set(told.states.values())) == (0, {"would write"})
    assert "+ rules[required_status_checks].parameters[sdk-scan].integration_id: 15368" in "\n".join(
        told.report["difference"]
    ).replace(".required_status_checks", "")
    assert written(github, shops) == [0, 0, 0, 0, 0]
    said = run("protect", form="text").out
    assert said.startswith("The ruleset 'aegis' of the organisation octo:")


def test_one_ruleset_serves_those_that_report_the_same_and_the_others_have_their_own(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    done = run("protect", "--yes")
    assert (done.code, set(done.states.values())) == (0, {"written"}), done
    assert written(github, shops) == [1, 0, 0, 0, 1]
    for member in shops[:3]:
        assert required(github, member) == {"sdk-scan": {ACTIONS_APP}}
    assert required(github, shops[3]) == {
        "sdk-scan": {ACTIONS_APP}, "verify-model-signatures-aws-oidc": {ACTIONS_APP},
    }  # fmt: skip
    again = run("protect", "--yes")
    assert (again.code, set(again.states.values())) == (0, {"well"})
    assert written(github, shops) == [1, 0, 0, 0, 1]


def test_what_the_ruleset_means_and_demands_already_stays(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    run("protect", "--yes", "--name", "a")
    ruleset = github.all_rulesets[900]
    ruleset["bypass_actors"] = [{"actor_id": 5, "actor_type": "Team", "bypass_mode": "pull_request"}]
    ruleset["rules"].append({"type": "required_signatures"})
    assert run("protect", "--yes", "--name", "b").code == 0
    ruleset = github.all_rulesets[900]
    assert ruleset["conditions"]["repository_id"]["repository_ids"] == [shops[0].id, shops[1].id]
    assert ruleset["bypass_actors"][0]["actor_id"] == 5
    assert "required_signatures" in [rule["type"] for rule in ruleset["rules"]]


def test_a_ruleset_that_a_person_wrote_by_names_keeps_its_names(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    run("protect", "--yes", "--name", "a")
    names = {"repository_name": {"include": ["a", "b"], "exclude": []}}
    github.all_rulesets[900]["conditions"] = {"ref_name": github.all_rulesets[900]["conditions"]["ref_name"], **names}
    done = run("protect", "--yes", "--name", "[abc]")
    assert github.all_rulesets[900]["conditions"]["repository_name"]["include"] == ["a", "b"]
    assert (done.code, done.states["a"], done.codes["c"]) == (3, "well", "github.not_taken")


@pytest.mark.parametrize("how", ["plan", "read", "write", "asked for"])
def test_without_rules_of_the_organisation_each_repository_has_its_own(
    how: str, run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    github.rules_of_all = how != "plan"
    github.unseen = {"read": frozenset({ORG_RULESETS}), "write": frozenset({"POST /orgs/{org}/rulesets"})}.get(
        how, frozenset()
    )
    done = run("protect", "--yes", *(["--per-repository"] if how == "asked for" else []))
    assert (done.code, set(done.states.values())) == (0, {"written"}), done
    assert written(github, shops) == [0, 1, 1, 1, 1]
    assert done.report["difference"] == []
    assert bool(done.report["notices"]) == (how != "asked for")
    assert run("protect", "--yes", "--per-repository").states == dict.fromkeys("abcd", "well")


def test_a_repository_without_gates_is_not_well(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    github.add("bare", {"README.md": "x\n"})
    github.add("empty")
    github.add("odd", {".github/workflows/odd.yml": "on: [\n"})
    done = run("protect", "--yes")
    assert (done.code, done.codes["bare"], done.states["empty"]) == (3, "fleet.no_gates", "excluded")
    assert (done.codes["odd"], done.states["a"]) == ("doctor.workflow_unreadable", "written")
    assert run("protect", "--yes", "--without", "odd").code == 1
    assert run("protect", "--yes", "--name", "bare").code == 1


def test_a_check_that_no_workflow_reports_any_more_is_told(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    run("protect", "--yes")
    workflow = ".github/workflows/sdk-scan.yml"
    text = str(shops[0].git.text("main", workflow))
    shops[0].git.commit({workflow: text.replace("sdk-scan:", "renamed:").replace("name: sdk-scan", "name: renamed")})
    done = run("protect", "--yes")
    assert (done.code, done.codes["a"], done.states["b"]) == (1, "fleet.check_without_job", "well")
    assert "sdk-scan" in done.detail("a")


def test_a_setting_that_github_drops_is_every_repositorys_error(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    github.dropped = frozenset({"require_code_owner_review"})
    done = run("protect", "--yes")
    assert (done.code, set(done.codes.values())) == (3, {"github.not_taken"})


def test_a_run_that_ends_while_it_reads_writes_nothing(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    def at_c() -> None:
        if any("/repos/octo/c/" in line for line in github.requests):
            github.instead[REF] = 429, {"message": "slow down"}

    github.before[REF] = at_c
    done = run("protect", "--yes")
    assert (done.code, set(done.states.values())) == (3, {"not reached", "error"})
    assert "before anything was written" in done.detail("a")
    assert written(github, shops) == [0, 0, 0, 0, 0]


def test_who_is_no_administrator_writes_nothing(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    shops[1].settings.right = "read"
    done = run("protect", "--yes", "--without", "d")
    assert (done.code, done.codes["b"], done.states["a"]) == (3, "github.no_permission", "written")
    assert github.all_rulesets[900]["conditions"]["repository_id"]["repository_ids"] == [shops[0].id, shops[2].id]


def test_a_bypass_that_is_not_shown_is_not_written_over(
    run: Run, github: OrganisationAtGitHub, shops: list[RepositoryAtGitHub]
) -> None:
    run("protect", "--yes")
    github.twists["GET /orgs/{org}/rulesets/{ruleset_id}"] = lambda found: {
        key: value for key, value in found.items() if key != "bypass_actors"
    }
    done = run("protect", "--yes", "--approvals", "2")
    assert "pass the ruleset" in done.report["notices"][0]
    assert len(github.writes) == 1


@pytest.mark.parametrize("number", ["-1", "7"])
def test_wrong_arguments_are_told(number: str, run: Run, github: OrganisationAtGitHub) -> None:
    run("protect", "--approvals", number).refused(2, "core.wrong_usage")
    assert github.requests == []
