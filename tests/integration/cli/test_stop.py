"""A run that is told to stop, at any point, gives a verdict that says so, and leaves nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.integration.cli.command import AEGIS, environment, verdict
from tests.support.scan.gitrepo import GitRepo

GRACE = 100.0
"""Seconds from the signal to the end. It takes less than 5 on a machine with time to spare (GitHub kills a cancelled
step soon after); what is stuck here would last for longer, until git's own limit."""


class Stuck:
    """A program in whose place a run waits for ever. It says when it is there, and by which number it can be found."""

    def __init__(self, folder: Path, name: str, until: str = "true") -> None:
        folder.mkdir()
        self.program = folder / name
        self.mark = folder / "there"
        real = f'exec "$(PATH="${{PATH#*:}}" command -v {name})" "$@"'
        hang = f'echo $$ >"{self.mark}.new"; mv "{self.mark}.new" "{self.mark}"; exec sleep 600'
        self.program.write_text(f"#!/bin/bash\nif {until}; then {hang}; fi\n{real}\n")
        self.program.chmod(0o755)

    def number(self) -> int:
        return int(self.mark.read_text())

    def gone(self) -> bool:
        try:
            os.kill(self.number(), 0)
        except ProcessLookupError:
            return True
        return False


def wait_for(what: Callable[[], bool], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not come to that"
        time.sleep(0.02)


def stopped(stuck: Stuck, repo: GitRepo, *arguments: str, numbers: tuple[int, ...], **changes: str) -> tuple[int, str]:
    """Start the command, wait until it is stuck, send the signals; its exit code and everything that it said."""
    process = subprocess.Popen(
        [*AEGIS, *arguments],
        cwd=repo.root,
        env=environment(repo.root, **changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_for(stuck.mark.exists)
        start = time.monotonic()
        for number in numbers:
            process.send_signal(number)
        said, _ = process.communicate(timeout=GRACE)
        assert time.monotonic() - start < GRACE
    finally:
        process.kill()
        process.wait()
    wait_for(stuck.gone)
    assert "Traceback" not in said
    return process.returncode, said


@pytest.fixture
def engine_stuck(tmp_path: Path) -> Stuck:
    return Stuck(tmp_path / "engine", "semgrep-core")


@pytest.mark.parametrize(
    "numbers",
    [(signal.SIGTERM,), (signal.SIGINT,), (signal.SIGINT, signal.SIGTERM, signal.SIGTERM)],
    ids=["SIGTERM", "SIGINT", "all at once"],
)
def test_while_the_engine_works(numbers: tuple[int, ...], engine_stuck: Stuck, repo: GitRepo, tmp_path: Path) -> None:
    repo.commit({"a.py": "import boto3\n"})
    code, said = stopped(
        engine_stuck,
        repo,
        "scan",
        "--output",
        str(tmp_path / "out"),
        numbers=numbers,
        AEGIS_SEMGREP_CORE=str(engine_stuck.program),
    )
    found = verdict(tmp_path / "out")
    assert (code, found["result"], found["reason"]) == (3, "error", "core.interrupted")
    assert found["subject"][0]["digest"]["gitCommit"] == repo.sha()
    assert "stopped by SIG" in said
    assert (tmp_path / "out" / "summary.md").is_file()


@pytest.mark.parametrize("call", ["grep", "ls-files", "cat-file", "diff", "rev-parse"])
def test_while_git_works(call: str, repo: GitRepo, tmp_path: Path) -> None:
    """Nothing that handles git's own faults may take the signal for one of them, least of all for an empty answer."""
    repo.commit({"a.py": "import json\n", "aegis.yml": "version: 1\n"})
    repo.commit({"a.py": "import boto3\n"})
    stuck = Stuck(tmp_path / "tools", "git", until=f'[[ " $* " == *" {call} "* ]]')
    code, _ = stopped(
        stuck,
        repo,
        *("scan", "--base", "HEAD~1", "--output", str(tmp_path / "out")),
        numbers=(signal.SIGTERM,),
        PATH=f"{stuck.program.parent}:{os.environ['PATH']}",
    )
    found = verdict(tmp_path / "out")
    assert (code, found["result"], found["reason"]) == (3, "error", "core.interrupted")


def test_while_the_commit_of_a_forced_push_is_fetched(repo: GitRepo, tmp_path: Path) -> None:
    """A commit that can't be fetched there is no fault: everything is looked at. A signal is not that."""
    before = repo.commit({"a.py": "import json\n"})
    repo.commit({"b.py": "import boto3\n"})
    clone = repo.clone(tmp_path / "clone", "--depth=1")
    event = tmp_path / "event.json"
    event.write_text(f'{{"ref": "refs/heads/main", "before": "{before}", "forced": true}}')
    stuck = Stuck(tmp_path / "tools", "git", until='[[ " $* " == *" fetch "* ]]')
    for name in ("summary", "output"):
        (tmp_path / name).touch()
    code, said = stopped(
        stuck,
        clone,
        *("scan", "--github"),
        numbers=(signal.SIGTERM,),
        PATH=f"{stuck.program.parent}:{os.environ['PATH']}",
        GITHUB_EVENT_NAME="push",
        GITHUB_EVENT_PATH=str(event),
        GITHUB_SHA=clone.sha(),
        GITHUB_WORKSPACE=str(clone.root),
        GITHUB_STEP_SUMMARY=str(tmp_path / "summary"),
        GITHUB_OUTPUT=str(tmp_path / "output"),
        AEGIS_INPUT_OUTPUT=str(tmp_path / "out"),
        AEGIS_INPUT_UPLOAD="never",
    )
    found = verdict(tmp_path / "out")
    assert (code, found["result"], found["reason"]) == (3, "error", "core.interrupted")
    assert "\n::error " in said
    assert "core.interrupted" in (tmp_path / "summary").read_text()
    assert "\nerror\n" in (tmp_path / "output").read_text()


def test_a_file_that_is_never_there_is_no_wait(repo: GitRepo, tmp_path: Path) -> None:
    """The helper of these tests tells a run that ends by itself from one that was stopped."""
    repo.commit({"a.py": "import json\n"})
    stuck = Stuck(tmp_path / "tools", "git", until="false")
    done = subprocess.run(
        [*AEGIS, "scan"],
        cwd=repo.root,
        env=environment(repo.root, PATH=f"{stuck.program.parent}:{os.environ['PATH']}"),
        capture_output=True,
        check=False,
    )
    assert (done.returncode, stuck.mark.exists()) == (0, False)
