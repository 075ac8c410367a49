"""The audit log in PostgreSQL: entries outlive the pod that wrote them.

One log a database, in the tables that the runtime's migrations make. Every commit holds its entries and the checkpoint
of their size; the one row with the checkpoint is locked meanwhile, so that all processes write one after the other.
Threads of a process share commits. Nothing that lies in the database is believed: whatever this process has not
written itself must lead to the root hash that the log's key signed, before anything is signed on top of it.
"""

from __future__ import annotations

import copy
import os
import re
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from aegis.adapters.postgres import connection as postgres
from aegis.audit import entry as entries
from aegis.audit.bundle import framed
from aegis.audit.checkpoint import note_of, open_checkpoint, sign_head
from aegis.audit.event import Event
from aegis.audit.faults import unavailable
from aegis.audit.findings import Finding
from aegis.audit.group_commit import GroupCommit, Ticket
from aegis.audit.keys import SigningKey, verifier_of
from aegis.audit.log import Receipt
from aegis.audit.paths import CHECKPOINT, WIDTH, is_path
from aegis.audit.tree import Tree, load_tree, tile_root
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.merkle import hash_leaf

if TYPE_CHECKING:
    import psycopg

_CHUNK = 4096
"""Leaf hashes that are read at once where another process has written."""
_PATH = re.compile(r"tile/(?P<level>entries|[0-9]+)/(?P<number>(?:x[0-9]{3}/)*[0-9]{3})(?:\.p/(?P<width>[0-9]+))?")
_BUNDLE = "SELECT entry FROM audit_entries WHERE index >= %(start)s AND index < %(end)s ORDER BY index"
_NODES = (
    "SELECT hash FROM audit_nodes WHERE level = %(level)s AND index >= %(start)s AND index < %(end)s ORDER BY index"
)
_LOCK = "SELECT size, checkpoint FROM audit_log FOR UPDATE"
_WRITE = """
WITH added AS (
    INSERT INTO audit_entries (index, entry)
    SELECT * FROM unnest(%(indexes)s::bigint[], %(entries)s::bytea[])
), nodes AS (
    INSERT INTO audit_nodes (level, index, hash)
    SELECT * FROM unnest(%(levels)s::smallint[], %(numbers)s::bigint[], %(hashes)s::bytea[])
)
UPDATE audit_log SET size = %(size)s, checkpoint = %(checkpoint)s
"""
_CHECK = """
SELECT (SELECT checkpoint FROM audit_log), NOT pg_is_in_recovery()
    AND has_table_privilege('audit_entries', 'INSERT') AND has_table_privilege('audit_nodes', 'INSERT')
    AND has_table_privilege('audit_log', 'UPDATE')
    AND (EXISTS (SELECT FROM audit_log) OR has_table_privilege('audit_log', 'INSERT'))
"""
_BEHIND = """
SELECT size, (SELECT min(index) FROM audit_entries WHERE index >= size), (
    SELECT min(index << 8 * height) FROM generate_series(0, 7) AS heights(height),
    LATERAL (SELECT min(index) AS index FROM audit_nodes WHERE level = height AND index >= size >> 8 * height) AS found
) FROM audit_log
"""
"""Of one moment: a log that grows has none."""


class PostgresSource:
    """The log's resources as anyone may read them, without its key. Safe to call from threads, and after a fork."""

    def __init__(self, database_url: str) -> None:
        """Connects on first use. Raises UsageError `runtime.database_url_invalid`."""
        self.place = postgres.place_of(database_url)
        self._line = _Line(database_url)

    def read(self, path: str) -> bytes | None:
        """A resource by its path: see `aegis.audit.log.Source`.

        A bundle or tile of which rows are missing is given back with those that are there.
        """
        if not is_path(path):
            return None
        with self._line.lock, _faults(self.place):
            return _read(self._line.execute, path)

    def findings(self) -> tuple[Finding, ...]:
        """What is no part of the log and stops it: rows where its next ones have to stand."""
        with self._line.lock, _faults(self.place):
            row = self._line.execute(_BEHIND).fetchone()
        size, entry, node = row or (0, None, None)
        found = []
        if entry is not None:
            found.append(Finding("T4", entry, f"a row of audit_entries that is none of the {size} entries"))
        if node is not None:
            found.append(Finding("T18", node, f"a row of audit_nodes behind the {size} entries"))
        return tuple(found)

    def close(self) -> None:
        """End the connection."""
        with self._line.lock:
            self._line.drop()


class PostgresLog:
    """The log, to be written. Safe to call from threads, from several processes at once, and after a fork."""

    _group: GroupCommit

    def __init__(self, database_url: str, origin: str, key: SigningKey) -> None:
        """Connects on first use.

        Raises UsageError `runtime.database_url_invalid`; refuses with `audit.checkpoint_invalid` what is no origin.
        """
        self._verifier = verifier_of(key, origin)
        self._key = key
        self._source = PostgresSource(database_url)
        self._line = _Line(database_url)
        self._tree: Tree | None = None
        """What this process has seen of the log, and checked."""
        self._signed = b""
        """The checkpoint of that."""
        self._forget()
        _after_fork(self._forget)

    @property
    def origin(self) -> str:
        """The log's name."""
        return self._verifier.origin

    @property
    def vkey(self) -> str:
        """The key that others verify with."""
        return str(self._verifier)

    def read(self, path: str) -> bytes | None:
        """A resource of the log as the last commit left it."""
        return self._source.read(path)

    def append(self, event: Event) -> Receipt:
        """Record it; committed on return.

        Raises CouldNotDecide `audit.unavailable`, and then it may be missing; refuses with `audit.event_invalid`.
        """
        return self._group.append(entries.prepare(event, entries.this_producer()))

    def checkpoint(self) -> bytes:
        """The signed note on all that is committed now."""
        note = self.read(CHECKPOINT)
        if note is None:
            with self._line.lock, _faults(self._source.place), self._transaction() as begun:
                note, _ = self._head(begun)
        self._open(note)
        return note

    def check(self) -> None:
        """Whether the database answers, may be written by this role, and holds this log, which is begun if need be."""
        with self._line.lock, _faults(self._source.place):
            note, writable = self._line.execute(_CHECK).fetchall()[0]
        if not writable:
            raise unavailable(
                f"the log in {self._source.place} is read-only for this role",
                expected="the right to INSERT into the audit tables, and to UPDATE audit_log",
            )
        if note is None:
            self.checkpoint()
        else:
            self._open(bytes(note))
        for found in self._source.findings():
            raise self._not_ours(f"has {found.problem}")

    def close(self) -> None:
        """End the connections."""
        with self._line.lock:
            self._line.drop()
        self._source.close()

    def _forget(self) -> None:
        self._group = GroupCommit(self._commit)

    def _commit(self, batch: Sequence[Ticket]) -> None:
        with self._line.lock, _faults(self._source.place):
            with self._transaction() as begun:
                _, tree = self._head(begun)
                grown = copy.deepcopy(tree)  # what is not committed has not happened
                written: list[bytes] = []
                receipts: list[Receipt] = []
                for ticket in batch:
                    time = entries.now()
                    given = entries.new_id(time)
                    data = ticket.prepared.at(id=given, time=time)
                    written.append(data)
                    receipts.append(Receipt(grown.size, hash_leaf(data), given))
                    grown.add(receipts[-1].leaf_hash)
                note = self._note(grown)
                self._write(begun.connection, grown, note, receipts, written)
            self._tree, self._signed = grown, note
        for ticket, receipt in zip(batch, receipts, strict=True):
            ticket.receipt = receipt

    def _write(
        self,
        connection: psycopg.Connection[Any],
        tree: Tree,
        note: bytes,
        receipts: Sequence[Receipt],
        written: Sequence[bytes],
    ) -> None:
        """The new entries, with what has become of the tree by them."""
        nodes = [(0, receipt.index, receipt.leaf_hash) for receipt in receipts]
        nodes += [(level + 1, number, tile_root(hashes)) for level, number, hashes in tree.full]
        tree.full.clear()
        values = {
            "indexes": [receipt.index for receipt in receipts],
            "entries": list(written),
            "levels": [level for level, _, _ in nodes],
            "numbers": [number for _, number, _ in nodes],
            "hashes": [node for _, _, node in nodes],
            "size": tree.size,
            "checkpoint": note,
        }
        connection.execute(_WRITE, values)

    @contextmanager
    def _transaction(self) -> Iterator[psycopg.Cursor[Any]]:
        """Begun with the checkpoint's row locked; committed where the block ends well, and else never."""
        cursor = self._line.execute(f"BEGIN; SET LOCAL synchronous_commit = on; {postgres.bounds()}; {_LOCK}")
        try:
            yield cursor
            cursor.connection.execute("COMMIT")
        except BaseException:
            self._line.drop()
            raise

    def _head(self, begun: psycopg.Cursor[Any]) -> tuple[bytes, Tree]:
        """The checkpoint, and the tree that it signs."""
        row = begun.fetchone() or self._first_head(begun.connection)
        size, note = row[0], bytes(row[1])
        if self._tree is not None and note == self._signed and size == self._tree.size:
            return note, self._tree
        head = self._open(note)
        if head.size != size:
            raise self._not_ours(f"has the size {size} and a checkpoint of {head.size} entries")
        tree = self._caught_up(begun.connection, size)
        if tree.root() != head.root:
            raise self._not_ours(f"leads to another root hash than its checkpoint of {size} entries")
        self._tree, self._signed = tree, note
        return note, tree

    def _first_head(self, connection: psycopg.Connection[Any]) -> tuple[int, bytes]:
        """The first of all processes that write makes the row; the others wait for it."""
        empty = self._note(Tree())
        connection.execute("INSERT INTO audit_log (size, checkpoint) VALUES (0, %s) ON CONFLICT DO NOTHING", [empty])
        row = connection.execute(_LOCK).fetchone()
        if row is None or (row[0] == 0 and connection.execute("SELECT 1 FROM audit_entries LIMIT 1").fetchone()):
            raise self._not_ours("has entries and no checkpoint")
        return row[0], row[1]

    def _caught_up(self, connection: psycopg.Connection[Any], size: int) -> Tree:
        """Of the size that the database says; not checked yet, but grown from what this process knows already."""
        if self._tree is None:
            return load_tree(_Within(connection.execute), size)
        if size < self._tree.size:
            raise self._not_ours(
                f"has {size} entries, and had {self._tree.size}",
                remedy="If a dump was restored, record it with `aegis audit restored`, and start this process anew.",
            )
        if size == self._tree.size:
            return self._tree
        tree = copy.deepcopy(self._tree)
        while tree.size < size:
            wanted = {"level": 0, "start": tree.size, "end": min(size, tree.size + _CHUNK)}
            rows = connection.execute(_NODES, wanted).fetchall()
            if not rows:
                raise self._not_ours(f"has {tree.size} entries, and {size} by its checkpoint")
            for (leaf,) in rows:  # one that is missing among them shows in the root
                tree.add(bytes(leaf))
        tree.full.clear()
        return tree

    def _note(self, tree: Tree) -> bytes:
        root = tree.root()
        return note_of(self._verifier, tree.size, root, sign_head(self._key, self.origin, tree.size, root))

    def _open(self, note: bytes) -> Any:
        try:
            return open_checkpoint(note, self._verifier)
        except Refused as error:
            raise self._not_ours(f"is not this log's: {error.problem}") from error

    def _not_ours(self, problem: str, remedy: str = "") -> CouldNotDecide:
        return unavailable(
            f"the log in {self._source.place} {problem}",
            expected="the log as its key signed it",
            remedy=remedy or "Write nothing more to it; `aegis audit verify` says what was done to it.",
        )


@dataclass(frozen=True, slots=True)
class _Within:
    """The log's resources, read in an open transaction."""

    execute: Callable[..., psycopg.Cursor[Any]]

    def read(self, path: str) -> bytes | None:
        return _read(self.execute, path)


class _Line:
    """One connection, made when it is needed; for whoever holds its lock."""

    lock: Lock
    _connection: psycopg.Connection[Any] | None

    def __init__(self, url: str) -> None:
        self._url = url
        self._forget()
        _after_fork(self._forget)

    def execute(self, query: str, values: Mapping[str, Any] | None = None) -> psycopg.Cursor[Any]:
        """The result of a query, or of the last of several; outside of transactions, or as their first.

        Where the connection of before has broken meanwhile, e.g. since the server was started anew, on a new one.
        """
        import psycopg

        old = self._connection
        if old is not None:
            try:
                return _last(old.execute(query, values))
            except psycopg.Error:
                broken = old.closed
                self.drop()
                if not broken:
                    raise
        new = self._connection = postgres.connect(self._url)
        new.autocommit = True  # BEGIN and COMMIT are said in words
        try:
            return _last(new.execute(query, values))
        except BaseException:
            self.drop()
            raise

    def drop(self) -> None:
        """End it, with what was begun on it."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _forget(self) -> None:
        self.lock = Lock()
        self._connection = None


def _read(execute: Callable[..., psycopg.Cursor[Any]], path: str) -> bytes | None:
    if path == CHECKPOINT:
        row = execute("SELECT checkpoint FROM audit_log").fetchone()
        return None if row is None else bytes(row[0])
    kind, number, width = _PATH.fullmatch(path).groups()  # type: ignore[union-attr] # what is_path has let through
    start = int(re.sub("[x/]", "", number)) * WIDTH
    end = start + int(width or WIDTH)
    level = 0 if kind == "entries" else int(kind)
    size = execute("SELECT size FROM audit_log").fetchone()
    if size is None or size[0] >> 8 * level < end:
        return None
    rows = execute(_BUNDLE if kind == "entries" else _NODES, {"level": level, "start": start, "end": end})
    found = [bytes(row[0]) for row in rows]
    return b"".join(map(framed, found) if kind == "entries" else found) or None


def _last(cursor: psycopg.Cursor[Any]) -> psycopg.Cursor[Any]:
    while cursor.nextset():
        pass
    return cursor


@contextmanager
def _faults(place: str) -> Iterator[None]:
    import psycopg

    try:
        yield
    except psycopg.Error as error:  # its text may hold the password
        raise unavailable(
            f"the log in {place}: {postgres.told(error)}",
            expected="a database that answers, with this version's tables",
        ) from None


def _after_fork(forget: Callable[[], None]) -> None:
    """Locks and connections are not the child's: another thread of the parent may hold them."""
    reference = weakref.WeakMethod(forget)

    def in_child() -> None:
        alive = reference()
        if alive is not None:
            alive()

    os.register_at_fork(after_in_child=in_child)
