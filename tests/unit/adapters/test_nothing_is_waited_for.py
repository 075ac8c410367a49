"""A run that a signal stops ends, whatever its threads wait for: the interpreter waits for an executor's."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, cast

import pytest

from aegis.adapters.postgres.snapshot import Held
from aegis.cli.backup import taking
from tests.unit.adapters.test_process_group import runs

SRC = Path(__file__).resolve().parents[3] / "src"
STOPPED = """
import os, signal, sys, threading, time
sys.path.insert(0, {src!r})
from aegis.cli.interruption import Stopped, stop_on_signals

def tell():
    os.kill(os.getpid(), signal.SIGTERM)

stop_on_signals()
try:
    {body}
except Stopped as stopped:
    print(stopped.reason.code, flush=True)
"""
LIMIT = 200
"""Seconds; what is stuck here lasts for 600."""


def stopped(body: str) -> str:
    """What a program says that stops itself."""
    code = STOPPED.format(src=str(SRC), body=body.strip().replace("\n", "\n    "))
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=LIMIT, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


READING = """
from contextlib import contextmanager
from aegis.adapters.postgres import snapshot as pg_snapshot

class Gone:
    def begin(self, snapshot=None): pass
    def cancel(self): time.sleep(600)
    def row(self, query, what=""):
        tell()
        time.sleep(600)

@contextmanager
def session(url, patience):
    yield Gone()

pg_snapshot.session = session
held = object.__new__(pg_snapshot.Held)
held.snapshot, held._url, held._jobs = "a-1", "", 2
held._lock, held._reading, held._cancelled = threading.Lock(), [], False
question = pg_snapshot._Question
held._ask([question(number, "", "", 0) for number in range(9)], 600)
"""


def test_checksums_of_a_server_that_is_gone() -> None:
    assert stopped(READING) == "core.interrupted"


LISTING = """
import asyncio
import obstore
from aegis.adapters.objects.obstore import ObstoreS3

async def endless(*given, **named):
    tell()
    await asyncio.sleep(600)
    yield []

obstore.list = endless
place = ObstoreS3("models", "eu-west-1", list_seconds=600, environ={})
place.list("a/")
"""


def test_a_listing_of_a_store_that_is_gone() -> None:
    assert stopped(LISTING) == "core.interrupted"


KEEPING = """
from contextlib import contextmanager
from aegis_multimodal_ai_system import fetched

class Staging:
    @contextmanager
    def create(self, name):
        yield self
    def copy(self, sealed, size):
        tell()
        time.sleep(600)

def load():
    with fetched._Keeper(Staging()) as keeper:
        keeper.keep("weights", 0, 1)
        keeper.finish()

threading.Thread(target=load, daemon=True).start()
while True:
    time.sleep(0.1)  # a signal that comes just before one long sleep would end with it
"""


def test_a_copy_of_a_model_that_is_kept() -> None:
    """A service loads in threads that its end does not wait for."""
    assert stopped(KEEPING) == "core.interrupted"


RECEIVING = """
sys.path.insert(0, {root!r})
from acceptance.local.receiver import receiving

real = threading.Thread.start

def begun(thread):
    real(thread)
    tell()

threading.Thread.start = begun
with receiving():
    pass
"""


def test_the_receiver_of_alerts_of_a_probe() -> None:
    assert stopped(RECEIVING.format(root=str(SRC.parent))) == "core.interrupted"


ACCEPTING = """
from types import SimpleNamespace
from aegis.cli.acceptance import probes

session = object.__new__(probes._Session)
session.asked, session.end, session.results = SimpleNamespace(criteria=[1, 2, 3]), None, {}

def one(session, criterion):
    end = time.monotonic() + 1
    while session.end is None:
        if time.monotonic() > end:
            tell()
        time.sleep(0.01)

def trace(frame, event, _):
    code = frame.f_code
    if code.co_name == "__enter__" and code.co_filename.endswith("concurrent/futures/_base.py"):
        lines.append(event)
        if lines.count("line") == 3:  # the lock of one of several futures is taken
            tell()
        return trace

lines = []
probes._Session._one = one
sys.settrace(trace)
session.run(2)
print(session.end.code)
"""


def test_criteria_that_are_just_waited_for() -> None:
    """An executor's threads would wait for the lock of a future, which a signal may leave taken."""
    assert stopped(ACCEPTING) == "core.interrupted"


SLOW = """
import os, signal, time

def scan(*given):
    with open(f"{os.path.dirname(__file__)}/{os.getpid()}.number", "w"):
        pass
    os.kill(os.getppid(), signal.SIGTERM)
    time.sleep(600)
"""
VERIFYING = """
sys.path.insert(0, {folder!r})
import slow
from aegis.audit import verify

verify.scan = slow.scan
list(verify._scan_all(0, [range(1)] * 9, 9, set(), 2))
"""


def test_processes_that_verify_a_large_log(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    try:
        assert stopped(VERIFYING.format(folder=str(tmp_path))) == "core.interrupted"
        left = [file for file in tmp_path.glob("*.number") if runs(int(file.stem))]
        assert not left
    finally:
        for file in tmp_path.glob("*.number"):
            if runs(int(file.stem)):
                os.kill(int(file.stem), signal.SIGKILL)


class Reading:
    """In place of `Held`: reads until it is cancelled. `stops`: where a signal comes from."""

    def __init__(self) -> None:
        self.cancelled = threading.Event()

    def read(self) -> Any:
        self.cancelled.wait(60)
        raise AssertionError("nobody takes this")

    def cancel(self) -> None:
        self.cancelled.set()


class ToldError(Exception):
    """What the handler raises."""


@pytest.fixture
def heard() -> Iterator[threading.Event]:
    """Whether the handler has raised, which it does once."""
    event = threading.Event()

    def tell(number: int, _frame: FrameType | None) -> None:
        if not event.is_set():
            event.set()
            raise ToldError(number)

    before = signal.signal(signal.SIGTERM, tell)
    yield event
    signal.signal(signal.SIGTERM, before)


def test_a_signal_while_checksums_are_waited_for_ends_them(heard: threading.Event) -> None:
    """Python 3.11 takes a thread for ended where a handler raises out of its `join`."""
    held = Reading()
    main = threading.get_ident()

    def told() -> None:
        end = time.monotonic() + 60
        while time.monotonic() < end:
            frame = sys._current_frames()[main]
            if frame.f_code.co_name in ("_wait_for_tstate_lock", "result"):
                break
            time.sleep(0.01)
        while not heard.is_set():  # one that comes just before the wait would end with it
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.1)

    thread = threading.Thread(target=told, daemon=True)
    thread.start()
    with pytest.raises(ToldError), taking._reading(cast("Held", held)) as reading:
        reading.result()
    assert held.cancelled.is_set()
    thread.join()


@pytest.mark.usefixtures("heard")
def test_a_signal_while_checksums_are_begun_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    held = Reading()
    real = threading.Thread.start

    def begun(thread: threading.Thread) -> None:
        real(thread)
        os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(threading.Thread, "start", begun)
    with pytest.raises(ToldError), taking._reading(cast("Held", held)):
        pytest.fail("the signal was not told")
    assert held.cancelled.is_set()
