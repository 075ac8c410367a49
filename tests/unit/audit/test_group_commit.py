"""Threads that share a write: one that is interrupted ends alone."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import pytest

from aegis.audit.entry import Prepared, prepare
from aegis.audit.faults import unavailable
from aegis.audit.group_commit import GroupCommit, Ticket
from aegis.audit.log import Receipt
from aegis.core.errors import CouldNotDecide
from tests.support.runtime.audit_logs import PRODUCER, event

SECONDS = 60.0


class Disk:
    """Serves batches; the first one when it is let go."""

    def __init__(self) -> None:
        self.busy, self.go = threading.Event(), threading.Event()
        self.batches: list[int] = []

    def commit(self, batch: Sequence[Ticket]) -> None:
        self.batches.append(len(batch))
        self.busy.set()
        assert self.go.wait(SECONDS)
        for ticket in batch:
            ticket.receipt = Receipt(0, b"", "")


class Caller:
    """A thread that appends."""

    def __init__(self, group: GroupCommit) -> None:
        self.ended: BaseException | Receipt | None = None
        self._group = group
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.ended = self._group.append(prepared())
        except BaseException as error:
            self.ended = error

    def result(self) -> BaseException | Receipt | None:
        self._thread.join(SECONDS)
        assert not self._thread.is_alive(), "it waits for ever"
        return self.ended


def prepared() -> Prepared:
    return prepare(event(), PRODUCER)


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come to that"
        threading.Event().wait(0.001)


@contextmanager
def interrupted_when(true: Callable[[], bool]) -> Iterator[None]:
    """This thread gets a signal, whose handler raises TimeoutError, when the condition holds.

    A signal just before a thread waits for a lock does not end the wait, and its handler is called after it: so it is
    sent again.
    """
    told = threading.Event()

    def handler(_number: int, _frame: FrameType | None) -> None:
        if not told.is_set():
            told.set()
            raise TimeoutError("a time limit")

    def send() -> None:
        until(true)
        while not told.is_set():
            signal.pthread_kill(main, signal.SIGUSR1)
            told.wait(0.1)

    main = threading.get_ident()
    before = signal.signal(signal.SIGUSR1, handler)
    sender = threading.Thread(target=send, daemon=True)
    sender.start()
    try:
        with pytest.raises(TimeoutError, match="a time limit"):
            yield
    finally:
        told.set()
        sender.join()
        signal.signal(signal.SIGUSR1, before)


def test_a_waiting_thread_that_is_interrupted_leaves_the_queue() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit)
    first = Caller(group)
    assert disk.busy.wait(SECONDS)
    with interrupted_when(lambda: len(group._queue) == 1):
        group.append(prepared())
    second = Caller(group)
    until(lambda: len(group._queue) == 1)
    disk.go.set()
    assert isinstance(first.result(), Receipt)
    assert isinstance(second.result(), Receipt)
    assert disk.batches == [1, 1]
    assert isinstance(Caller(group).result(), Receipt)


def test_a_thread_that_is_interrupted_when_it_should_lead_hands_on() -> None:
    """It was chosen, and had not begun: the next one leads, without an error."""
    disk = Disk()
    group = GroupCommit(disk.commit)
    real = Ticket.wait

    def wait(ticket: Ticket) -> None:
        real(ticket)
        if ticket is chosen:
            raise KeyboardInterrupt

    first = Caller(group)
    assert disk.busy.wait(SECONDS)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Ticket, "wait", wait)
        second = Caller(group)
        until(lambda: len(group._queue) == 1)
        chosen = group._queue[0]
        third = Caller(group)
        until(lambda: len(group._queue) == 2)
        disk.go.set()
        assert isinstance(second.result(), KeyboardInterrupt)
        assert isinstance(third.result(), Receipt)
    assert isinstance(first.result(), Receipt)
    assert isinstance(Caller(group).result(), Receipt)


def test_a_leader_that_is_interrupted_before_it_writes() -> None:
    disk = Disk()
    group = GroupCommit(disk.commit)
    disk.go.set()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(group, "_lead", lambda _ticket: signal.raise_signal(signal.SIGINT))
        with pytest.raises(KeyboardInterrupt):
            group.append(prepared())
    assert isinstance(Caller(group).result(), Receipt)
    assert disk.batches == [1]


@pytest.mark.parametrize(
    ("error", "told"),
    [(KeyboardInterrupt(), "KeyboardInterrupt"), (SystemExit(1), "SystemExit"), (unavailable("full"), "full")],
    ids=["KeyboardInterrupt", "SystemExit", "unavailable"],
)
def test_what_ends_the_leader_is_told_in_the_logs_own_words(error: BaseException, told: str) -> None:
    """Another thread's KeyboardInterrupt would end a server's worker that nobody interrupted."""
    disk = Disk()
    group = GroupCommit(disk.commit)
    first = Caller(group)
    assert disk.busy.wait(SECONDS)
    others = [Caller(group) for _ in range(3)]
    until(lambda: len(group._queue) == 3)
    leader = group._queue[0]
    real, failed = disk.commit, []

    def commit(batch: Sequence[Ticket]) -> None:
        if batch[0] is leader:
            failed.append(len(batch))
            raise error
        real(batch)

    group._commit = commit
    disk.go.set()
    assert isinstance(first.result(), Receipt)
    results = [other.result() for other in others]
    assert failed == [3]
    assert results.count(error) == (3 if isinstance(error, CouldNotDecide) else 1)
    rest = [each for each in results if each is not error]
    assert all(isinstance(each, CouldNotDecide) and told in each.problem for each in rest)
    assert isinstance(Caller(group).result(), Receipt)
