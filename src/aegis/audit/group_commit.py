"""Many threads, one write: who comes while the disk is busy is served together by the next write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from aegis.audit.entry import Prepared
from aegis.audit.log import Receipt

_MOST = 512
"""Entries of one write, so that the first does not wait for the last."""


class Ticket:
    """One thread's entry. Exactly one of `receipt` and `error` is set when it is served."""

    __slots__ = ("_served", "error", "prepared", "receipt")

    def __init__(self, prepared: Prepared) -> None:
        """Not served yet."""
        self.prepared = prepared
        self.receipt: Receipt | None = None
        self.error: BaseException | None = None
        # A plain lock is the cheapest thing that a thread can wait for.
        self._served = threading.Lock()
        self._served.acquire()

    def wait(self) -> None:
        """Until it is served, or has to lead."""
        self._served.acquire()

    def wake(self) -> None:
        """End `wait`."""
        self._served.release()


class GroupCommit:
    """The queue of waiting threads; the first of them writes for all."""

    def __init__(self, commit: Callable[[Sequence[Ticket]], None]) -> None:
        """`commit` sets each ticket's receipt when all are durable, or raises: then none is acknowledged."""
        self._commit = commit
        self._mutex = threading.Lock()
        self._queue: list[Ticket] = []
        self._led = False

    def append(self, prepared: Prepared) -> Receipt:
        """Durable on return."""
        ticket = Ticket(prepared)
        with self._mutex:
            self._queue.append(ticket)
            waits = self._led
            self._led = True
        if waits:
            ticket.wait()
        if ticket.receipt is None and ticket.error is None:
            self._lead()
        if ticket.error is not None:
            raise ticket.error
        if ticket.receipt is None:
            raise AssertionError("a ticket was neither served nor refused")
        return ticket.receipt

    def _lead(self) -> None:
        with self._mutex:
            batch, self._queue = self._queue[:_MOST], self._queue[_MOST:]
        try:
            self._commit(batch)
        except BaseException as error:  # whoever waits must be told, whatever it was
            for ticket in batch:
                ticket.receipt, ticket.error = None, error
        finally:
            with self._mutex:
                following = self._queue[0] if self._queue else None
                self._led = following is not None
            # The leader does not wait for itself; it is first in its batch.
            for ticket in batch[1:]:
                ticket.wake()
            if following is not None:
                following.wake()
