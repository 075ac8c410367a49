"""Whether the service can do its work: each part that it needs is asked, at most once a second, and for a second.

A part that hangs is one that does not work: whoever asks must hear of it before their own patience ends.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from threading import Lock

from aegis.core.errors import AegisError, crashed
from aegis_multimodal_ai_system.api.logs import log
from aegis_multimodal_ai_system.api.refusals import undecided
from aegis_multimodal_ai_system.patience import Patient

FRESH_SECONDS = 1.0
"""Anyone may ask, so an answer serves all who ask within this time."""

Check = Callable[[], object]
"""Raises AegisError where its part does not work."""


class Readiness:
    """Safe to call from threads; blocks for at most `seconds`."""

    def __init__(
        self, checks: Mapping[str, Check], *, seconds: float, now: Callable[[], float] = time.monotonic
    ) -> None:
        """`checks`: by the names that stand in the answer. `seconds`: for all of them, which are asked at once."""
        self._parts = {name: Patient(check) for name, check in checks.items()}
        self._seconds = seconds
        self._now = now
        self._lock = Lock()
        self._until = float("-inf")
        self._found: Mapping[str, str] = {}

    def look(self) -> Mapping[str, str]:
        """By check `ok`, or the reason code of what is wrong. What else is known of it goes into the log."""
        with self._lock:
            if self._now() >= self._until:
                asked = {name: part.begin() for name, part in self._parts.items()}
                end = time.monotonic() + self._seconds
                found = {name: _outcome(name, each, end - time.monotonic()) for name, each in asked.items()}
                if found != self._found:
                    log("readiness changed", checks=", ".join(f"{name} {outcome}" for name, outcome in found.items()))
                self._found, self._until = found, self._now() + FRESH_SECONDS
            return self._found


def _outcome(name: str, asked: Future[object], seconds: float) -> str:
    try:
        # not `result(seconds)`: an answer may come between its TimeoutError and a look at whose that was
        if not wait([asked], max(0.0, seconds)).done:
            raise undecided("runtime.api_timed_out", "it does not answer", expected="an answer in time")
        asked.result()
    except BaseException as error:  # whatever it is, the part does not work
        told = error if isinstance(error, AegisError) else crashed(error)
        log("not ready", check=name, code=told.code, problem=told.problem)
        return told.code
    return "ok"
