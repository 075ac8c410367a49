"""Sending to all sinks at once, within a deadline, and not more often than anybody can read."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aegis_multimodal_ai_system.alerts.alert import Alert, Failure, Sink

SECONDS = 5.0
"""For all sinks together: the caller of the loader waits for it."""
QUIET = 300.0
"""Seconds in which the same model is not told again for the same reason."""
AGAIN = 30.0
"""Seconds until the next try where a sink failed."""
MAX_TOLD = 20
"""Different alerts within `QUIET`, all models together; what is more is held back, and counted with the next."""

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Told:
    """What is remembered of an alert."""

    until: float
    """Monotonic seconds: not told again before."""
    held: int = 0
    """Held back since."""


class Alerts:
    """The way to all sinks. Safe to call from threads."""

    def __init__(
        self,
        sinks: Sequence[Sink],
        *,
        failed: Callable[[str], object] = lambda kind: None,
        seconds: float = SECONDS,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        """`failed`: gets the kind of each sink that failed, e.g. to count it. `seconds`: for one call of `send`."""
        self._sinks, self._failed, self._seconds, self._now = tuple(sinks), failed, seconds, now
        self._told: dict[tuple[str, str], _Told] = {}
        self._lock = threading.Lock()

    def send(self, alert: Alert) -> tuple[Failure, ...]:
        """Tell all sinks, and what failed. Never raises; does nothing where the same was told a moment ago."""
        if not self._sinks:
            return ()
        key = (alert.model, alert.reason)
        repeated = self._turn(key)
        if repeated is None:
            return ()
        failures = self._all(alert, repeated)
        for failure in failures:
            _log.warning("alert by %s failed: %s", failure.sink, failure.problem)
            try:
                self._failed(failure.sink)
            except Exception:  # counting must not undo what was told
                _log.exception("a failed alert could not be counted")
        if failures:
            with self._lock:
                if key in self._told:
                    self._told[key].until = self._now() + AGAIN
        return failures

    def _turn(self, key: tuple[str, str]) -> int | None:
        """How many were held back since it was told last; None where this one is held back too."""
        now = self._now()
        with self._lock:
            told = self._told.get(key)
            if told is None or told.until <= now:
                active = sum(each.until > now for each in self._told.values())
                if active < MAX_TOLD:
                    self._told = {each: kept for each, kept in self._told.items() if kept.until > now or kept.held}
                    self._told[key] = _Told(now + QUIET)
                    return told.held if told is not None else 0
            if told is None:
                if len(self._told) >= 10 * MAX_TOLD:
                    return None
                told = self._told[key] = _Told(now)
            told.held += 1
            return None

    def _all(self, alert: Alert, repeated: int) -> tuple[Failure, ...]:
        end = time.monotonic() + self._seconds
        results: list[str | None] = [None] * len(self._sinks)

        def tell(number: int, sink: Sink) -> None:
            try:
                results[number] = sink.send(alert, repeated)
            except Exception as error:  # a defect of one sink must not keep the others from hearing
                results[number] = f"it broke off ({type(error).__name__})"

        threads = [
            threading.Thread(target=tell, args=each, name="aegis-alert", daemon=True) for each in enumerate(self._sinks)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        problems = [f"no answer within {self._seconds:g} s" if each is None else each for each in results]
        return tuple(Failure(sink.kind, each) for sink, each in zip(self._sinks, problems, strict=True) if each)
