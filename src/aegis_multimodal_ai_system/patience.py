"""A question to something that may hang, asked so that its asker need not."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")


class Patient(Generic[T]):
    """Asked in a thread of its own, once at a time: whoever asks meanwhile waits for the same answer.

    Safe to call from threads.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._under_way: Future[T] | None = None

    def begin(self) -> Future[T]:
        """The answer that will come: `result(seconds)` gives it, raises its error, or TimeoutError."""
        with self._lock:
            if self._under_way is None or self._under_way.done():
                future: Future[T] = Future()
                threading.Thread(target=self._run, args=(future,), name="a question", daemon=True).start()
                self._under_way = future
            return self._under_way

    def _run(self, future: Future[T]) -> None:
        try:
            future.set_result(self._ask())
        except BaseException as error:  # whatever it is, it is the answer
            future.set_exception(error)
