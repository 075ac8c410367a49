"""What one attempt of a run leaves for the next, and what one that has lost it may do."""

from __future__ import annotations

import datetime
from pathlib import Path

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.adapters.kubernetes.rollouts import read_rollout
from aegis.cli.canary.attempts import MARK, Attempt, refuse_tracked
from aegis.cli.canary.seal import Seal, seal_of
from aegis.cli.canary.state import StateFile
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.repository import Repository
from aegis.core.ports.rollouts import RolloutState
from tests.doubles import argo_controller
from tests.support.scan.gitrepo import GitRepo

HASH = "5f6c7d8e9"
NAME = f"shop.web.{HASH}.json"
SEAL = Seal(b"k" * 32)
HOUR = datetime.timedelta(hours=1)


def rollout(paused: datetime.timedelta | None = None, status: dict[str, object] | None = None) -> RolloutState:
    """One that has stood at its pause for a while."""
    document = argo_controller.rollout("shop", "web")
    document["metadata"] |= {"uid": "u", "resourceVersion": "1", "generation": 1}
    since = datetime.datetime.now(datetime.UTC) - (paused or datetime.timedelta())
    document["status"]["pauseConditions"][0]["startTime"] = since.strftime("%Y-%m-%dT%H:%M:%SZ")
    document["status"] |= status or {}
    return read_rollout(document)


def attempt(folder: Path, number: str, run: str = "77", *, anew: bool = False) -> Attempt:
    return Attempt.begin(folder, {"GITHUB_RUN_ID": run, "GITHUB_RUN_ATTEMPT": number}, SEAL, anew=anew)


def lost(begun: Attempt, paused: datetime.timedelta | None = None) -> bool:
    """Whether it may not go on."""
    try:
        name = begun.state(rollout(paused), HASH, HOUR).name
    except CouldNotDecide as error:
        return error.code == "canary.state_lost"
    assert name == "shop.web.5f6c7d8e9.json"
    return False


def test_the_first_attempt_begins_and_the_next_ones_go_on(tmp_path: Path) -> None:
    for number in ("1", "2", "3", "5"):
        assert not lost(attempt(tmp_path / "state", number))


def test_an_attempt_that_failed_before_it_judged_has_lost_nothing(tmp_path: Path) -> None:
    attempt(tmp_path, "1")
    assert not list(tmp_path.glob("shop*"))
    assert not lost(attempt(tmp_path, "2"))


@pytest.mark.parametrize("number", ["2", "10", "", "zero", "-1", "01", "1 ", "²"])
def test_one_that_finds_no_mark_is_refused_again_and_again(tmp_path: Path, number: str) -> None:
    for _ in range(2):
        assert lost(attempt(tmp_path, number))
    # nor does one after it take the first refusal for a mark
    assert lost(attempt(tmp_path, "11"))


def test_the_mark_of_another_run_is_none(tmp_path: Path) -> None:
    attempt(tmp_path, "1", run="76")
    assert lost(attempt(tmp_path, "2"))


@pytest.mark.parametrize(
    "mark",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b'{"run": "77"}',
        b'{"run": 77, "attempt": 1}',
        b'{"run": "77", "attempt": "1"}',
        b'{"run": "77", "attempt": true}',
        b'{"run": "77", "attempt": 2}',
        b'{"run": "77", "attempt": 3}',
        b"\xff",
    ],
)
def test_a_mark_that_is_not_of_an_earlier_attempt_is_none(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / MARK).write_bytes(SEAL.close(MARK, mark))
    assert lost(attempt(tmp_path, "2"))


def test_a_run_without_a_name_has_no_mark(tmp_path: Path) -> None:
    (tmp_path / MARK).write_bytes(SEAL.close(MARK, b'{"run": "", "attempt": 1}'))
    assert lost(attempt(tmp_path, "2", run=""))


def test_what_another_run_saw_of_the_version_is_gone_on_with(tmp_path: Path) -> None:
    # by the commit in its key, a cache brings the state of an earlier run along
    attempt(tmp_path, "1", run="76")
    (tmp_path / NAME).write_bytes(SEAL.close(NAME, b"{}"))
    assert not lost(attempt(tmp_path, "2"))
    assert not lost(attempt(tmp_path, "3"))


def test_a_state_of_another_version_is_none_of_this_one(tmp_path: Path) -> None:
    other = "shop.web.000000000.json"
    (tmp_path / other).write_bytes(SEAL.close(other, b"{}"))
    assert lost(attempt(tmp_path, "2"))


def test_one_can_be_told_to_begin_anew(tmp_path: Path) -> None:
    assert lost(attempt(tmp_path, "2"))
    assert not lost(attempt(tmp_path, "3", anew=True))
    assert not lost(attempt(tmp_path, "4"))


def test_a_new_run_about_a_rollout_that_somebody_has_judged_before_is_refused(tmp_path: Path) -> None:
    assert not lost(attempt(tmp_path / "a", "1"), HOUR - datetime.timedelta(minutes=2))
    assert lost(attempt(tmp_path / "b", "1"), HOUR + datetime.timedelta(minutes=2))
    assert not lost(attempt(tmp_path / "c", "1", anew=True), HOUR + datetime.timedelta(minutes=2))
    # what was seen of it is there
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / NAME).write_bytes(SEAL.close(NAME, b"{}"))
    assert not lost(attempt(tmp_path / "d", "1"), 9 * HOUR)


@pytest.mark.parametrize(
    "status",
    [{"abort": True, "phase": "Degraded"}, {"currentStepIndex": 3}],
    ids=["aborted", "past its first pause"],
)
def test_a_new_run_about_a_rollout_that_was_decided_before_is_refused(
    tmp_path: Path, status: dict[str, object]
) -> None:
    seen = rollout(status=status)
    with pytest.raises(CouldNotDecide) as raised:
        attempt(tmp_path / "a", "1").state(seen, HASH, HOUR)
    assert raised.value.code == "canary.state_lost"
    attempt(tmp_path / "a", "1", anew=True).state(seen, HASH, HOUR)


FORGERIES = {
    "bare": b'{"decision": {"answer": "promote"}}',
    "another key": Seal(b"x" * 32).close(NAME, b"{}"),
    "another name": SEAL.close("shop.web.000000000.json", b"{}"),
    "changed": SEAL.close(NAME, b"{}")[:-1] + b"]",
    "cut": SEAL.close(NAME, b"{}")[:40],
    "empty": b"",
    "no line": SEAL.close(NAME, b"{}").replace(b"\n", b" ", 1),
}


@pytest.mark.parametrize("content", FORGERIES.values(), ids=FORGERIES)
def test_a_state_that_others_wrote_is_refused_at_every_attempt(tmp_path: Path, content: bytes) -> None:
    (tmp_path / NAME).write_bytes(content)
    for number in ("1", "2"):
        with pytest.raises(CouldNotDecide) as raised:
            attempt(tmp_path, number).state(rollout(), HASH, HOUR)
        assert raised.value.code == "canary.state_forged"
    with StateFile.opened(tmp_path / NAME, SEAL) as file, pytest.raises(CouldNotDecide, match="not sealed"):
        file.read()
    # by name it is set aside
    attempt(tmp_path, "3", anew=True).state(rollout(), HASH, HOUR)
    assert not (tmp_path / NAME).exists()


def test_a_state_of_ours_is_never_set_aside(tmp_path: Path) -> None:
    with StateFile.opened(tmp_path / NAME, SEAL) as file:
        file.write(b"a decision")
    attempt(tmp_path, "3", anew=True).state(rollout(), HASH, HOUR)
    with StateFile.opened(tmp_path / NAME, SEAL) as file:
        assert file.read() == b"a decision"


@pytest.mark.parametrize("mark", [b'{"run": "77", "attempt": 1}', Seal(b"x" * 32).close(MARK, b"{}")])
def test_a_mark_that_others_wrote_is_none(tmp_path: Path, mark: bytes) -> None:
    (tmp_path / MARK).write_bytes(mark)
    assert lost(attempt(tmp_path, "2"))


def test_the_key_is_a_secret_of_the_job() -> None:
    assert seal_of({}, "") is None
    own, other = seal_of({}, "a kubeconfig"), seal_of({"AEGIS_STATE_KEY": "k" * 32}, "a kubeconfig")
    assert own is not None
    assert other is not None
    assert own.open(NAME, other.close(NAME, b"")) is None
    assert "k" * 32 not in repr(other)
    with pytest.raises(UsageError) as raised:
        seal_of({"AEGIS_STATE_KEY": "k" * 31}, "")
    assert raised.value.code == "canary.state_unsealed"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(CouldNotDecide, match="cannot make the folder") as raised:
        attempt(tmp_path / "state", "2")
    assert raised.value.code == "core.output_unwritable"


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repo = GitRepo.init(tmp_path / "shop")
    repo.commit({"kept/shop.web.5f6c7d8e9.json": "{}", "src/a.py": "", "aegis.yml": "version: 1\n"})
    (repo.root / "link").symlink_to("kept")
    (repo.root / "out").symlink_to(tmp_path)
    repo.git("add", "link", "out")
    return open_repository(repo.root)[0]


@pytest.mark.parametrize("name", ["kept", "kept/", ".", "src", "link", "link/deeper", "out/state", "src/../kept"])
def test_a_state_that_came_with_the_repository_is_refused(repository: Repository, name: str) -> None:
    with pytest.raises(UsageError) as raised:
        refuse_tracked(repository.root / name, repository)
    assert raised.value.code == "canary.state_invalid"


@pytest.mark.parametrize("name", [".aegis-canary", "a/b", "../beside", "keptt"])
def test_any_other_folder_is_fine(repository: Repository, name: str) -> None:
    refuse_tracked(repository.root / name, repository)
