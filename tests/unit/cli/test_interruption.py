"""A run that is told to stop comes to its end, whatever its cleaning up waits for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[3] / "src"
PROGRAM = """
import os, signal, sys, threading, time
sys.path.insert(0, {src!r})
from aegis.cli.interruption import Stopped, stop_on_signals

class Late:
    def __del__(self, sleep=time.sleep):
        sleep(2.5)

condition = threading.Condition(threading.Lock())
stop_on_signals()
try:
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        signal.pause()
    finally:
        {cleaning}
except Stopped as stopped:
    print(stopped.reason.code)
"""


@pytest.mark.parametrize(
    ("cleaning", "said"),
    [
        ("pass", "core.interrupted"),
        # as a queue's mutex that was taken the moment before
        ("condition.acquire(); condition.__enter__(); print('never')", "core.interrupted"),
        # what only takes its time is not cut off
        ("condition.acquire(); condition.wait(2.5); print('cleaned')", "cleaned\ncore.interrupted"),
        ("threading.Event().wait(2.5); print('cleaned')", "cleaned\ncore.interrupted"),
        # the interpreter's own end
        ("late = Late()", "core.interrupted"),
    ],
    ids=["nothing", "a lock that is never given back", "a condition", "an event", "an end that takes its time"],
)
def test_a_run_that_is_told_to_stop_ends(cleaning: str, said: str) -> None:
    program = PROGRAM.format(src=str(SRC), cleaning=cleaning)
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == said


def test_an_answer_that_is_written_after_it_was_heard_is_not_cut_off() -> None:
    program = f"""
import os, signal, sys, time
sys.path.insert(0, {str(SRC)!r})
from aegis.cli.interruption import Stopped, stop_on_signals

stop_on_signals()
try:
    os.kill(os.getpid(), signal.SIGTERM)
    signal.pause()
except Stopped as stopped:
    code = stopped.reason.code
time.sleep(2.5)
print(code)
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert (done.stdout, done.stderr) == ("core.interrupted\n", "")


SWALLOWED = """
import io, os, signal, sys, time, weakref
sys.path.insert(0, {src!r})
from aegis.cli.interruption import Stopped, stop_on_signals

class Thing({base}):
    def __del__(self):
        {in_del}

    def close(self):
        if not self.closed:
            super().close()
            told()

def told(_=None):
    for number in (signal.SIGTERM, signal.SIGTERM):
        os.kill(os.getpid(), number)

stop_on_signals()
try:
    thing = Thing()
    reference = weakref.ref(thing, {callback})
    del thing
    print("goes on", flush=True)
    time.sleep(600)
except Stopped as stopped:
    print(stopped.reason.code)
"""


@pytest.mark.parametrize(
    ("base", "in_del", "callback"),
    [("object", "told()", "None"), ("object", "pass", "told"), ("io.RawIOBase", "super().__del__()", "None")],
    ids=["a destructor", "the callback of a weak reference, as of an import's lock", "a file, as an answer of HTTP"],
)
def test_a_signal_that_the_interpreter_keeps_to_itself(base: str, in_del: str, callback: str) -> None:
    program = SWALLOWED.format(src=str(SRC), base=base, in_del=in_del, callback=callback)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=200, check=True
    )
    assert done.stdout.split("\n") == ["goes on", "core.interrupted", ""]
    assert done.stderr == ""


def test_what_else_is_unraisable_is_told_once() -> None:
    """Also where several commands ran in one process."""
    program = f"""
import sys
sys.path.insert(0, {str(SRC)!r})
from aegis.cli.interruption import stop_on_signals

class Thing:
    def __del__(self):
        raise ValueError("broken")

stop_on_signals()
stop_on_signals()
Thing()
"""
    done = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr.count("ValueError: broken") == 1


STARTING = """
import os, signal, sys
sys.path.insert(0, {src!r})
from aegis.cli import main

def imported(name):
    os.kill(os.getpid(), signal.{signal})
    raise AssertionError("not stopped")

main.import_module = imported
sys.exit(main.main(["scan"]))
"""


@pytest.mark.parametrize("signal", ["SIGINT", "SIGTERM"])
def test_a_command_that_is_stopped_while_its_modules_are_loaded_says_so(signal: str) -> None:
    program = STARTING.format(src=str(SRC), signal=signal)
    done = subprocess.run(
        [sys.executable, "-I", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"aegis: core.interrupted: stopped by {signal}\n")
