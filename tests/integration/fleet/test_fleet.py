"""What all commands of `aegis fleet` do alike: who is meant, what ends a run, and how the next one goes on."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.github.fleet import GitHubOrganisation
from aegis.adapters.github.rest import GitHubRest
from aegis.adapters.http.call import Clock
from aegis.cli.interruption import Stopped
from aegis.core.errors import AegisError
from tests.doubles.git_store import GitStore
from tests.doubles.github import Fault
from tests.doubles.github_fleet import OrganisationAtGitHub
from tests.doubles.github_settings import TOKEN
from tests.integration.fleet.conftest import Run

SCAN = ("--gates", "scan")
FILES = {"README.md": "x\n"}
REF = "GET /repos/{owner}/{repo}/git/ref/{ref}"
TREE = "GET /repos/{owner}/{repo}/git/trees/{tree_sha}"
COMMIT = "GET /repos/{owner}/{repo}/git/commits/{commit_sha}"
BLOB = "GET /repos/{owner}/{repo}/git/blobs/{file_sha}"
LIST = "GET /orgs/{org}/repos"


def asked(github: OrganisationAtGitHub, name: str) -> int:
    """Requests about one repository."""
    return sum(f"/repos/octo/{name}/" in line for line in github.requests)


def test_each_repository_is_meant_or_has_a_reason(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", FILES, topics=["ml"])
    github.add("tools", FILES)
    for fact in ("archived", "disabled", "fork", "is_template"):
        github.add(fact.replace("_", "-"), FILES, facts={fact: True})
    github.add("empty")
    done = run("init", *SCAN)
    assert done.states == {"shop": "would write", "tools": "would write", "empty": "excluded"}
    reasons = {each["repository"].partition("/")[2]: each["reason"] for each in done.report["excluded"]}
    assert reasons == {
        "archived": "it is archived",
        "disabled": "GitHub has disabled it",
        "fork": "it is a fork",
        "is-template": "it is a template",
    }
    assert run("init", *SCAN, "--topic", "ML").states.keys() == {"shop"}
    assert run("init", *SCAN, "--name", "T*").states.keys() == {"tools"}
    assert run("init", *SCAN, "--without", "shop", "--without", "emp?y").states.keys() == {"tools"}
    assert run("init", *SCAN, "--forks", "--templates").states.keys() >= {"fork", "is-template"}


@pytest.mark.parametrize("words", [("--topic", "none"), ("--name", "none")])
def test_a_run_over_nothing_is_no_answer(words: tuple[str, str], run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", FILES)
    run("init", *SCAN, *words).refused(2, "fleet.none_meant", "none of the 1 repositories")


def test_a_run_over_empty_repositories_alone_is_no_answer(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("empty")
    assert run("init", *SCAN).code == 3


def test_repositories_that_the_token_does_not_see_are_no_well_ones(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", FILES)
    github.hidden = 2
    done = run("init", *SCAN)
    assert (done.code, done.report["unseen"]) == (3, 2)
    assert "does not see 2 repositories" in run("init", *SCAN, form="text").out
    assert run("init", *SCAN, "--seen-only").code == 0


@pytest.mark.parametrize(
    ("scopes", "command", "lacking"),
    [
        ("repo", ("init", *SCAN), "workflow"),
        ("public_repo, workflow", ("init", *SCAN), "repo"),
        ("read:org", ("scan",), "repo"),
        ("", ("doctor",), "repo"),
    ],
)
def test_a_scope_that_lacks_is_told_before_any_repository_is_asked(
    scopes: str, command: tuple[str, ...], lacking: str, run: Run, github: OrganisationAtGitHub
) -> None:
    github.add("shop", FILES)
    github.told = {"X-OAuth-Scopes": scopes}
    run(*command).refused(3, "github.no_permission", f"no scope {lacking}", "Contents")
    assert github.requests == ["GET /orgs/octo"]


def test_scopes_that_suffice_do(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", FILES)
    github.told = {"X-OAuth-Scopes": "repo, workflow"}
    assert run("init", *SCAN, "--yes").code == 0


def test_a_repository_that_the_owner_of_the_token_may_not_write_is_told_unasked(
    run: Run, github: OrganisationAtGitHub
) -> None:
    github.add("shop", FILES, push=False)
    github.add("tools", FILES)
    done = run("init", *SCAN)
    assert (done.code, done.codes["shop"], done.states["tools"]) == (3, "github.no_permission", "would write")
    assert asked(github, "shop") == 0


@pytest.mark.parametrize("name", ["a/b", "..", "a b", "", "-x", "a" * 40])
def test_what_is_no_organisation_is_not_asked_for(name: str, github: OrganisationAtGitHub) -> None:
    with pytest.raises(AegisError) as caught:
        GitHubOrganisation(name, GitHubRest(TOKEN, github.api))
    assert (caught.value.code, github.requests) == ("core.wrong_usage", [])


def test_an_organisation_that_is_not_there_or_has_another_name_now(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", FILES)
    github.twists["GET /orgs/{org}"] = lambda found: {**found, "login": "evil"}
    run("init", *SCAN).refused(3, "github.not_found", "'evil'")
    github.login = "other"
    run("init", *SCAN).refused(3, "github.not_found", "404")


def test_a_hundred_and_twenty_repositories_and_one_that_fails(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path
) -> None:
    for number in range(120):
        github.add(f"r{number:03}", FILES)
    broken = github.members["r050"]
    kept, broken.git = broken.git, GitStore(refs={"refs/heads/main": "ab" * 20})  # its commit is not there
    state = str(tmp_path / "state")
    done = run("init", *SCAN, "--yes", "--state", state)
    assert (done.code, len(done.states)) == (3, 120)
    assert {name for name, found in done.states.items() if found != "written"} == {"r050"}
    assert sum(len(member.pulls) for member in github.members.values()) == 119
    assert done.out.index('"octo/r050"')  # told among all
    text = run("doctor", "--no-settings", "--name", "r05?", form="text").out
    assert text.splitlines()[0].startswith("octo/r050  error")  # and first, where people read

    broken.git = kept
    github.requests.clear()
    again = run("init", *SCAN, "--yes", "--state", state)
    assert (again.code, again.states["r050"]) == (0, "written")
    assert {name for name in github.members if asked(github, name)} == {"r050"}
    assert "119 repositories are as the run found them" in again.report["notices"][0]


def test_a_finished_run_is_no_cache(run: Run, github: OrganisationAtGitHub, tmp_path: Path) -> None:
    github.add("shop", FILES)
    words = (*SCAN, "--yes", "--state", str(tmp_path / "state"))
    assert run("init", *words).states == {"shop": "written"}
    github.requests.clear()
    assert run("init", *words).states == {"shop": "waiting"}
    assert asked(github, "shop") > 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ((403, {"message": "API rate limit exceeded for user ID 1."}), "github.rate_limited"),
        ((429, {"message": "slow down"}), "github.rate_limited"),
        ((401, {"message": "Bad credentials"}), "github.token_refused"),
    ],
    ids=["limit", "429", "401"],
)
def test_what_is_everybodys_ends_the_run_and_the_next_goes_on(
    answer: tuple[int, Any], code: str, run: Run, github: OrganisationAtGitHub, tmp_path: Path
) -> None:
    for name in ("a", "b", "c", "d"):
        github.add(name, FILES)

    def at_c() -> None:
        if asked(github, "c"):
            github.instead[REF] = answer

    github.before[REF] = at_c
    state = str(tmp_path / "state")
    done = run("init", *SCAN, "--yes", "--state", state)
    assert done.code == 3
    assert done.states == {"a": "written", "b": "written", "c": "error", "d": "not reached"}
    assert done.codes["c"] == code
    assert TOKEN not in Path(state).read_text("utf-8")
    github.instead.clear()
    github.before.clear()
    github.requests.clear()
    again = run("init", *SCAN, "--yes", "--state", state)
    assert (again.code, set(again.states.values())) == (0, {"written"})
    assert (asked(github, "a"), asked(github, "d") > 0) == (0, True)


def test_an_outage_is_not_asked_for_each_repository(
    run: Run, github: OrganisationAtGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(8):
        github.add(f"r{number}", FILES)
    github.instead[REF] = 502, {"message": "Bad Gateway"}
    done = run("init", *SCAN)
    assert (done.code, list(done.states.values())) == (3, ["error"] * 3 + ["not reached"] * 5)


def _twisted(**changes: Any) -> Callable[[Any], Any]:
    return lambda found: {**found, **changes}


def _line(**changes: Any) -> Callable[[Any], Any]:
    return lambda found: {**found, "tree": [{**found["tree"][0], **changes}]}


@pytest.mark.parametrize(
    ("operation", "twist"),
    [
        (REF, _twisted(ref="refs/heads/other")),
        (REF, _twisted(object={"type": "tag", "sha": "a" * 40, "url": "https://x"})),
        (REF, _twisted(object={"type": "commit", "sha": "../../orgs", "url": "https://x"})),
        (COMMIT, _twisted(sha="b" * 40)),
        (COMMIT, _twisted(parents=None)),
        (TREE, _twisted(truncated=True)),
        (TREE, _line(path="../../etc/passwd")),
        (TREE, _line(path="..")),
        (TREE, _line(path="aegis.yml", sha="-")),
        (TREE, lambda found: {**found, "tree": {}}),
        (BLOB, _twisted(content="bm8=")),
        (BLOB, _twisted(encoding="none", content="")),
        (BLOB, _twisted(size=5 << 20)),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_an_error(
    operation: str, twist: Callable[[Any], Any], run: Run, github: OrganisationAtGitHub
) -> None:
    github.add("shop", {"aegis.lock": "{}\n"})
    github.twists[operation] = twist
    done = run("init", *SCAN, "--yes")
    assert (done.code, done.codes) == (3, {"shop": "github.answer_invalid"})
    assert github.commits == 0


@pytest.mark.parametrize(
    "change",
    [
        {"full_name": "octo/..", "name": ".."},
        {"full_name": "evil/shop"},
        {"full_name": "octo/x/../.."},
        {"name": "other"},
        {"archived": None},
        {"id": "1"},
    ],
)
def test_a_list_that_names_other_things_is_not_followed(
    change: dict[str, Any], run: Run, github: OrganisationAtGitHub
) -> None:
    github.add("shop", FILES)
    github.twists[LIST] = lambda found: [{**found[0], **change}]
    run("init", *SCAN).refused(3, "github.answer_invalid")


def test_a_name_from_outside_forges_no_line(run: Run, github: OrganisationAtGitHub) -> None:
    github.add("shop", {"aegis.yml": "x"}, facts={"default_branch": "m\n::error::x\x1b[2J"})
    said = run("init", *SCAN, form="text").out
    assert "\x1b" not in said
    assert "\n::error" not in said
    assert "\n::error" not in run("init", *SCAN, form="markdown").out


def test_a_defect_in_one_repository_is_its_own(
    run: Run, github: OrganisationAtGitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    github.add("shop", FILES)
    github.add("tools", FILES)
    from aegis.cli.fleet import init

    judged = init._judged

    def defect(fleet: Any, listed: Any) -> Any:
        if listed.name == "shop":
            raise ZeroDivisionError
        return judged(fleet, listed)

    monkeypatch.setattr(init, "_judged", defect)
    done = run("init", *SCAN)
    assert (done.code, done.codes["shop"], done.states["tools"]) == (3, "core.crashed", "would write")


def test_a_signal_ends_the_run_and_what_is_done_is_kept(
    run: Run, github: OrganisationAtGitHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        github.add(name, FILES)
    from aegis.cli.fleet import init

    judged = init._judged

    def stopped(fleet: Any, listed: Any) -> Any:
        if listed.name == "b":
            raise Stopped(signal.SIGTERM)
        return judged(fleet, listed)

    words = (*SCAN, "--yes", "--state", str(tmp_path / "state"))
    with monkeypatch.context() as patched:
        patched.setattr(init, "_judged", stopped)
        run("init", *words).refused(3, "core.interrupted", "SIGTERM")
    github.requests.clear()
    assert run("init", *words).states == {"a": "written", "b": "written"}
    assert asked(github, "a") == 0


class TestState:
    @pytest.fixture(autouse=True)
    def _unfinished(self, run: Run, github: OrganisationAtGitHub, tmp_path: Path) -> None:
        for name in ("a", "b"):
            github.add(name, FILES)
        self.path = tmp_path / "state"
        self.words = (*SCAN, "--yes", "--state", str(self.path))
        github.instead["POST /repos/{owner}/{repo}/pulls"] = 422, {"message": "not today"}
        assert run("init", *self.words).code == 3
        github.instead.clear()
        head, *rows = self.path.read_text("utf-8").splitlines()
        self.head: dict[str, Any] = json.loads(head)
        self.rows = [json.loads(row) for row in rows]
        self.rows[0]["row"]["state"] = "well"

    def write(self, *lines: Any, end: str = "\n") -> None:
        self.path.write_text("\n".join(map(json.dumps, lines)) + end, "utf-8")

    def test_what_was_done_is_kept(self, run: Run) -> None:
        self.write(self.head, *self.rows)
        assert run("init", *self.words).states == {"a": "well", "b": "written"}

    def test_a_line_that_was_cut_off_is_none(self, run: Run) -> None:
        self.write(self.head, *self.rows, end='\n{"row": {"repos')
        assert run("init", *self.words).states == {"a": "well", "b": "written"}

    def test_what_is_written_behind_a_line_that_was_cut_off_is_read(
        self, run: Run, github: OrganisationAtGitHub
    ) -> None:
        self.write(self.head, *self.rows, end='\n{"row": {"repos')
        github.instead["POST /repos/{owner}/{repo}/pulls"] = 422, {"message": "not today"}
        assert run("init", *self.words).code == 3
        github.instead.clear()
        assert run("init", *self.words).states == {"a": "well", "b": "written"}

    @pytest.mark.parametrize(
        "started", ["2020-01-01T00:00:00+00:00", "2999-01-01T00:00:00+00:00"], ids=["old", "of the future"]
    )
    def test_a_run_of_another_day_is_not_gone_on_with(self, started: str, run: Run) -> None:
        self.write({**self.head, "started": started}, *self.rows)
        assert run("init", *self.words).states == {"a": "written", "b": "written"}

    @pytest.mark.parametrize(
        "lines",
        [
            [],
            ["x"],
            [{"version": 2}],
            [{"version": 1, "run": "x", "started": "2026-01-01T00:00:00"}],
            [{"version": 1, "run": "x", "started": "2026-01-01T00:00:00Z", "more": 1}],
            [{"version": 1, "run": "x", "started": "2026-01-01T00:00:00Z"}, {"row": {"state": "splendid"}}],
            [{"version": 2, "run": "x", "started": "2026-01-01T00:00:00Z"}],
        ],
    )
    def test_another_file_is_not_taken_for_it(self, lines: list[Any], run: Run, github: OrganisationAtGitHub) -> None:
        self.write(*lines)
        run("init", *self.words).refused(2, "fleet.state_invalid", "Delete it")

    def test_other_words_are_another_run(self, run: Run) -> None:
        run("init", *self.words, "--again").refused(2, "fleet.state_other")
        assert run("init", *self.words, "--pace", "0.0").code == 0  # how fast is no part of it

    def test_a_place_that_cannot_be_written_is_told(self, run: Run, tmp_path: Path) -> None:
        run("init", *SCAN, "--state", str(tmp_path / "none" / "state")).refused(3, "core.output_unwritable")
        run("init", *SCAN, "--state", str(tmp_path)).refused(3, "core.output_unwritable")


class Waits:
    """A clock that writes its pauses down instead of waiting."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def rest(self, github: OrganisationAtGitHub, patience: float = 900.0, pace: float = 0.0) -> GitHubRest:
        clock = Clock(now=lambda: 0.0, sleep=self.pauses.append, jitter=lambda: 0.5)
        return GitHubRest(TOKEN, github.api, clock, patience=patience, pace=pace)


class TestLimits:
    @pytest.mark.parametrize(
        ("fault", "pauses"),
        [
            (Fault(403, "API rate limit exceeded", {"Retry-After": "300"}), [300.0]),
            (Fault(403, "You have exceeded a secondary rate limit"), [60.0]),
            (Fault(429, "slow down", times=2), [60.0, 60.0]),
        ],
        ids=["Retry-After", "secondary", "twice"],
    )
    def test_a_patient_client_waits_as_long_as_github_asks(
        self, fault: Fault, pauses: list[float], github: OrganisationAtGitHub
    ) -> None:
        github.faults, waits = [fault], Waits()
        assert GitHubOrganisation("octo", waits.rest(github)).facts()[0].login == "octo"
        assert waits.pauses == pauses

    def test_it_waits_until_the_limit_begins_anew_by_githubs_own_clock(self, github: OrganisationAtGitHub) -> None:
        reset = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": str(int(time.time()) + 100_000)}
        github.faults, waits = [Fault(403, "no words of a limit", reset)], Waits()
        assert GitHubOrganisation("octo", waits.rest(github, 200_000.0)).facts()[0].login == "octo"
        (pause,) = waits.pauses
        assert 50_000 < pause <= 100_001

    def test_a_limit_that_is_no_number_is_an_answer_of_another_form(self, github: OrganisationAtGitHub) -> None:
        github.faults, waits = [Fault(200, "", {"X-RateLimit-Reset": "soon"}, times=9)], Waits()
        with pytest.raises(AegisError) as caught:
            GitHubOrganisation("octo", waits.rest(github)).facts()
        assert caught.value.code == "github.answer_invalid"

    def test_it_does_not_wait_longer_than_its_patience(self, github: OrganisationAtGitHub) -> None:
        github.faults, waits = [Fault(429, "slow down", {"Retry-After": "901"}, times=9)], Waits()
        with pytest.raises(AegisError) as caught:
            GitHubOrganisation("octo", waits.rest(github)).facts()
        assert (caught.value.code, waits.pauses) == ("github.rate_limited", [])

    def test_it_pauses_before_each_write(self, github: OrganisationAtGitHub) -> None:
        waits = Waits()
        rest = waits.rest(github, pace=1.0)
        with pytest.raises(AegisError):
            rest.must("POST", "/orgs/octo/rulesets", {"name": "x", "enforcement": "active"})
        rest.ask("GET", "/orgs/octo")
        assert waits.pauses == [1.0]
