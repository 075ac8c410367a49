"""Whether the service can do its work: each part that it needs is asked, at most once a second."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from threading import Lock

from aegis.core.errors import AegisError, crashed
from aegis_multimodal_ai_system.api.logs import log

FRESH_SECONDS = 1.0
"""Anyone may ask, so an answer serves all who ask within this time."""

Check = Callable[[], object]
"""Raises AegisError where its part does not work."""


class Readiness:
    """Safe to call from threads; blocks while a part does not answer."""

    def __init__(self, checks: Mapping[str, Check], *, now: Callable[[], float] = time.monotonic) -> None:
        """`checks`: by the names that stand in the answer."""
        self._checks = checks
        self._now = now
        self._lock = Lock()
        self._until = float("-inf")
        self._found: Mapping[str, str] = {}

    def look(self) -> Mapping[str, str]:
        """By check `ok`, or the reason code of what is wrong. What else is known of it goes into the log."""
        with self._lock:
            if self._now() >= self._until:
                found = {name: _outcome(name, check) for name, check in self._checks.items()}
                if found != self._found:
                    log("readiness changed", checks=", ".join(f"{name} {outcome}" for name, outcome in found.items()))
                self._found, self._until = found, self._now() + FRESH_SECONDS
            return self._found


def _outcome(name: str, check: Check) -> str:
    try:
        check()
    except Exception as error:  # whatever it is, the part does not work
        told = error if isinstance(error, AegisError) else crashed(error)
        log("not ready", check=name, code=told.code, problem=told.problem)
        return told.code
    return "ok"
