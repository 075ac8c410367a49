"""Many threads, one write: who comes while the disk is busy is served together by the next write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from aegis.audit.entry import Prepared
from aegis.audit.faults import unavailable
from aegis.audit.log import Receipt
from aegis.core.errors import AegisError

_MOST = 512
"""Entries of one write, so that the first does not wait for the last."""


class Ticket:
    """One thread's entry. Exactly one of `receipt` and `error` is set when it is served."""

    __slots__ = ("_served", "error", "prepared", "receipt")

    def __init__(self, prepared: Prepared) -> None:
        """Not served yet."""
        self.prepared = prepared
        self.receipt: Receipt | None = None
        self.error: AegisError | None = None
        # A plain lock is the cheapest thing that a thread can wait for.
        self._served = threading.Lock()
        self._served.acquire()

    def wait(self) -> None:
        """Until it is served, or has to lead."""
        self._served.acquire()

    def wake(self) -> None:
        """End `wait`; once more does no harm."""
        if self._served.locked():
            self._served.release()


class GroupCommit:
    """The queue of waiting threads; the first of them writes for all.

    A signal's handler may raise in a thread wherever it is (Ctrl-C, a time limit). That ends this one's `append`; it
    takes itself out of the queue, and the others go on.
    """

    def __init__(self, commit: Callable[[Sequence[Ticket]], None]) -> None:
        """`commit` sets each ticket's receipt when all are durable, or raises: then none is acknowledged."""
        self._commit = commit
        self._mutex = threading.Lock()
        self._queue: list[Ticket] = []
        self._leader: Ticket | None = None
        """Who writes, or was chosen to."""
        self._batch: list[Ticket] = []
        """What the leader writes; no longer in the queue."""

    def append(self, prepared: Prepared) -> Receipt:
        """Durable on return."""
        ticket = Ticket(prepared)
        try:
            with self._mutex:
                self._queue.append(ticket)
                waits = self._leader is not None
                if not waits:
                    self._leader = ticket
            if waits:
                ticket.wait()
            if ticket.receipt is None and ticket.error is None:
                self._lead(ticket)
        except BaseException as error:
            self._leave(ticket, error)
            raise
        if ticket.error is not None:
            raise ticket.error
        if ticket.receipt is None:
            raise AssertionError("a ticket was neither served nor refused")
        return ticket.receipt

    def _lead(self, ticket: Ticket) -> None:
        with self._mutex:
            self._leader = ticket
            self._batch, self._queue = self._queue[:_MOST], self._queue[_MOST:]
        self._commit(self._batch)
        self._leave(ticket)

    def _leave(self, ticket: Ticket, error: BaseException | None = None) -> None:
        """Whoever waits for this one is told, and the next one leads. May be done again where it was interrupted."""
        with self._mutex:
            if ticket in self._queue:
                self._queue.remove(ticket)
            if self._leader is not ticket:
                return
        # As long as it is the leader, the batch is its own; the others need the mutex as soon as they are woken.
        while self._batch:
            served = self._batch[-1]
            if served.receipt is None and served.error is None:
                served.error = error if isinstance(error, AegisError) else _interrupted(error)
            if served is not ticket:
                served.wake()
            self._batch.pop()
        with self._mutex:
            following = self._queue[0] if self._queue else None
            if following is not None:
                following.wake()
            self._leader = following


def _interrupted(error: BaseException | None) -> AegisError:
    """What ended another thread is not this one's to raise."""
    return unavailable(f"the thread that wrote for several ended with {type(error).__name__} in the middle")
