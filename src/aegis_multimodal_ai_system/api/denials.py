"""Denied writes in the audit log, so that an attack is seen there and cannot fill the disk.

The first of an actor and a reason is recorded at once; what follows within a minute is counted, and the count is
recorded when the minute has passed. At most `MAX_KEYS` actors and reasons are told apart in one minute: whoever has
many identities shares an entry a reason with all others.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

from aegis.audit.event import Event, Resource
from aegis.core.actor import Actor

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
    """Denied since the entry."""


class Denials:
    """Safe to call from threads."""

    def __init__(self, append: Append, *, now: Callable[[], float] = time.monotonic) -> None:
        """`append`: the log's."""
        self._append = append
        self._now = now
        self._windows: dict[tuple[str, str], _Window] = {}
        self._lock = Lock()

    def denied(self, actor: Actor, reason: str, route: str, correlation_id: str) -> None:
        """Record or count one. Raises what `append` raises."""
        self.flush()
        with self._lock:
            key = (actor.id, reason)
            if key not in self._windows and len(self._windows) >= MAX_KEYS:
                actor, key = OTHERS, (OTHERS.id, reason)
            window = self._windows.get(key)
            if window is not None:
                window.more += 1
                window.route, window.correlation_id = route, correlation_id
                return
            self._windows[key] = _Window(actor, self._now() + WINDOW, route, correlation_id)
        self._append(_event(actor, reason, route, correlation_id, 1))

    def flush(self, *, everything: bool = False) -> None:
        """Record the counts of the minutes that have passed; at the service's end of all."""
        with self._lock:
            now = self._now()
            over = [(key, window) for key, window in self._windows.items() if everything or now >= window.end]
            for key, _ in over:
                del self._windows[key]
        for (_, reason), window in over:
            if window.more:
                self._append(_event(window.actor, reason, window.route, window.correlation_id, window.more))


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
