"""Places for blocking work: each is given back, however the work ends and whether or not it began."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from aegis.core.errors import AegisError
from aegis_multimodal_ai_system.api.workers import Workers

SECONDS = 60.0


class Panic(BaseException):
    """What pyo3 raises when a library's Rust code panics: no Exception."""


def code_of(raised: pytest.ExceptionInfo[AegisError]) -> str:
    return raised.value.code


@pytest.mark.parametrize("error", [Panic, SystemExit, KeyboardInterrupt, StopIteration, GeneratorExit])
def test_work_that_ends_by_anything_is_told_and_gives_its_place_back(error: type[BaseException]) -> None:
    def work() -> None:
        raise error

    async def play() -> None:
        workers = Workers(1, "pieces of work")
        for _ in range(3):
            with pytest.raises(AegisError) as raised:
                await workers.run(work, SECONDS)
            assert code_of(raised) == "core.crashed"
        assert await workers.run(lambda: "done", SECONDS) == "done"

    asyncio.run(play())


def test_an_exception_is_the_callers() -> None:
    async def play() -> None:
        workers = Workers(1, "pieces of work")
        with pytest.raises(ZeroDivisionError):
            await workers.run(lambda: 1 / 0, SECONDS)
        assert await workers.run(lambda: "done", SECONDS) == "done"

    asyncio.run(play())


@pytest.mark.parametrize("error", [RuntimeError("can't start new thread"), MemoryError()], ids=["thread", "memory"])
def test_a_thread_that_cannot_be_started_takes_no_place(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def start(self: threading.Thread) -> None:
        raise error

    async def play() -> None:
        workers = Workers(1, "pieces of work")
        with monkeypatch.context() as patched:
            patched.setattr(threading.Thread, "start", start)
            for _ in range(3):
                with pytest.raises(AegisError) as raised:
                    await workers.run(lambda: None, SECONDS)
                assert code_of(raised) == "runtime.api_busy"
                assert "no thread" in raised.value.problem
        assert await workers.run(lambda: "done", SECONDS) == "done"

    asyncio.run(play())


def test_a_place_stays_taken_until_the_work_ends_and_then_is_free() -> None:
    going, ended = threading.Event(), threading.Event()

    def work() -> None:
        assert going.wait(SECONDS)
        ended.set()

    async def play() -> None:
        workers = Workers(1, "pieces of work")
        with pytest.raises(AegisError) as raised:
            await workers.run(work, 0.01)
        assert code_of(raised) == "runtime.api_timed_out"
        with pytest.raises(AegisError) as raised:
            await workers.run(work, SECONDS)
        assert code_of(raised) == "runtime.api_busy"
        going.set()
        assert await asyncio.to_thread(ended.wait, SECONDS)
        while workers._busy:  # its end arrives in the loop
            await asyncio.sleep(0)
        assert await workers.run(lambda: "done", SECONDS) == "done"

    asyncio.run(play())


@pytest.mark.parametrize("error", [None, TimeoutError("the work's own")], ids=["result", "error"])
def test_an_end_that_comes_with_the_end_of_the_time_is_told(error: TimeoutError | None) -> None:
    """Both wait for a loop that was busy, or whose machine was: the work did end."""
    going = threading.Event()

    def work() -> str:
        assert going.wait(SECONDS)
        if error is not None:
            raise error
        return "done"

    async def play() -> object:
        task = asyncio.create_task(Workers(1, "a piece of work").run(work, 0.05))
        await asyncio.sleep(0)
        (thread,) = (each for each in threading.enumerate() if each.name == "a piece of work")
        going.set()
        thread.join(SECONDS)
        time.sleep(0.06)  # the loop runs on after the work's end and after its time
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        return outcome

    assert asyncio.run(play()) == (error or "done")
