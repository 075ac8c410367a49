"""Both actions in every situation of a consumer's workflow. What act cannot tell: tests/support/actions/act.py."""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path

import pytest

from aegis.startup import surroundings
from tests.e2e.actions.conftest import CLEAN, DIRTY, SERVICE, Stage, assert_error, patient, told
from tests.support.actions import events
from tests.support.actions.act import CHECKOUT, ROOT, Annotation, Run, read_log, write_files
from tests.support.actions.package_index import download, serving

FAKE_SEMGREP = """

def semgrep_core(root, cache, environ=None):  # the test's own
    return Path({path!r})
"""


def on_the_line(run: Run) -> Annotation:
    """The annotation that stands where the import is."""
    return next(note for note in run.errors() if note.file == SERVICE)


def with_semgrep(stage: Stage, script: str, timeout: int = 300, overlay: Mapping[str, str] | None = None) -> None:
    """Put another program in the place of semgrep's binary."""
    program = stage.folder / "semgrep-core"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    environment = (ROOT / "src/aegis/startup/environment.py").read_text("utf-8")
    adapter = (ROOT / "src/aegis/adapters/semgrep.py").read_text("utf-8")
    limited = adapter.replace("TIMEOUT_SECONDS = 300", f"TIMEOUT_SECONDS = {timeout}", 1)
    assert timeout == 300 or limited != adapter
    stage.change_action(
        {
            "src/aegis/startup/environment.py": environment + FAKE_SEMGREP.format(path=str(program)),
            "src/aegis/adapters/semgrep.py": limited,
            **(overlay or {}),
        }
    )


def test_a_clean_change_is_green_from_a_cold_start(stage: Stage) -> None:
    stage.cold()
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, {SERVICE: CLEAN[SERVICE] + "print(1)\n"}))
    assert run.green, run.log
    assert told(run) == "pass core.passed"
    assert not run.errors()
    assert "PASS" in run.summary
    assert '"result": "pass"' in run.log or '"result":"pass"' in run.log


def test_an_sdk_in_the_service_is_red_on_its_line_from_a_cold_start(stage: Stage) -> None:
    stage.cold()
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert not run.green
    assert told(run) == "fail core.findings"
    assert on_the_line(run).line == 4
    assert "boto3" in on_the_line(run).message
    assert "FAIL" in run.summary


def test_a_wrong_input_is_red_before_anything_is_installed(stage: Stage) -> None:
    stage.inputs = {"upload": "sometimes"}
    stage.adopt()
    run = stage.run(events.push(stage.repository, {}))
    assert_error(run, "core.wrong_usage", "`auto` or `never`")
    assert not list(stage.act.work.rglob("uv-cache"))


def test_a_broken_policy_is_red_at_its_place(stage: Stage) -> None:
    stage.adopt({"aegis.yml": "version: 1\nscan:\n  allwo: []\n"})
    run = stage.run(events.push(stage.repository, {}))
    assert not run.green
    assert told(run) == "error core.policy_invalid"
    note = next(note for note in run.errors() if "allwo" in note.message)
    assert "`allow`" in note.message or "'allow'" in note.message
    assert (note.file, note.line) == ("aegis.yml", 3)


@pytest.mark.parametrize(
    ("script", "timeout"),
    [("exit 2", 300), ("kill -9 $$", 300), ("exec sleep 600", 1), ("echo garbage", 300), ("exit 0", 300)],
    ids=["fails", "killed", "hangs", "garbage", "silent"],
)
def test_a_broken_semgrep_is_red(stage: Stage, script: str, timeout: int) -> None:
    with_semgrep(stage, script, timeout)
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert_error(run, "scan.engine_failed", "semgrep-core")


def test_a_missing_semgrep_is_red(stage: Stage) -> None:
    with_semgrep(stage, "exit 0")
    (stage.folder / "semgrep-core").unlink()
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert_error(run, "scan.engine_missing", "semgrep-core")


def test_a_broken_semgrep_does_not_matter_without_a_candidate(stage: Stage) -> None:
    with_semgrep(stage, "exit 2")
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, {SERVICE: CLEAN[SERVICE] + "print(1)\n"}))
    assert run.green, run.log


def test_a_pull_request_from_a_fork_is_judged_and_told_what_it_lacks(stage: Stage) -> None:
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, DIRTY, fork=True))
    assert told(run) == "fail core.findings"
    assert on_the_line(run)
    assert any(note.level == "notice" and "fork" in note.message for note in run.annotations)


def test_a_scheduled_run_looks_at_everything(stage: Stage) -> None:
    stage.adopt(DIRTY)
    run = stage.run(events.schedule())
    assert told(run) == "fail core.findings"
    assert on_the_line(run)


def test_the_merge_queue_is_judged(stage: Stage) -> None:
    stage.adopt()
    run = stage.run(events.merge_group(stage.repository, DIRTY))
    assert told(run) == "fail core.findings"
    assert on_the_line(run)


def test_pull_request_target_is_refused(stage: Stage) -> None:
    stage.adopt()
    event = events.pull_request(stage.repository, DIRTY)
    run = stage.run(events.Event("pull_request_target", event.payload))
    assert_error(run, "core.wrong_usage", "pull_request_target")


def test_it_works_inside_a_consumers_composite(stage: Stage) -> None:
    nested = (
        "name: checks\noutputs:\n  result: {value: '${{ steps.inner.outputs.result }}'}\n"
        "  reason: {value: '${{ steps.inner.outputs.reason }}'}\n"
        f"runs:\n  using: composite\n  steps:\n    - id: inner\n      uses: {stage.uses}\n"
    )
    stage.uses = "./.github/actions/checks"
    stage.adopt({".github/actions/checks/action.yml": nested})
    run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert told(run) == "fail core.findings"
    assert on_the_line(run).line == 4


def test_odd_file_names_can_forge_nothing(stage: Stage) -> None:
    names = [
        "a\nb.py",
        "::error file=x::forged.py",
        "%0A::warning::forged.py",
        "sp ace ü.py",
        "<img src=x>|`.py",
        "-rf.py",
    ]
    stage.adopt()
    run = stage.run(events.pull_request(stage.repository, {f"src/odd/{name}": "import boto3\n" for name in names}))
    assert told(run) == "fail core.findings"
    files = {note.file for note in run.errors() if note.file.startswith("src/odd/")}
    assert files == {f"src/odd/{name}" for name in names}
    assert not any(note.file == "x" or note.message.startswith("forged") for note in run.annotations)
    assert "<img" not in run.summary


def test_a_poisoned_job_changes_nothing(stage: Stage) -> None:
    evil = "raise SystemExit('the workspace was imported')\n"
    modules = ("yaml", "msgspec", "sitecustomize", "usercustomize", "json", "aegis/__init__", "aegis/cli/main")
    stage.env = {
        "UV_INDEX_URL": "http://127.0.0.1:9/simple",
        "UV_DEFAULT_INDEX": "http://127.0.0.1:9/simple",
        "UV_PYTHON": "/nowhere/python",
        "UV_OFFLINE": "1",
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_NO_INDEX": "1",
        "PYTHONPATH": ".",
        "PYTHONSTARTUP": "sitecustomize.py",
        "PYTHONSAFEPATH": "",
        "VIRTUAL_ENV": "/nowhere",
        "AEGIS_SEMGREP_CORE": "/bin/true",
    }
    stage.cold()
    stage.adopt({f"{module}.py": evil for module in modules} | {"pyproject.toml": "[tool.uv]\nno-index = true\n"})
    run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert "the workspace was imported" not in run.log
    assert told(run) == "fail core.findings"
    assert on_the_line(run).line == 4


HALF_A_VERDICT = """
import os

def main(words):
    open(os.environ["AEGIS_INPUT_OUTPUT"] + "/verdict.json", "w").write("{")
"""


@pytest.mark.parametrize(
    ("main", "says"),
    [
        ("import sys\nsys.exit(0)\n", "exit code 0 and wrote no verdict"),
        ("def main(words):\n    return 0\n", "exit code 0 and wrote no verdict"),
        ("def main(words):\n    raise RuntimeError('boom')\n", "exit code 1 and wrote no verdict"),
        ("import os\nos.kill(os.getpid(), 9)\n", "ended by signal 9"),
        ('def main(words):\n    print(\'{"result": "pass"}\')\n    return 0\n', "wrote no verdict"),
        (HALF_A_VERDICT, "(unreadable)"),
    ],
    ids=["exit 0", "returns 0", "crash", "killed", "prints a verdict", "half a verdict"],
)
def test_a_gate_that_gives_no_verdict_is_red(stage: Stage, main: str, says: str) -> None:
    stage.change_action({"src/aegis/cli/main.py": main})
    stage.adopt()
    assert_error(stage.run(events.push(stage.repository, {})), "core.no_verdict", says)


def test_a_job_without_checkout_is_told_so(stage: Stage) -> None:
    stage.adopt()
    path = stage.repository / ".github/workflows/check.yml"
    text = path.read_text("utf-8").replace(f"      - uses: {CHECKOUT}\n", "")
    write_files(stage.repository, {".github/workflows/check.yml": text})
    assert_error(stage.run(events.push(stage.repository, {})), "core.wrong_usage", "no git repository")


def test_an_index_of_the_consumers_own_serves_everything(stage: Stage, tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    for name in ("uv", "scan", "semgrep"):
        download(ROOT / "locks" / f"{name}.txt", wheels, surroundings.for_installers(os.environ))
    stage.cold()
    with serving(wheels) as index:
        stage.inputs = {"index-url": index.url}
        stage.env = {"HTTPS_PROXY": "http://127.0.0.1:9"}
        stage.adopt()
        run = stage.run(events.pull_request(stage.repository, DIRTY))
    assert told(run) == "fail core.findings"
    assert {path.split("/")[2] for path in index.requests if "/simple/" in path} == {
        "uv",
        "msgspec",
        "pyyaml",
        "semgrep",
    }


def test_an_index_that_does_not_answer_is_red(stage: Stage) -> None:
    stage.inputs = {"index-url": "http://127.0.0.1:9/simple"}
    stage.adopt()
    run = stage.run(events.push(stage.repository, {}))
    assert_error(run, "core.install_failed", "Installing scan.txt failed")


def test_a_cancelled_run_leaves_a_verdict(stage: Stage) -> None:
    ready = stage.folder / "ready"
    os.mkfifo(ready)
    # the launcher is the parent of the gate, which is the parent of semgrep
    with_semgrep(stage, f"""cut -d" " -f4 "/proc/$PPID/stat" > "{ready}"\nexec sleep 600""", overlay=patient())
    stage.adopt()
    event = events.pull_request(stage.repository, DIRTY)
    with stage.act.started(stage.repository, event.name, event.payload) as act:
        os.kill(int(ready.read_text("utf-8")), signal.SIGTERM)
        out, _ = act.communicate(timeout=600)
    run = read_log(out, act.returncode)
    assert_error(run, "core.interrupted", "SIGTERM")
    assert '"result": "error"' in run.log or '"result":"error"' in run.log
