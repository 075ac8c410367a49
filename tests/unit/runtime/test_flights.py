"""One fetch for many, in a process and among processes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide, Refused
from aegis_multimodal_ai_system.flights import Flights, alone
from tests.support.processes.forked import forked, true_in_child

HOLD = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from aegis_multimodal_ai_system.flights import alone
with alone(Path(sys.argv[2]), "model"):
    print("held", flush=True)
    sys.stdin.read()
"""
SRC = Path(__file__).resolve().parents[3] / "src"


def followed(flights: Flights[list[int]], error: BaseException | None = None) -> dict[str, Any]:
    """What the leader and one follower get."""
    reached, go = threading.Event(), threading.Event()
    got: dict[str, Any] = {}

    def fetch() -> list[int]:
        reached.set()
        assert go.wait(60)
        if error is not None:
            raise error
        return [1]

    def ask(who: str) -> None:
        try:
            got[who] = flights.join("x", fetch)
        except BaseException as caught:
            got[who] = caught

    leader = threading.Thread(target=ask, args=("leader",))
    leader.start()
    assert reached.wait(60)
    follower = threading.Thread(target=ask, args=("follower",))
    follower.start()
    waited = threading.Event()
    while not flights._flights["x"].followers:
        waited.wait(0.01)
    go.set()
    leader.join(60)
    follower.join(60)
    return got


def test_a_follower_gets_a_copy() -> None:
    got = followed(Flights(list))
    assert got == {"leader": ([1], False), "follower": ([1], True)}
    assert got["leader"][0] is not got["follower"][0]


def test_an_error_is_everybody_s() -> None:
    error = Refused("verify.unsigned", "p", expected="e", remedy="r")
    assert followed(Flights(list), error=error) == {"leader": error, "follower": error}


def test_a_signal_is_the_leader_s_own() -> None:
    got = followed(Flights(list), error=KeyboardInterrupt())
    assert isinstance(got["leader"], KeyboardInterrupt)
    assert isinstance(got["follower"], CouldNotDecide)
    assert got["follower"].code == "runtime.busy"


def test_a_panic_is_everybody_s() -> None:
    """Rust's reach Python as a BaseException (pyo3_runtime.PanicException)."""
    panic = type("PanicException", (BaseException,), {})()
    assert followed(Flights(list), error=panic) == {"leader": panic, "follower": panic}


def test_a_copy_that_fails_is_the_follower_s_own() -> None:
    def no_copy(result: list[int]) -> list[int]:
        raise OSError("no descriptor left")

    got = followed(Flights(no_copy))
    assert got["leader"] == ([1], False)
    assert isinstance(got["follower"], OSError)


def test_who_comes_later_begins_anew() -> None:
    flights: Flights[list[int]] = Flights(list)
    assert flights.join("x", lambda: [1]) == ([1], False)
    assert flights.join("x", lambda: [2]) == ([2], False)


@pytest.mark.parametrize("moment", ["copy", "take away"])
def test_a_signal_after_the_fetch_strands_nobody(moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*given: object) -> Any:
        raise KeyboardInterrupt

    flights: Flights[list[int]] = Flights(interrupt if moment == "copy" else list)
    if moment == "take away":
        monkeypatch.setattr(flights, "_land", interrupt)
    got = followed(flights)
    assert isinstance(got["leader"], KeyboardInterrupt)
    assert isinstance(got["follower"], CouldNotDecide)
    assert got["follower"].code == "runtime.busy"
    monkeypatch.undo()
    assert flights.join("x", lambda: [2]) == ([2], False), "who comes later begins anew"


@contextmanager
def during(hold: Callable[[threading.Event, threading.Event], object]) -> Iterator[threading.Event]:
    """While another thread is in the middle of something: gives the event that lets it go on."""
    reached, go = threading.Event(), threading.Event()
    thread = threading.Thread(target=hold, args=(reached, go))
    thread.start()
    assert reached.wait(60)
    try:
        yield go
    finally:
        go.set()
        thread.join(60)


def test_a_child_that_was_forked_meanwhile_keeps_nobody_out(tmp_path: Path) -> None:
    folder = tmp_path / "locks"

    def hold(reached: threading.Event, go: threading.Event) -> None:
        with alone(folder, "model"):
            reached.set()
            go.wait(60)

    with during(hold) as go, forked():
        go.set()
        with alone(folder, "model", patience=60):
            pass


def test_a_child_that_leaves_the_block_frees_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    with alone(folder, "model", patience=0):
        child = os.fork()
        if child:
            os.waitpid(child, 0)
            with pytest.raises(CouldNotDecide), alone(folder, "model", patience=0):
                pass
    if child == 0:
        os._exit(0)


def test_a_child_does_not_wait_for_its_parent_s_threads() -> None:
    flights: Flights[list[int]] = Flights(list)

    def hold(reached: threading.Event, go: threading.Event) -> None:
        def fetch() -> list[int]:
            reached.set()
            go.wait(60)
            return [1]

        flights.join("x", fetch)

    with during(hold), flights._lock:

        def ask() -> bool:
            got: list[object] = []
            thread = threading.Thread(target=lambda: got.append(flights.join("x", lambda: [2])), daemon=True)
            thread.start()
            thread.join(60)
            return got == [([2], False)]

        assert true_in_child(ask)


def test_another_process_keeps_out_until_it_ends(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    argv = [sys.executable, "-c", HOLD, str(SRC), str(folder)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(CouldNotDecide, match="another process") as refused, alone(folder, "model", patience=0):
            pass
        assert refused.value.code == "runtime.busy"
        with alone(folder, "other", patience=0):
            pass
        holder.kill()
    with alone(folder, "model", patience=0):
        pass


def test_a_lock_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    folder = tmp_path / "locks"
    folder.mkdir(mode=0o700)
    (folder / "model.lock").symlink_to(tmp_path / "made")
    with pytest.raises(CouldNotDecide) as refused, alone(folder, "model", patience=0):
        pass
    assert refused.value.code == "runtime.busy"
    assert not (tmp_path / "made").exists()
