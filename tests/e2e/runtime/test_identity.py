"""A pod's web identity against an IAM, STS and S3 that nobody here wrote: versitygw's, by obstore's own exchange."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.programs.gomod import program

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What every attempt came to; see `versitygw_identity.py` for what is attempted."""
    binary, folder = program(ROOT / "tests/e2e/tools/versitygw", "1.8.0"), tmp_path_factory.mktemp("versitygw")
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--net", "--mount", sys.executable, "-m",
         "tests.e2e.runtime.versitygw_identity", str(binary), str(folder)],
        cwd=ROOT, env={"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=180,
    )  # fmt: skip
    logs = "".join(f"\n--- {log.name}\n{log.read_text()[-4000:]}" for log in sorted(folder.glob("*.log")))
    assert done.returncode == 0, done.stderr + logs
    found: dict[str, str] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("attempt", "answer"),
    [
        ("read", "models/staging/a"),
        ("list", "staging/a staging/b"),
        ("immutable", "models/staging/a"),
        ("another bucket of the role", "other/staging/a"),
    ],
)
def test_the_session_reads(answers: dict[str, str], attempt: str, answer: str) -> None:
    assert answers[attempt] == answer


@pytest.mark.parametrize("token", ["audience", "repository", "fork", "environment", "expired", "issuer", "forged"])
def test_another_token_is_refused_at_once(answers: dict[str, str], token: str) -> None:
    assert answers[token] == "verify.no_credentials at once"
