"""A program that was started ends with the run that a signal stops, at whatever point of the start the signal comes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest

from aegis.adapters import terraform
from aegis.adapters.postgres import engine as pg_engine
from aegis.adapters.postgres import tools as pg_tools
from aegis.adapters.process_group import running
from aegis.startup import children, choice, process, uv

SRC = Path(__file__).resolve().parents[3] / "src"
PROGRAM = """
import os, signal, subprocess, sys, threading
sys.path.insert(0, {src!r})
from pathlib import Path
from aegis.adapters.git.repository import GitRepository
from aegis.cli.interruption import Stopped, stop_on_signals

real, thread = subprocess.Popen._execute_child, threading.Thread.start

def started(process, *given):
    real(process, *given)
    print(process.pid, flush=True)
    if {where!r} == "child":
        os.kill(os.getpid(), signal.SIGTERM)

def counted(timer):
    thread(timer)
    if {where!r} == "timer":
        os.kill(os.getpid(), signal.SIGTERM)

subprocess.Popen._execute_child, threading.Thread.start = started, counted
stop_on_signals()
try:
    GitRepository(Path.cwd()).run("rev-parse", "HEAD")
except Stopped as stopped:
    print(stopped.reason.code)
"""


def runs(number: int) -> bool:
    """Not so where it is dead and its parent, which need not be us, has not looked yet."""
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("where", ["child", "timer"])
def test_a_signal_while_git_is_started(where: str, tmp_path: Path) -> None:
    """Neither git nor the clock that looks at it is left, for either of which the end would be waited for."""
    stuck = tmp_path / "git"
    stuck.write_text("#!/bin/sh\nexec sleep 600\n")
    stuck.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM.format(src=str(SRC), where=where)],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=100,  # less than git's own limit
        check=True,
    )
    number, code = done.stdout.split()
    assert code == "core.interrupted"
    assert not runs(int(number))


class ToldError(Exception):
    """What a handler raises."""


@pytest.fixture
def told_by_signals() -> Iterator[None]:
    def tell(number: int, _frame: FrameType | None) -> None:
        raise ToldError(number)

    before = {number: signal.signal(number, tell) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def sleeping() -> subprocess.Popen[bytes]:
    return subprocess.Popen(["sleep", "600"], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.usefixtures("told_by_signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_in_the_start_is_told_after_it(number: signal.Signals) -> None:
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        os.kill(os.getpid(), number)
        started.append(sleeping())
        return started[0]

    handler = signal.getsignal(number)
    with pytest.raises(ToldError), running(start):
        pytest.fail("the signal was not told")
    assert started[0].returncode in (-signal.SIGTERM, -signal.SIGKILL)
    assert signal.getsignal(number) is handler


@pytest.mark.usefixtures("told_by_signals")
@pytest.mark.parametrize(
    "start",
    [
        pytest.param(lambda folder: process.run([folder / "uv"], os.environ, what="Installing"), id="an installer"),
        pytest.param(lambda folder: uv._version_of(folder / "uv", os.environ), id="uv"),
        pytest.param(lambda folder: choice._committed(folder, "HEAD^1:aegis.yml"), id="the start-up's git"),
        pytest.param(lambda folder: terraform.outputs_of(folder), id="terraform"),
        pytest.param(lambda folder: pg_tools._version_of(folder / "pg_dump"), id="pg_dump"),
        pytest.param(lambda folder: pg_engine._version(folder), id="postgres"),
    ],
)
def test_a_signal_in_the_start_of_what_is_only_asked(
    start: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`subprocess.run` would not end it: its `try` begins after the start."""
    for name in ("uv", "git", "terraform", "pg_dump", "postgres"):
        stuck = tmp_path / name
        stuck.write_text("#!/bin/sh\nexec sleep 600\n")
        stuck.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    numbers: list[int] = []
    real = vars(subprocess.Popen)["_execute_child"]

    def begun(process: subprocess.Popen[bytes], *given: Any) -> None:
        real(process, *given)
        numbers.append(process.pid)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(subprocess.Popen, "_execute_child", begun)
    with pytest.raises(ToldError):
        start(tmp_path)
    (number,) = numbers
    try:
        assert not runs(number)
    finally:
        if runs(number):
            os.kill(number, signal.SIGKILL)


@pytest.mark.usefixtures("told_by_signals")
def test_a_signal_between_two_handlers_leaves_both(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    def taken(number: int, handler: Any) -> Any:
        found = signal.signal(number, handler)
        if number == signal.SIGINT and handler is not handlers[0]:
            os.kill(os.getpid(), signal.SIGTERM)
        return found

    fake = SimpleNamespace(**{**vars(signal), "signal": taken})
    monkeypatch.setattr(children, "signal", fake)
    with pytest.raises(ToldError), running(sleeping):
        pytest.fail("the signal was not told")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_handler_that_python_did_not_set_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that embeds Python may have one in C: `getsignal` gives None, which `signal` does not take."""
    asked: list[int] = []

    def foreign(number: int, handler: Any) -> Any:
        if number == signal.SIGTERM:
            asked.append(number)
            return None
        return signal.signal(number, handler)

    fake = SimpleNamespace(**{**vars(signal), "signal": foreign})
    fake.getsignal = lambda number: None if number == signal.SIGTERM else signal.getsignal(number)
    monkeypatch.setattr(children, "signal", fake)
    with running(sleeping) as process:
        assert process.poll() is None
    assert not asked


@pytest.mark.usefixtures("told_by_signals")
def test_a_program_that_cannot_be_started_leaves_the_handlers() -> None:
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    with (
        pytest.raises(FileNotFoundError),
        running(lambda: subprocess.Popen(["/nowhere/none"], start_new_session=True)),
    ):
        pytest.fail("started")
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_another_thread_starts_programs_too() -> None:
    """Handlers are set by the main thread alone."""
    said: list[bytes] = []

    def work() -> None:
        start = ["printf", "done"]
        with running(lambda: subprocess.Popen(start, start_new_session=True, stdout=subprocess.PIPE)) as process:
            said.append(process.communicate()[0])

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert said == [b"done"]


def test_what_the_program_started_goes_too_and_no_pipe_is_left(tmp_path: Path) -> None:
    script = f"sleep 600 & echo $! >{tmp_path / 'number'}; echo there; wait"

    def start() -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["sh", "-c", script], start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )

    with running(start) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"there\n"
    assert process.stdout.closed
    assert process.stderr.closed
    number = int((tmp_path / "number").read_text())
    end = time.monotonic() + 60
    while runs(number):
        assert time.monotonic() < end
        time.sleep(0.01)
