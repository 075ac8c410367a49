"""A log on disk as those read it who do not write: what is published, and the journal's signed entries on top."""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path

from aegis.audit.bundle import entries_of
from aegis.audit.checkpoint import note_of, open_checkpoint
from aegis.audit.disk_writer import JOURNAL, TORN
from aegis.audit.entry import read
from aegis.audit.faults import unavailable
from aegis.audit.findings import Finding, Tamper
from aegis.audit.folder import FolderSource
from aegis.audit.growth import Growth, load_growth
from aegis.audit.journal import HEADER_BYTES, BrokenRecord, Record, read_header, read_mark, read_record
from aegis.audit.keys import Verifier
from aegis.audit.locking import lock
from aegis.audit.paths import CHECKPOINT, WIDTH
from aegis.audit.replay import replay
from aegis.audit.scan import tile_of
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.merkle import HASH_BYTES, hash_leaf
from aegis.core.note import Checkpoint, checkpoint_text


class DiskSource:
    """Implements `Source`: the log as it was when this was made. Needs no key, and writes nothing."""

    def __init__(self, folder: Path, verifier: Verifier) -> None:
        """Read the journal. What is wrong with it is in `findings`, and then only what is published is served.

        Raises CouldNotDecide `audit.unavailable` where the folder cannot be read.
        """
        self._verifier = verifier
        self._published = FolderSource(folder)
        self._newest: dict[str, bytes] = {}
        self.findings: tuple[Finding, ...] = ()
        self.unsound: Finding | None = None
        """Why the journal was not read, where the verification of what is published does not say it better."""
        self.notes: tuple[str, ...] = ()
        with _shared(folder):
            try:
                self._read_journal(folder)
            except OSError as error:
                raise unavailable(f"{error.filename or folder}: {error.strerror}") from error

    def read(self, path: str) -> bytes | None:
        """See `Source`."""
        found = self._newest.get(path)
        return self._published.read(path) if found is None else found

    def _read_journal(self, folder: Path) -> None:
        note = self._published.read(CHECKPOINT)
        aside = sorted(path.name for path in folder.glob(f"{TORN}*"))
        if aside:
            self.notes = (f"torn writes were put aside: {', '.join(aside)}",)
        try:
            # The newer head, of the journal, replaces this one and its partial tiles: nobody looks at them later.
            head = open_checkpoint(note or b"", self._verifier)
            growth = load_growth(self._published, head.size, head.root)
        except (Refused, CouldNotDecide) as error:
            self.unsound = Finding("T14", 0, error.problem)
            return
        problem = self._put_on_top(folder / JOURNAL, head, growth)
        if problem:
            self.findings = (problem,)

    def _put_on_top(self, path: Path, head: Checkpoint, growth: Growth) -> Finding | None:
        data = _bytes_of(path)
        if data is None:
            return Finding("T14", head.size, f"{path} was removed or is no file")
        try:
            base = read_header(data)
        except BrokenRecord as broken:
            return Finding("T1", head.size, str(broken))
        if base > head.size:
            return Finding(
                "T8", head.size, f"the checkpoint is older than the journal, which has {base} entries before it"
            )
        done = replay(data, HEADER_BYTES, base, growth, durable=read_mark(data))
        size = growth.tree.size
        if not done.damage and (edited := self._edited_since(data, head.size)):
            return edited
        if done.torn:
            self.notes += (
                f"a torn write of {len(done.torn)} bytes after entry {size}, which may have been acknowledged",
            )
        if done.last is None or size == head.size:
            return Finding(_kind(done.damage), size, done.damage) if done.damage else None
        text = checkpoint_text(head.origin, size, growth.tree.root())
        if not self._verifier.holds(done.last.signature, text.encode()):
            return self._first_edited(data, base, head)
        self._newest = dict(growth.resources())
        self._newest[CHECKPOINT] = note_of(self._verifier, size, growth.tree.root(), done.last.signature)
        return Finding(_kind(done.damage), size, done.damage) if done.damage else None

    def _edited_since(self, data: bytes, size: int) -> Finding | None:
        """A record whose entries were published, and are not those that were."""
        tiles: dict[int, bytes] = {}
        for record in _records(data):
            if record.first >= size:
                break
            for index, entry in enumerate(entries_of(record.entries), record.first):
                number, place = divmod(index, WIDTH)
                if number not in tiles:
                    tiles[number] = tile_of(self._published, 0, number, min(size - number * WIDTH, WIDTH))
                signed = tiles[number][place * HASH_BYTES : (place + 1) * HASH_BYTES]
                # A tile that is not whole is found where the tiles are verified.
                if len(signed) == HASH_BYTES and signed != hash_leaf(entry):
                    return Finding(_edited(record), index, f"the journal's entry {index} is not the published one")
        return None

    def _first_edited(self, data: bytes, base: int, head: Checkpoint) -> Finding:
        """The first record that is whole and not what the key signed."""
        growth, size = load_growth(self._published, head.size, head.root), base
        for record in _records(data):
            if record.first >= head.size:
                for entry in entries_of(record.entries):
                    growth.add(entry)
                text = checkpoint_text(head.origin, growth.tree.size, growth.tree.root())
                if not self._verifier.holds(record.signature, text.encode()):
                    return Finding(
                        _edited(record),
                        record.first,
                        f"the journal's entries from {record.first} are not what was signed",
                    )
            size = record.first + record.count
        return Finding("T9", size, "the journal's end is not what was signed")


def _records(data: bytes) -> Iterator[Record]:
    at = HEADER_BYTES
    with contextlib.suppress(BrokenRecord):
        while (record := read_record(data, at)) is not None:
            yield record
            at = record.end


def _edited(record: Record) -> Tamper:
    """By whether they are still events."""
    try:
        for entry in entries_of(record.entries):
            read(entry)
    except Refused:
        return "T1"
    return "T2"


def _kind(damage: str) -> Tamper:
    return "T7" if damage.startswith("the journal ends") else "T1"


def _bytes_of(path: Path) -> bytes | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    try:
        about = os.fstat(descriptor)
        return os.pread(descriptor, about.st_size, 0) if stat.S_ISREG(about.st_mode) and about.st_nlink == 1 else None
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _shared(folder: Path) -> Iterator[None]:
    """No writer writes meanwhile, so that journal and checkpoint are of one moment."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unavailable(f"{folder}: {error.strerror}") from error
    try:
        lock(descriptor, str(folder), fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)
