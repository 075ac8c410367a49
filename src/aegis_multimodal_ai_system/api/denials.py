"""Denied writes in the audit log, so that an attack is seen there and cannot fill the disk.

The first of an actor and a reason is recorded at once; what follows within a minute is counted, and the count is
recorded when the minute has passed. At most `MAX_KEYS` actors and reasons are told apart in one minute: whoever has
many identities shares an entry a reason with all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Lock

from aegis.audit.event import Event, Resource
from aegis.core.actor import Actor
from aegis.core.errors import AegisError

WINDOW = 60.0
"""Seconds."""
MAX_KEYS = 64
OTHERS = Actor(id="others", kind="process", display="further callers of this minute", issuer="none", subject="none")

Append = Callable[[Event], object]


@dataclass(slots=True)
class _Window:
    actor: Actor
    end: float
    route: str
    correlation_id: str
    more: int = 0
    """Denied, and in no entry yet."""
    told: bool = False
    """It has an entry."""
    telling: bool = False
    """A thread is writing one."""


class Denials:
    """Safe to call from threads. What cannot be recorded stays counted, and is recorded later."""

    def __init__(self, append: Append, *, now: Callable[[], float] = time.monotonic) -> None:
        """`append`: the log's."""
        self._append = append
        self._now = now
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = Lock()

    def denied(self, actor: Actor, reason: str, route: str, correlation_id: str) -> None:
        """Record or count one. Raises what `append` raises."""
        with suppress(AegisError):  # older counts are kept, and say nothing about this one
            self.flush()
        with self._lock:
            key = (actor.id, reason)
            if key not in self._windows and len(self._windows) >= MAX_KEYS:
                actor, key = OTHERS, (OTHERS.id, reason)
            window = self._windows.get(key)
            if window is None:
                window = self._windows[key] = _Window(actor, self._now() + WINDOW, route, correlation_id)
            window.more += 1
            window.route, window.correlation_id = route, correlation_id
            if window.told or window.telling:
                return
            window.telling = True
        try:
            self._record(window, reason)
        finally:
            window.telling = False

    def flush(self, *, everything: bool = False) -> None:
        """Record the counts of the minutes that have passed; at the service's end of all. Raises as `append` does."""
        with self._lock:
            now = self._now()
            over = [
                (key, window)
                for key, window in self._windows.items()
                if (everything or now >= window.end) and not window.telling
            ]
            for _, window in over:
                window.telling = True
        try:
            for (_, reason), window in over:
                if window.more:
                    self._record(window, reason)
        finally:
            with self._lock:
                for key, window in over:
                    window.telling = False
                    if not window.more:
                        del self._windows[key]

    def _record(self, window: _Window, reason: str) -> None:
        """The window is this thread's alone (`telling`), but for its count."""
        count = window.more
        self._append(_event(window.actor, reason, window.route, window.correlation_id, count))
        with self._lock:
            window.more -= count
            window.told = True


def _event(actor: Actor, reason: str, route: str, correlation_id: str, count: int) -> Event:
    return Event(
        action="api.denied",
        actor=actor,
        resource=Resource(kind="endpoint", name=route),
        outcome="refused",
        reason=reason,
        correlation_id=correlation_id,
        details={"count": count},
    )
