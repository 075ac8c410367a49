"""Blocking work beside the event loop: bounded in number, and waited for a bounded time only.

Each piece of work has a daemon thread of its own. A pool's threads are joined when the interpreter ends, so that one
hung connection to a database would keep a stopped service alive; these are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar, cast

from aegis.core.errors import crashed
from aegis_multimodal_ai_system.api.refusals import undecided

T = TypeVar("T")


class Workers:
    """At most `limit` pieces of work at once; used from one event loop."""

    def __init__(self, limit: int, what: str) -> None:
        """`what`: names the work for people, e.g. `models being prepared`."""
        self._limit = limit
        self._what = what
        self._busy = 0

    async def run(self, work: Callable[[], T], seconds: float) -> T:
        """The work's result, or its error.

        Raises CouldNotDecide `runtime.api_busy` where no place is free, or no thread to be had, and
        `runtime.api_timed_out` after `seconds`: then the work goes on, and its place stays taken until it ends.
        """
        if self._busy >= self._limit:
            raise undecided("runtime.api_busy", f"{self._busy} {self._what} at once", expected=f"at most {self._limit}")
        self._busy += 1
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()

        def ended(result: T | None, error: Exception | None) -> None:
            self._busy -= 1
            if done.done():
                return  # its caller was told that it takes too long
            if error is not None:
                done.set_exception(error)
            else:
                done.set_result(cast("T", result))

        def body() -> None:
            result, failure = None, None
            try:
                result = work()
            except Exception as error:  # whatever it was, its caller must hear of it
                # a future takes no StopIteration
                failure = crashed(error) if isinstance(error, StopIteration) else error
            except BaseException as error:  # also a panic of a library in another language
                failure = crashed(error)
            with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(ended, result, failure)

        try:
            threading.Thread(target=body, name=self._what, daemon=True).start()
        except (RuntimeError, MemoryError) as error:  # the system gives this process no more threads
            self._busy -= 1
            raise undecided(
                "runtime.api_busy", "no thread can be started", expected="a system that lets it have one"
            ) from error
        try:
            async with asyncio.timeout(seconds):
                return await done
        except TimeoutError as error:
            if done.done() and not done.cancelled():
                return done.result()  # it came with the last tick; or the error is the work's own
            raise undecided(
                "runtime.api_timed_out", f"no answer within {seconds:g} s", expected="an answer in time"
            ) from error
