"""Reasons that other tests meet in another process, or as a part of an answer: each raised here, for the gallery."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import msgspec
import pytest

from aegis.adapters.http.server import Question
from aegis.backup.compare import compare
from aegis.backup.inventory import Inventory
from aegis.cli.backup.drill import differs
from aegis.cli.canary.access import CanaryAccess
from aegis.cli.canary.serving import Judge
from aegis.cli.surroundings import Event
from aegis.core.errors import AegisError
from aegis.report import acceptance_junit
from aegis.storage import faults, write_faults
from aegis.storage.local_tree import unreadable
from tests.support.acceptance.runs import criterion, run
from tests.support.backup.inventories import DATABASE, INVENTORY, USERS, sequence
from tests.unit.cli.test_canary_serving import POLICY

replace = msgspec.structs.replace


def test_a_fork_judges_no_rollout() -> None:
    class Options:
        github = True

    event = Event(
        "pull_request",
        {
            "pull_request": {"head": {"repo": {"full_name": "eve/shop", "fork": True}}, "user": {"login": "eve"}},
            "repository": {"full_name": "octo/shop"},
        },
    )
    environ = {"GITHUB_EVENT_NAME": "pull_request", "GITHUB_REPOSITORY": "octo/shop", "GITHUB_ACTOR": "eve"}
    access = CanaryAccess(POLICY, Options(), environ, event)  # type: ignore[arg-type]
    with pytest.raises(AegisError) as raised:
        access.check_allowed()
    assert raised.value.code == "canary.fork"


@pytest.mark.parametrize(
    ("path", "query", "code"),
    [
        ("/v1/rollouts/shop/web", (("uid", ""),), "canary.question_invalid"),
        ("/v1/rollouts/shop/other", (), "canary.question_unknown"),
        ("/v1/rollouts/shop/web", (), "canary.question_denied"),
    ],
)
def test_a_wrong_question_to_the_judge(
    path: str, query: tuple[tuple[str, str], ...], code: str, tmp_path: Path
) -> None:
    judge = Judge({("shop", "web"): POLICY}, lambda _: pytest.fail("nothing is looked at"), tmp_path, "1.0")
    if code == "canary.question_denied":
        judge.token = tmp_path / "token"
        judge.token.write_text("a" * 32)
    reply = asyncio.run(judge.answer(Question(path, query, {})))
    assert code in reply.body.decode()


VIEW_GONE = replace(INVENTORY, matviews=())
TOO_MANY = replace(INVENTORY, tables=(USERS, replace(USERS, name="x")))
OTHER = replace(INVENTORY, tables=(replace(USERS, kind="partitioned", rows=None, hash=None),))


@pytest.mark.parametrize(
    ("code", "found"),
    [
        ("backup_check.database_differs", replace(INVENTORY, database=replace(DATABASE, encoding="LATIN1"))),
        ("backup_check.table_unexpected", TOO_MANY),
        ("backup_check.table_definition", OTHER),
        ("backup_check.sequence_missing", replace(INVENTORY, sequences=())),
        ("backup_check.sequence_position", replace(INVENTORY, sequences=(sequence("1", "1"),))),
        ("backup_check.matview_state", VIEW_GONE),
        ("backup_check.extension_missing", replace(INVENTORY, extensions=())),
        ("backup_check.role_missing", replace(INVENTORY, roles=())),
    ],
)
def test_a_restore_that_differs(code: str, found: Inventory) -> None:
    assert differs(compare(INVENTORY, found)).code == code


def test_a_fork_after_the_store_was_asked() -> None:
    assert faults.forked("s3://models/ranking", "obstore").code == "verify.store_forked"


def test_a_file_that_may_not_be_read() -> None:
    assert unreadable("/srv/models/ranking/model.bin", PermissionError(errno.EACCES, "x")).code == "verify.unreadable"


def test_a_bucket_that_is_not_there() -> None:
    error = write_faults.bucket_missing("s3://backups/shop/", "NoSuchBucket")
    assert error.code == "backup_check.bucket_missing"


def test_what_only_leaves_out_is_not_run(capsys: pytest.CaptureFixture[str]) -> None:
    left_out = criterion("A2", "not-run", reason="acceptance.not_asked", message="it was left out by --only")
    print(acceptance_junit.render(run(criterion("A1", "pass"), left_out)).decode())
    assert "acceptance.not_asked" in capsys.readouterr().out
