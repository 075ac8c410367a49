"""`aegis github protect` against a double that answers as GitHub's description says."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from aegis.adapters.github import artifacts as github_artifacts
from aegis.adapters.github import fleet as github_fleet
from aegis.adapters.github import rest as github_rest
from aegis.adapters.github import settings as github_settings
from aegis.adapters.github.rest import GitHubRest
from aegis.adapters.github.settings import GitHubSettings
from aegis.adapters.http.call import Clock
from aegis.core.errors import AegisError
from tests.doubles.github import Fault
from tests.doubles.github_settings import ACTIONS_APP, TOKEN, SettingsAtGitHub, description
from tests.integration.scaffold.conftest import Run
from tests.support.scan.gitrepo import GitRepo

CHECKS = {"sdk-scan", "verify-model-signatures-aws-oidc"}
RULESETS = "/repos/octo/widgets/rulesets"


def required(github: SettingsAtGitHub) -> dict[str, Any]:
    """The checks that are in force, with their app."""
    rules = [rule for rule in github._rules("main") if rule["type"] == "required_status_checks"]
    return {
        check["context"]: check.get("integration_id")
        for rule in rules
        for check in rule["parameters"]["required_status_checks"]
    }


def test_the_difference_is_shown_and_nothing_written_until_somebody_agrees(run: Run, github: SettingsAtGitHub) -> None:
    shown = run("github", "protect", "--diff")
    assert shown.code == 0
    assert "+ rules[pull_request].parameters.require_code_owner_review: true" in shown.out
    assert github.writes == []
    run("github", "protect").refused(1, "github.unconfirmed")
    assert github.writes == []


@pytest.mark.parametrize(("answer", "written"), [("yes", 1), ("y", 1), ("", 0), ("no", 0), ("ye", 0)])
def test_a_person_at_the_terminal_is_asked(
    answer: str, written: int, run: Run, github: SettingsAtGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin.isatty", lambda: True)
    monkeypatch.setattr("builtins.input", lambda _question: answer)
    assert run("github", "protect").code == 1 - written
    assert len(github.writes) == written


def test_the_gates_checks_become_required_of_github_actions_alone(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes").code == 0
    assert required(github) == dict.fromkeys(CHECKS, ACTIONS_APP)
    assert len(github.writes) == 1
    again = run("github", "protect", "--yes")
    assert (again.code, "nothing to change" in again.out, len(github.writes)) == (0, True, 1)


@pytest.mark.parametrize("words", [("github", "protect"), ("doctor", "--github")])
def test_without_a_remote_the_repository_is_asked_for(run: Run, shop: GitRepo, words: tuple[str, ...]) -> None:
    shop.git("remote", "remove", "origin")
    told = run(*words)
    told.refused(2, "core.wrong_usage", "no repository is known", "--repository OWNER/NAME")
    assert "None" not in told.err
    run(*words, "--repository", "widgets").refused(2, "core.wrong_usage", "'widgets' as the repository")


def test_rules_of_others_stay(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes", "--check", "build").code == 0
    github.rulesets[100]["bypass_actors"] = [{"actor_id": 5, "actor_type": "Team", "bypass_mode": "pull_request"}]
    github.rulesets[100]["rules"].append({"type": "required_signatures"})
    done = run("github", "protect", "--yes")
    assert done.code == 0
    assert "  bypass_actors.actor_type: Team" in done.out.splitlines()
    assert required(github).keys() == {*CHECKS, "build"}
    assert github.rulesets[100]["bypass_actors"][0]["actor_id"] == 5
    assert "required_signatures" in [rule["type"] for rule in github.rulesets[100]["rules"]]


def test_a_checks_name_forges_no_line_of_the_difference(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes").code == 0
    (rule,) = [rule for rule in github.rulesets[100]["rules"] if rule["type"] == "required_status_checks"]
    rule["parameters"]["required_status_checks"].append({"context": "build\n- bypass_actors.actor_type: Team\x1b[2K"})
    shown = run("github", "protect", "--diff", "--check", "other")
    assert "[build\\n- bypass_actors.actor_type: Team\\x1b[2K" in shown.out
    assert "\x1b" not in shown.out


def test_where_there_are_no_rulesets_branch_protection_does(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes", "--branch-protection", "--approvals", "2", "--up-to-date").code == 0
    assert github.protection is not None
    assert github.protection["required_pull_request_reviews"]["required_approving_review_count"] == 2
    assert github.protection["required_status_checks"]["strict"] is True
    assert github.protection["enforce_admins"]["enabled"] is True
    assert "nothing to change" in run("github", "protect", "--branch-protection").out
    assert len(github.writes) == 1


def test_a_ruleset_on_a_later_page_is_found(run: Run, github: SettingsAtGitHub) -> None:
    for number in range(1, 131):
        document = {"name": f"r{number}", "enforcement": "active", "target": "branch", "rules": []}
        github.rulesets[number] = github._kept(document, number)
    assert run("github", "protect", "--yes").code == 0
    assert run("github", "protect", "--yes").code == 0
    assert [each["name"] for each in github.rulesets.values()].count("aegis") == 1


def test_a_token_that_may_only_read_is_told_so_and_writes_nothing(run: Run, github: SettingsAtGitHub) -> None:
    github.right = "read"
    run("github", "protect", "--yes").refused(3, "github.no_permission", "404")
    assert github.rulesets == {}


def test_a_ruleset_whose_bypass_is_not_shown_is_not_written_over(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes").code == 0
    github.right = "read"
    run("github", "protect", "--yes", "--check", "more").refused(3, "github.no_permission", "pass the ruleset")
    assert len(github.writes) == 1


def test_a_repository_that_the_token_does_not_see_is_no_unprotected_one(run: Run, github: SettingsAtGitHub) -> None:
    github.right = "none"
    run("github", "protect", "--yes").refused(3, "github.not_found", "octo/widgets")


def test_a_right_that_a_fine_grained_token_lacks_is_named(run: Run, github: SettingsAtGitHub) -> None:
    github.unseen = frozenset({f"POST {'/repos/{owner}/{repo}/rulesets'}"})
    run("github", "protect", "--yes").refused(3, "github.no_permission", "Resource not accessible")


def test_a_plan_without_rules_is_told_in_githubs_words(run: Run, github: SettingsAtGitHub) -> None:
    github.private_without_plan = True
    run("github", "protect", "--yes").refused(3, "github.no_permission", "Upgrade to GitHub Pro")


def test_a_setting_that_github_drops_is_told(run: Run, github: SettingsAtGitHub) -> None:
    github.dropped = frozenset({"require_code_owner_review"})
    run("github", "protect", "--yes").refused(3, "github.not_taken", "require_code_owner_review")


def test_checks_that_are_not_in_force_on_the_default_branch_are_told(run: Run, github: SettingsAtGitHub) -> None:
    assert run("github", "protect", "--yes").code == 0
    github.rulesets[100]["conditions"]["ref_name"]["exclude"] = ["refs/heads/main"]
    run("github", "protect", "--yes").refused(3, "github.not_taken", "not required on 'main'")


def test_settings_that_github_refuses_are_told_in_its_words(run: Run, github: SettingsAtGitHub) -> None:
    github.faults = [Fault(422, "Validation Failed: rule is managed by the organisation")]
    run("github", "protect", "--yes").refused(3, "github.rejected", "managed by the organisation")


def test_a_wrong_token_is_told_and_never_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for wrong, code in (("ghp_" + "x" * 36, 3), ("", 2), ("a b", 2), ("a\nb", 2)):
        monkeypatch.setenv("GITHUB_TOKEN", wrong)
        monkeypatch.delenv("GH_TOKEN", raising=False)
        done = run("github", "protect", "--yes")
        done.refused(code, "github.token_refused")
        assert not wrong or wrong not in done.err


@pytest.mark.parametrize("address", ["http://api.example.org", "ftp://x", "https://user@host", "api.github.com"])
def test_a_token_goes_to_no_unsafe_address(address: str, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_API_URL", address)
    run("github", "protect", "--yes").refused(2, "core.wrong_usage", address)


@pytest.mark.parametrize("words", [("--approvals", "7"), ("--approvals", "-1"), ("--repository", "a b/c")])
def test_wrong_arguments_are_told(words: tuple[str, str], run: Run) -> None:
    run("github", "protect", "--yes", *words).refused(2, "core.wrong_usage")


def test_a_repository_without_gates_has_nothing_to_require(run: Run, shop: GitRepo, github: SettingsAtGitHub) -> None:
    for file in (shop.root / ".github" / "workflows").iterdir():
        file.unlink()
    run("github", "protect", "--yes").refused(2, "core.wrong_usage", "no workflow runs a gate")
    assert github.requests == []


def test_a_workflow_that_cannot_be_read_may_hold_a_gate(run: Run, shop: GitRepo, github: SettingsAtGitHub) -> None:
    (shop.root / ".github" / "workflows" / "odd.yml").write_text("on: [\n")
    run("github", "protect", "--yes").refused(2, "doctor.workflow_unreadable", "odd.yml")
    assert github.requests == []


class Waits:
    """A clock that writes its pauses down instead of waiting."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def clock(self) -> Clock:
        return Clock(now=lambda: 0.0, sleep=self.pauses.append, jitter=lambda: 0.5)


def client(github: SettingsAtGitHub, waits: Waits, timeout: float = 60.0) -> GitHubSettings:
    return GitHubSettings("octo/widgets", GitHubRest(TOKEN, github.api, waits.clock(), timeout))


@pytest.mark.parametrize(
    "fault",
    [
        Fault(429, "slow down", {"Retry-After": "3"}),
        Fault(403, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."),
        Fault(403, "API rate limit exceeded for user ID 1.", {"Retry-After": "3"}),
        Fault(502, "Bad Gateway"),
        Fault(503, "Unavailable", times=2),
        Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{"),
        Fault(raw=b""),
    ],
    ids=["429", "secondary", "primary", "502", "503 twice", "cut off", "closed"],
)
def test_what_may_be_otherwise_in_a_moment_is_asked_again(fault: Fault, github: SettingsAtGitHub) -> None:
    github.faults, waits = [fault], Waits()
    assert client(github, waits).facts()["full_name"] == "octo/widgets"
    assert len(waits.pauses) == fault.times
    assert fault.headers.get("Retry-After") is None or waits.pauses == [3.0]


@pytest.mark.parametrize(
    ("fault", "code", "asked"),
    [
        (Fault(429, "slow down", {"Retry-After": "3600"}, times=9), "github.rate_limited", 1),
        (Fault(403, "API rate limit exceeded", times=9), "github.rate_limited", 4),
        (Fault(403, "Must have admin rights", times=9), "github.no_permission", 1),
        (Fault(500, "broken", times=9), "github.unreachable", 4),
        (Fault(401, "Bad credentials", times=9), "github.token_refused", 1),
        (Fault(200, "no repository", times=9), "github.answer_invalid", 1),
        (Fault(418, "teapot", times=9), "github.answer_invalid", 1),
        (Fault(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnull", times=9), "github.answer_invalid", 1),
        (Fault(raw=b'HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{"a', times=9), "github.answer_invalid", 1),
        (Fault(301, "moved", {"Location": "http://127.0.0.2:1/x"}, times=9), "github.unreachable", 4),
        (Fault(302, "moved", {"Location": "http://127.0.0.2:1/x"}, times=9), "github.answer_invalid", 1),
    ],
    ids=["an hour", "limit", "forbidden", "500", "401", "other", "418", "null", "no json", "moved", "found"],
)
def test_a_fault_is_told_by_its_cause_and_within_bounds(
    fault: Fault, code: str, asked: int, github: SettingsAtGitHub
) -> None:
    github.faults, waits = [fault], Waits()
    with pytest.raises(AegisError) as caught:
        client(github, waits).branch_rules("main")
    assert caught.value.code == code
    assert len(github.requests) == asked
    assert sum(waits.pauses) <= 10.0
    assert TOKEN not in str(caught.value)


def test_a_write_whose_answer_was_lost_is_not_made_twice(github: SettingsAtGitHub) -> None:
    github.faults, waits = [Fault(502, "Bad Gateway", times=9)], Waits()
    with pytest.raises(AegisError):
        client(github, waits).put_ruleset(None, {"name": "aegis", "enforcement": "active"})
    assert (len(github.requests), waits.pauses) == (1, [])


def test_a_list_without_an_end_is_not_followed_for_ever(
    github: SettingsAtGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(github_rest, "PAGE", 2)
    github.workflows = [{"path": f".github/workflows/{number}.yml"} for number in range(50)]
    with pytest.raises(AegisError) as caught:
        client(github, Waits()).workflows()
    assert caught.value.code == "github.answer_invalid"
    assert len(github.requests) == 20


def test_a_server_that_says_nothing_is_given_up(github: SettingsAtGitHub) -> None:
    github.faults, waits = [Fault(silence=60.0, times=9)], Waits()
    with pytest.raises(AegisError) as caught:
        client(github, waits, timeout=1.0).facts()
    assert caught.value.code == "github.unreachable"


def test_every_operation_of_the_description_is_called_by_some_command() -> None:
    """What the slice holds is what the adapters ask for, and no more."""
    text = "".join(inspect.getsource(module) for module in (github_artifacts, github_fleet, github_settings))
    for operation in description():
        last = [word for word in operation.split("/") if not word.startswith("{")][-1]
        assert last in text or operation == "GET /repos/{owner}/{repo}"


def test_the_client_does_not_show_its_token(github: SettingsAtGitHub) -> None:
    assert TOKEN not in repr(client(github, Waits()))
    assert RULESETS not in repr(github.rulesets)
