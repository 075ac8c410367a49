"""Work beside the event loop that a process does not wait for when it ends."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def aside(work: Callable[[], T]) -> asyncio.Future[T]:
    """What `work` returns or raises, from a thread of its own; whoever stops waiting does not stop it.

    The threads of an executor are joined when the interpreter ends, so a server that nobody answers any more would keep
    a process for as long as that takes. `work` may therefore end anywhere, as by SIGKILL.
    """
    done: Future[T] = Future()
    done.set_running_or_notify_cancel()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:  # whoever waits is told, whatever it is
            done.set_exception(error)

    threading.Thread(target=run, name="aside", daemon=True).start()
    return asyncio.wrap_future(done)
