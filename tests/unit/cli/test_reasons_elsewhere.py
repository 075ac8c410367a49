"""Reasons that other tests meet in another process, or as a part of an answer: each raised here, for the gallery."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path

import pytest

from aegis.adapters.http_server import Question
from aegis.cli.canary.access import CanaryAccess
from aegis.cli.canary.serving import Judge
from aegis.cli.surroundings import Event
from aegis.core.errors import AegisError
from aegis.storage import faults
from aegis.storage.local_tree import unreadable
from tests.unit.cli.test_canary_serving import POLICY


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
    judge.close()
    assert code in reply.body.decode()


def test_a_fork_after_the_store_was_asked() -> None:
    assert faults.forked("s3://models/ranking", "obstore").code == "verify.store_forked"


def test_a_file_that_may_not_be_read() -> None:
    assert unreadable("/srv/models/ranking/model.bin", PermissionError(errno.EACCES, "x")).code == "verify.unreadable"
