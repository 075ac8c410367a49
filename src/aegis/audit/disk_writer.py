"""A log's files in the hands of the one process that may write them now: `DiskLog` sees to that."""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from aegis.audit.checkpoint import note_of, open_checkpoint, sign_head
from aegis.audit.entry import Prepared, new_id, now, prepare, this_producer
from aegis.audit.event import Event, Resource
from aegis.audit.faults import unavailable
from aegis.audit.folder import FolderSource, drop_partial, store, sync_folder, write_at, write_whole
from aegis.audit.growth import Growth, load_growth
from aegis.audit.journal import (
    HEADER_BYTES,
    MARK_AT,
    RECORD_BYTES,
    BrokenRecord,
    Mac,
    journal_header,
    pack_mark,
    pack_record,
    read_header,
    read_mark,
    record_bytes,
)
from aegis.audit.keys import SigningKey, Verifier
from aegis.audit.locking import lock, unlock
from aegis.audit.log import Receipt
from aegis.audit.paths import CHECKPOINT
from aegis.audit.prove import consistency
from aegis.audit.replay import Replayed, replay
from aegis.core.actor import Actor
from aegis.core.errors import Refused
from aegis.core.merkle import EMPTY_ROOT, is_consistent
from aegis.core.note import checkpoint_text

Exclusive = Callable[[], AbstractContextManager[None]]
JOURNAL = "journal"
TORN = "torn-"
_MOST_JOURNAL = 256 << 20
_WINDOW = 16_384
"""Bytes that are read to learn what another process wrote; all of the journal where that is not enough."""
_READINGS = 3
_SHARED = 32
"""Writes after which a process that sees no others takes itself to be alone."""
_LEAST_PAUSE, _MOST_PAUSE = 1e-4, 2e-3
"""Seconds between two looks at what others do."""
_ANEW = "Look at the disk, verify the log, and start the process anew."
_SELF = Actor(id="aegis.audit", kind="process", display="aegis", issuer="local", subject="aegis.audit")


@dataclass(slots=True)
class _State:
    """What this process knows of the log."""

    journal: int
    """Descriptor."""
    inode: int
    capacity: int
    """Bytes of the journal."""
    offset: int
    """In the journal, behind the last record."""
    growth: Growth
    published: int
    """Entries under the checkpoint on disk."""
    durable: int
    """Entries that are known to be on disk."""
    shared: int = 0
    """Above 0 while other processes write as well: it goes down with each write after which none of them was seen."""
    last: int = 0
    """Entries after this process's last write."""
    writers: int = 0
    """Entries between its last two writes: what to expect of all processes until the next one."""
    seconds: float = 0.0
    """How long the last wait for the disk took."""


class DiskWriter:
    """Every method but `forget` and `sync` is called under the lock of all processes, `exclusive`.

    All raise CouldNotDecide `audit.unavailable`, and then nothing is known any more: the files are read anew.
    """

    def __init__(
        self, folder: Path, key: SigningKey, verifier: Verifier, journal_bytes: int, exclusive: Exclusive
    ) -> None:
        """Nothing is opened yet."""
        self._exclusive = exclusive
        self._folder, self._key, self._verifier, self._journal_bytes = folder, key, verifier, journal_bytes
        self._path = f"{folder}/{JOURNAL}"
        self._source = FolderSource(folder)
        self._state: _State | None = None
        self._lost = ""
        self._known = (0, EMPTY_ROOT)
        """Size and root hash of the entries that this process knows to be on disk."""

    @property
    def size(self) -> int:
        """Entries, as far as this process knows."""
        return self._state.growth.tree.size if self._state else 0

    def refresh(self) -> None:
        """Learn what others wrote, and see whether the files are still those that were opened."""
        with self._failing():
            self._current()

    def write(self, batch: Sequence[Prepared]) -> list[Receipt]:
        """Give each its time, id and place, and write them. They are not durable before `sync`."""
        with self._failing():
            state = self._current()
            receipts = self._append(state, batch)
            state.writers, state.last = state.growth.tree.size - state.last, state.growth.tree.size
            return receipts

    def sync(self) -> None:
        """Wait until all that this process wrote or read is on disk. Called without the lock of all processes.

        While one waits for the disk, others write; the next one waits for all of them, and tells them by the mark.
        """
        state = self._state
        if state is None:
            return
        if not state.shared:
            with self._failing():
                self._wait(state)
                self._mark(state)
            return
        state.shared -= 1
        target, descriptor = state.growth.tree.size, state.journal

        def is_marked() -> bool:
            return _marked(descriptor, self._key.mac) >= target

        with self._failing():
            pause = min(max(state.seconds / 8, _LEAST_PAUSE), _MOST_PAUSE)
            if not lock(descriptor, self._path, pause=pause, longest=pause, needless=is_marked):
                state.durable = max(state.durable, target)
                return
            try:
                now_there = self._gather(state)
                if now_there is state:
                    self._wait(state)
                    self._mark(state)
            finally:
                if self._state is state:
                    unlock(descriptor)

    def _gather(self, state: _State) -> _State:
        """Wait, for half the time that the disk takes, until the others have written as well, as they did before.

        Without that, those who were just served would write in the middle of the next wait, and wait for two.
        """
        before, until = _marked(state.journal, self._key.mac), time.monotonic() + min(state.seconds / 2, _MOST_PAUSE)
        while True:
            with self._exclusive():
                # Whole records only: the mark is about all that stands there now.
                now_there = self._current()
            there = now_there.growth.tree.size - before
            if now_there is not state or there >= state.writers or time.monotonic() >= until:
                return now_there
            time.sleep(_LEAST_PAUSE)

    def _wait(self, state: _State) -> None:
        size = state.growth.tree.size
        began = time.monotonic()
        try:
            os.fdatasync(state.journal)
        except OSError as error:
            # The kernel may have dropped what it could not write and call the next attempt a success.
            self._lost = f"{self._path}: {error.strerror} when waiting for the disk"
            self.forget()
            raise unavailable(self._lost, remedy=_ANEW) from error
        state.seconds = time.monotonic() - began
        state.durable = max(state.durable, size)
        if self._known[0] < size:
            self._known = (size, state.growth.tree.root())

    def _mark(self, state: _State) -> None:
        """Say what is on disk. The next wait takes it along: this one is not waited for."""
        write_at(state.journal, pack_mark(state.durable, self._key.mac), MARK_AT)

    def publish(self) -> None:
        """Write tiles, bundles and a checkpoint of all entries, where the last one is older."""
        with self._failing():
            state = self._current()
            if state.published < state.growth.tree.size:
                self._publish(state)

    def probe(self) -> None:
        """Write a byte where it changes nothing, and wait for the disk."""
        with self._failing():
            state = self._current()
            if state.offset < state.capacity:
                write_at(state.journal, b"\0", state.offset)
            self._wait(state)
            self._mark(state)

    def forget(self) -> None:
        """Let go of the files."""
        if self._state is not None:
            os.close(self._state.journal)
            self._state = None

    @contextlib.contextmanager
    def _failing(self) -> Iterator[None]:
        if self._lost:
            raise unavailable(self._lost, remedy=_ANEW)
        try:
            yield
        except OSError as error:
            self.forget()
            raise unavailable(f"{error.filename or self._folder}: {error.strerror or type(error).__name__}") from error
        except Refused as error:
            self.forget()
            raise unavailable(f"{self._folder}: {error.problem}", expected=error.expected) from error
        except BaseException:
            self.forget()
            raise

    def _current(self) -> _State:
        state = self._state
        if state is None:
            return self._open()
        try:
            about = os.stat(self._path, follow_symlinks=False)  # noqa: PTH116 - on every append
        except FileNotFoundError as error:
            raise _replaced(f"{self._path} was removed while it was open") from error
        if about.st_ino != state.inode:
            # Another process has published, or somebody has put another file in its place.
            self.forget()
            return self._open()
        _check_file(self._path, about)
        if about.st_size != state.capacity:
            raise _replaced(f"{self._path} has {about.st_size} bytes instead of {state.capacity}")
        self._catch_up(state)
        return state

    def _catch_up(self, state: _State) -> None:
        if not any(os.pread(state.journal, RECORD_BYTES, state.offset)):
            return
        window = os.pread(state.journal, _WINDOW, state.offset)
        if any(window[-RECORD_BYTES:]):
            window = os.pread(state.journal, state.capacity - state.offset, state.offset)
        growth = state.growth
        done = replay(window, 0, growth.tree.size, growth, durable=state.durable, mac=self._key.mac)
        state.offset += done.end
        state.shared = _SHARED
        self._judge(state, done)

    def _open(self) -> _State:
        """Read the files. Where this process had seen entries on disk before, these must be a continuation of them."""
        note = self._source.read(CHECKPOINT)
        if note is None:
            note = self._begin()
        head = open_checkpoint(note, self._verifier)
        growth = load_growth(self._source, head.size, head.root)
        known, known_root = self._known
        if known <= head.size and not is_consistent(
            old=known,
            old_root=known_root,
            new=head.size,
            new_root=head.root,
            hashes=consistency(self._source, old=known, new=head.size),
        ):
            raise _replaced(
                f"{self._folder} was replaced while it was open: it does not continue the {known} entries known"
            )
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            about = os.fstat(descriptor)
            _check_file(self._path, about)
            # What the disk has, not what memory has kept after a failed write.
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            data = os.pread(descriptor, min(about.st_size, _MOST_JOURNAL), 0)
            base = _base(self._path, data)
            if base > head.size:
                raise _replaced(
                    f"the checkpoint of {head.size} entries is older than the journal, which has {base} before it"
                )
            done = replay(
                data, HEADER_BYTES, base, growth,
                durable=max(_marked(descriptor, self._key.mac), known), known=self._known, mac=self._key.mac,
            )  # fmt: skip
            state = _State(descriptor, about.st_ino, len(data), done.end, growth, head.size, head.size, shared=1)
        except BaseException:
            os.close(descriptor)
            raise
        self._state = state
        if done.last is not None:
            text = checkpoint_text(self._verifier.origin, growth.tree.size, growth.tree.root())
            if not done.damage and not self._verifier.holds(done.last.signature, text.encode()):
                raise _replaced(
                    f"the journal's {growth.tree.size - head.size} entries are not what the log's key signed"
                )
        self._judge(state, done)
        return state

    def _judge(self, state: _State, done: Replayed) -> None:
        """Damage stops the log. What a torn write left is put aside, and the log says so."""
        if done.damage:
            raise _replaced(f"{self._path}: {done.damage}")
        if done.torn:
            name = self._set_aside(done.torn)
            write_at(state.journal, bytes(len(done.torn)), state.offset)
            os.fdatasync(state.journal)
            event = Event(
                action="log.torn", actor=_SELF, outcome="unknown",
                resource=Resource(kind="log", name=self._verifier.origin),
                details={"file": name, "bytes": len(done.torn), "sha256": hashlib.sha256(done.torn).hexdigest(),
                         "after": state.growth.tree.size},
            )  # fmt: skip
            self._append(state, [prepare(event, this_producer())])

    def _set_aside(self, torn: bytes) -> str:
        number = 1
        while os.path.lexists(f"{self._folder}/{TORN}{number}"):
            number += 1
        write_whole(f"{self._folder}/{TORN}{number}", torn)
        sync_folder(str(self._folder))
        return f"{TORN}{number}"

    def _begin(self) -> bytes:
        """A log without entries; its checkpoint is written last, so an unfinished beginning is begun again."""
        if os.path.lexists(f"{self._folder}/tile"):
            raise _replaced(f"{self._folder}/{CHECKPOINT} was removed")
        if os.path.lexists(self._path):
            data = Path(self._path).read_bytes()
            if _base(self._path, data) or any(data[HEADER_BYTES:]):
                raise _replaced(f"{self._folder}/{CHECKPOINT} was removed")
        os.close(self._new_journal(0)[0])
        note = note_of(self._verifier, 0, EMPTY_ROOT, sign_head(self._key, self._verifier.origin, 0, EMPTY_ROOT))
        write_whole(f"{self._folder}/{CHECKPOINT}", note)
        sync_folder(str(self._folder))
        return note

    def _append(self, state: _State, batch: Sequence[Prepared]) -> list[Receipt]:
        receipts: list[Receipt] = []
        entries: list[bytes] = []
        first, length = state.growth.tree.size, 0
        for prepared in batch:
            time = now()
            name = new_id(time)
            entry = prepared.at(id=name, time=time)
            size = 2 + len(entry)
            if state.offset + record_bytes(length + size) > state.capacity:
                self._record(state, first, entries)
                self._publish(state)
                self._renew(state)
                first, length, entries = state.growth.tree.size, 0, []
            receipts.append(Receipt(state.growth.tree.size, state.growth.add(entry), name))
            entries.append(entry)
            length += size
        self._record(state, first, entries)
        return receipts

    def _record(self, state: _State, first: int, entries: Sequence[bytes]) -> None:
        if not entries:
            return
        tree = state.growth.tree
        signature = sign_head(self._key, self._verifier.origin, tree.size, tree.root())
        record = pack_record(entries, first=first, durable=state.durable, signature=signature, mac=self._key.mac)
        try:
            write_at(state.journal, record, state.offset)
        except OSError:
            # Half a record would be put aside as torn, by whoever reads it next, for which a full disk has no room.
            with contextlib.suppress(OSError):
                write_at(state.journal, bytes(len(record)), state.offset)
            raise
        state.offset += len(record)

    def _publish(self, state: _State) -> None:
        growth, origin = state.growth, self._verifier.origin
        size, root = growth.tree.size, growth.tree.root()
        resources = list(growth.resources())
        store(self._folder, resources)
        # The journal's entries are on disk before a checkpoint says so, or its loss would look like tampering.
        self._wait(state)
        note = note_of(self._verifier, size, root, sign_head(self._key, origin, size, root))
        write_whole(f"{self._folder}/{CHECKPOINT}", note)
        sync_folder(str(self._folder))
        state.published = size
        growth.written()
        for path, _ in resources:
            if ".p/" not in path:
                drop_partial(self._folder, path)

    def _renew(self, state: _State) -> None:
        """Another journal, after all that is in this one was published."""
        descriptor, inode = self._new_journal(state.growth.tree.size)
        os.close(state.journal)
        state.journal, state.inode = descriptor, inode
        state.capacity, state.offset = self._journal_bytes, HEADER_BYTES

    def _new_journal(self, base: int) -> tuple[int, int]:
        write_whole(self._path, journal_header(base, self._key.mac).ljust(self._journal_bytes, b"\0"))
        sync_folder(str(self._folder))
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        return descriptor, os.fstat(descriptor).st_ino


def _check_file(path: str, about: os.stat_result) -> None:
    if not stat.S_ISREG(about.st_mode):
        raise _replaced(f"{path} is no file")
    if about.st_nlink != 1:
        # A removed file has none; one that has another name can be written past this log.
        raise _replaced(f"{path} has {about.st_nlink} names")


def _marked(descriptor: int, mac: Mac, left: int = _READINGS) -> int:
    """The mark, which others write without a lock: one that is being written is read again."""
    try:
        return read_mark(os.pread(descriptor, HEADER_BYTES, 0), mac)
    except BrokenRecord as error:
        if left > 1:
            return _marked(descriptor, mac, left - 1)
        raise _replaced(f"{JOURNAL}: {error}") from error


def _base(path: str, data: bytes) -> int:
    try:
        return read_header(data)
    except BrokenRecord as error:
        raise _replaced(f"{path}: {error}") from error


def _replaced(problem: str) -> Refused:
    """The files are not those that this log wrote."""
    return Refused(
        "audit.tampered",
        problem,
        expected="the files as the log wrote them",
        remedy="Keep a copy as evidence; `aegis audit verify` says what is left.",
    )
