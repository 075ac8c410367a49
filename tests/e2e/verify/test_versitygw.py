"""The exchange against an IAM, STS and S3 that nobody here wrote: versitygw's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs.gomod import program

ROOT = Path(__file__).resolve().parents[3]
VERSION = "1.8.0"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every attempt came to; see `versitygw.py` for what is attempted."""
    binary = program(ROOT / "tests/e2e/tools/versitygw", VERSION)
    built = subprocess.run(
        ["go", "version", "-m", binary], capture_output=True, text=True, check=True, timeout=300
    ).stdout
    assert f"github.com/versity/versitygw\tv{VERSION}" in built
    folder = tmp_path_factory.mktemp("versitygw")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, "-m", "tests.e2e.verify.versitygw",
         str(binary), str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    logs = "".join(f"\n--- {log.name}\n{log.read_text()[-4000:]}" for log in sorted(folder.glob("*.log")))
    assert done.returncode == 0, done.stderr + logs
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("token", ["minted", "immutable"])
def test_the_job_gets_a_session(answers: dict[str, str], token: str) -> None:
    assert answers[token] == "ok"


@pytest.mark.parametrize(
    ("token", "claim"),
    [
        ("audience", ":aud: the token says 'https://cloud.oracle.com'"),
        ("repository", ":repository_id: the token says '7002'"),
        ("fork", ":sub: the token says 'repo:mallory/shop:environment:staging'"),
        ("environment", ":environment: the token says 'prod'"),
        ("ref", ":ref: the token says 'refs/heads/dev'"),
        ("workflow", ":job_workflow_ref: the token says 'octo/shop/.github/workflows/evil.yml@refs/heads/main'"),
    ],
)
def test_another_token_is_refused_and_the_claim_is_named(answers: dict[str, str], token: str, claim: str) -> None:
    assert answers[token].partition(" ")[0] in {"verify.role_denied", "verify.token_invalid"}
    assert "at once" in answers[token]
    assert claim in answers[token]


@pytest.mark.parametrize(
    ("token", "code"),
    [("expired", "verify.token_expired"), ("issuer", "verify."), ("forged", "verify.token_invalid")],
)
def test_a_token_that_proves_nothing_is_refused(answers: dict[str, str], token: str, code: str) -> None:
    assert answers[token].startswith(code)
    assert "at once" in answers[token]


@pytest.mark.parametrize(
    ("attempt", "answer"),
    [("read inside", "models/staging/a"), ("list inside", "staging/a staging/b")],
)
def test_the_session_reads_what_the_policy_names(answers: dict[str, str], attempt: str, answer: str) -> None:
    assert answers[attempt] == answer


@pytest.mark.parametrize(
    "attempt", ["read outside the prefix", "read another bucket", "list all", "list outside", "write", "delete"]
)
def test_and_nothing_else_though_the_role_may_do_everything(answers: dict[str, str], attempt: str) -> None:
    assert answers[attempt] == "AccessDenied"


def test_the_keys_are_of_no_use_without_the_session_token(answers: dict[str, str]) -> None:
    assert answers["without the session token"] in {"InvalidAccessKeyId", "AccessDenied", "InvalidClientTokenId"}
