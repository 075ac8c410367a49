"""The workflows that pages show whole: linted as ours are, run with what they are for, and with what they refuse."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.doubles.cloud import ARN, REGION, Cloud, cloud
from tests.e2e.actions.conftest import CLEAN, DIRTY, exported, uv_folder
from tests.support.actions import events
from tests.support.actions.act import ROOT, Act, Run, commit
from tests.support.pages import pages
from tests.support.programs.gomod import program
from tests.support.signing.signing import pem, private, sign, text64

__all__ = ["exported", "uv_folder"]

ACTIONLINT = "1.7.12"
BEFORE, AFTER = pages.workflows("docs/migration.md")
(README,) = pages.workflows("README.md")
(POLICY,) = [file for file in pages.files("docs/migration.md") if file.path == "aegis.yml"]
KEY = private("ecdsa-p256", 0)
WORDS = {"words/red.json": b'["red"]\n', "words/green.json": b'["green"]\n'}
GOOD = {"README.md": "A shop.\n"}


@pytest.mark.parametrize("file", [README, AFTER], ids=["README", "migration"])
def test_it_is_clean(file: pages.File, tmp_path: Path) -> None:
    (workflow := tmp_path / Path(file.path).name).write_text(file.text)
    lint = program(ROOT / "tests" / "e2e" / "tools" / "actionlint", ACTIONLINT)
    done = subprocess.run([lint, "-shellcheck=", "-pyflakes=", "-oneline", workflow], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "")
    # the short one of the README leaves out what pedants ask for
    strict = ["--pedantic"] if file is AFTER else []
    zizmor = [str(Path(sys.executable).parent / "zizmor"), "--offline", "--no-progress", "--quiet", *strict]
    done = subprocess.run(
        [*zizmor, "--config", str(ROOT / "zizmor.yml"), str(workflow)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout


@pytest.fixture
def act(tmp_path: Path, exported: Path, uv_folder: Path) -> Act:
    """A bare runner."""
    (work := tmp_path / "runner").mkdir()
    return Act(exported, work, (uv_folder,))


def changed(act: Act, repository: Path, files: dict[str, str]) -> Run:
    event = events.pull_request(repository, dict(files))
    return act.run(repository, event.name, event.payload)


@pytest.mark.parametrize(("change", "rules"), [(GOOD, []), (DIRTY, ["scan.runtime"])], ids=["good", "bad"])
def test_the_lines_of_the_readme_are_a_gate(change: dict[str, str], rules: list[str], tmp_path: Path, act: Act) -> None:
    commit(tmp_path / "shop", {**CLEAN, README.path: README.text})
    run = changed(act, tmp_path / "shop", change)
    assert run.green is (not rules), run.log[-4000:]
    assert [note.title.partition(":")[0] for note in run.errors()] == rules


@pytest.fixture
def served() -> Iterator[Cloud]:
    """A role that trusts the workflow, and files with the detached signatures that cosign wrote before."""
    with cloud(AFTER.path) as running:
        running.trust(workflow=AFTER.path)
        running.put(WORDS)
        running.put({f"{name}.sig": text64(sign(KEY, content)).encode() for name, content in WORDS.items()})
        yield running


def tampered(served: Cloud) -> None:
    served.put({"words/red.json": b'["blue"]\n'})


def unsigned(served: Cloud) -> None:
    served.put({"words/blue.json": b'["blue"]\n'})


@pytest.mark.parametrize(
    ("before", "rules"),
    [(None, []), (tampered, ["verify.wrong_signature"]), (unsigned, ["verify.unsigned"])],
    ids=["as signed", "tampered with", "unsigned"],
)
def test_after_the_migration_what_cosign_signed_is_verified(
    before: object, rules: list[str], tmp_path: Path, act: Act, served: Cloud
) -> None:
    policy = yaml.safe_load(POLICY.text)
    policy["verify"]["aws"] |= served.places
    files = {"aegis.yml": yaml.safe_dump(policy), "cosign.pub": pem(KEY), AFTER.path: AFTER.text}
    commit(tmp_path / "shop", files)
    if callable(before):
        before(served)
    variables = ("--var", f"AWS_ROLE_TO_ASSUME={ARN}", "--var", f"AWS_REGION={REGION}")
    run = changed(Act(act.action, act.work, act.path, served.job, variables), tmp_path / "shop", GOOD)
    assert run.green is (not rules), run.log[-4000:]
    assert [note.title.partition(":")[0] for note in run.errors()] == rules


def test_before_is_the_workflow_that_is_replaced() -> None:
    assert BEFORE.path == AFTER.path
    assert "configure-aws-credentials" in BEFORE.text
    assert "cosign verify-blob" in BEFORE.text
    assert "cosign" not in AFTER.text
