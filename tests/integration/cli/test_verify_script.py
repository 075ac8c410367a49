"""The runbook's script: the same answer as `aegis verify`, from any folder, with nothing of that folder imported."""

from __future__ import annotations

import venv
from pathlib import Path

import pytest

from tests.integration.cli.command import aegis, script, verdict
from tests.support.actions import staged
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.signing import pem, private

VERIFY = "verify_model_signatures.py"
POLICY = """\
version: 1
verify:
  artifacts:
    - {name: fraud, kind: model, source: models/fraud/, signers: [{key: keys/model.pub}]}
"""
TRAP = "from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\nraise SystemExit(0)\n"
NAMES = ("yaml", "msgspec", "aegis", "json", "sitecustomize", "cryptography", "botocore", "sigstore", "argparse")


@pytest.fixture
def shop(repo: GitRepo) -> GitRepo:
    """A repository with a signed model in it."""
    model = staged.model(staged.WEIGHTS, staged.by_key())
    files = {f"models/fraud/{name}": content for name, content in model.items()}
    repo.commit({"aegis.yml": POLICY, "keys/model.pub": pem(private("ecdsa-p256", 0)), **files})
    return repo


def steady(text: str) -> str:
    """Without what differs from one second to the next."""
    return "\n".join(line for line in text.splitlines() if not any(word in line for word in ("started", "finished")))


def test_it_answers_like_the_command(shop: GitRepo) -> None:
    for arguments in ([], ["--format", "markdown"], ["--policy", "gone.yml"], ["--shard", "0/0"]):
        one, other = script(VERIFY, *arguments, cwd=shop.root), aegis("verify", *arguments, cwd=shop.root)
        assert (one.code, steady(one.out), one.err) == (other.code, steady(other.out), other.err)
    assert script(VERIFY, cwd=shop.root).code == 0


def test_from_another_folder(shop: GitRepo, tmp_path: Path) -> None:
    shop.commit({"models/fraud/weights.bin": b"others"})
    done = script(VERIFY, "--path", str(shop.root), "--output", "out", cwd=tmp_path)
    assert done.code == 1
    assert [finding["rule"] for finding in verdict(tmp_path / "out")["findings"]] == ["verify.file_differs"]


def test_nothing_of_the_repository_is_imported(shop: GitRepo) -> None:
    shop.commit({f"{name}.py": TRAP for name in NAMES})
    done = script(VERIFY, cwd=shop.root)
    assert (done.code, done.err) == (0, "")
    assert [path.name for path in shop.root.glob("*.imported")] == []


def test_a_python_without_the_requirements_is_told_what_to_do(shop: GitRepo, tmp_path: Path) -> None:
    venv.create(tmp_path / "bare", with_pip=False)
    done = script(VERIFY, cwd=shop.root, python=str(tmp_path / "bare" / "bin" / "python"))
    done.refused(3, "is not installed for", "make venv")
