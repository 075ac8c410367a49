"""One moment of a database, held open while pg_dump and our checksums read it.

    with hold(url, jobs=2) as held:
        … pg_dump --snapshot=held.snapshot … and meanwhile, in a thread: inventory = held.read()
        inventory = held.finish(inventory)

Both read the same, whoever writes meanwhile. TRUNCATE and ALTER TABLE, from which snapshots do not protect, wait until
the block ends, and others wait behind them: so pg_dump needs a `--lock-wait-timeout`.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping
from collections.abc import Sequence as Items
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

import msgspec

from aegis.adapters.postgres.catalog import Catalog, SequenceFacts, TableFacts, check_visible, read_catalog, read_tables
from aegis.adapters.postgres.session import Session, changed, check_direct, session, unavailable
from aegis.backup import catalog as sql
from aegis.backup.checksums import SETTINGS, quoted, rule_of, table_query
from aegis.backup.compare import is_set_back
from aegis.backup.inventory import (
    HASH_VERSION,
    Checksums,
    Column,
    Database,
    Inventory,
    LargeObjects,
    Matview,
    Position,
    Sequence,
    Table,
)
from aegis.backup.manifest import Snapshot, time_text
from aegis.backup.own_settings import OwnSetting

PATIENCE = 6 * 3600.0
"""Seconds that the checksum of one table may take: of about 10 TB at the speed of one disk."""
_ANSWER = 600.0
"""Seconds that the catalogs may take, of a database of 100,000 tables on a busy machine."""
_TRIES = 3
"""Tables may be made or dropped between the list and the locks."""
_BATCH = 200
"""Tables or sequences in one statement."""
_GRACE = 3.0
"""Seconds that the threads have to end after the first error or a signal to stop."""
_LET_GO = 50
"""Questions after which a session lets its locks go. Each keeps one for its table and for each index of that, of a
number that all sessions of the server share (`max_locks_per_transaction`)."""
_AGAIN = 0.5
"""Seconds between two looks at a reading, and between two orders to end it."""
_INTEGERS = ("int2", "int4", "int8")
_LARGE_OBJECTS = "large objects"
_Answers = Mapping[object, tuple[Any, ...]]
"""The row that answered each question: by the table's OID, the view's name, or `_LARGE_OBJECTS`."""


@dataclass(frozen=True, slots=True)
class _Question:
    key: object
    query: str
    what: str
    """What it reads, for messages."""
    size: int
    """Bytes; the largest are asked for first."""


class Held:
    """A snapshot that stays until the block ends."""

    def __init__(
        self,
        url: str,
        first: Session,
        catalog: Catalog,
        moment: tuple[str, datetime, str],
        checksums: Checksums,
        jobs: int,
    ) -> None:
        """By `hold`."""
        self.snapshot, self._time, self._lsn = moment
        """Its name, for `pg_dump --snapshot`."""
        self._url = url
        self._first = first
        self._catalog = catalog
        self._checksums = checksums
        self._jobs = jobs
        self._before = _positions(first, catalog.sequences)
        self._lock = Lock()
        self._reading: list[Session] = []
        self._cancelled = False
        self._feeds: defaultdict[int, list[SequenceFacts]] = defaultdict(list)
        for sequence in catalog.sequences:
            if sequence.table is not None and self._is_integer(sequence):
                self._feeds[sequence.table].append(sequence)

    @property
    def database(self) -> Database:
        """Which database it is."""
        return self._catalog.database

    @property
    def own_settings(self) -> tuple[OwnSetting, ...]:
        """Those of the database itself."""
        return self._catalog.own_settings

    def clock(self) -> str:
        """The server's time now, as manifests write it."""
        return time_text(self._first.row("SELECT clock_timestamp()")[0])

    def described(self, *, dump_began: str, dump_ended: str) -> Snapshot:
        """The snapshot for a manifest; both times are of `clock`."""
        return Snapshot(
            id=self.snapshot, lsn=self._lsn, time=time_text(self._time), dump_began=dump_began, dump_ended=dump_ended
        )

    def read(self, patience: float = PATIENCE) -> Inventory:
        """All that the database holds in the snapshot; its sequences as they stood when it was taken.

        On `jobs` further connections, so that it may run in a thread beside pg_dump. `patience`: seconds that one table
        may take. Raises CouldNotDecide `backup_check.database_unavailable`, `.privilege_missing`, `.tables_changed`.
        """
        return self._inventory(self._ask(self._questions(), patience))

    def cancel(self) -> None:
        """End `read`, which runs in another thread; whatever it raises then says nothing."""
        self._cancelled = True
        self._end_answers()

    def finish(self, inventory: Inventory) -> Inventory:
        """The same, with where its sequences stand now that pg_dump has read them.

        Raises CouldNotDecide `backup_check.tables_changed` where one was set back meanwhile: nobody knows which of its
        positions the dump has.
        """
        now = _positions(self._first, self._catalog.sequences)
        moved = tuple(
            msgspec.structs.replace(each, after=after) for each, after in zip(inventory.sequences, now, strict=True)
        )
        for each in moved:
            if is_set_back(each):
                raise changed(f"the sequence {quoted(each.schema, each.name)} was set back during the backup")
        return msgspec.structs.replace(inventory, sequences=moved)

    def _questions(self) -> list[_Question]:
        catalog = self._catalog
        objects = sql.LARGE_OBJECTS_COUNT if self._checksums == "off" else sql.LARGE_OBJECTS
        asked = [_Question(_LARGE_OBJECTS, objects, _LARGE_OBJECTS, 1 << 62)]
        if self._checksums != "off":
            dumped = [table for table in catalog.tables if table.dumped]
            sizes = dict(self._first.rows(sql.sizes([table.oid for table in dumped])))
            asked += [self._question(table, sizes[table.oid] or 0) for table in dumped]
            asked += [
                _Question(
                    (view.schema, view.name), sql.count(view.schema, view.name), quoted(view.schema, view.name), 0
                )
                for view in catalog.matviews
                if view.populated and view.readable
            ]
        return sorted(asked, key=lambda question: -question.size)

    def _question(self, table: TableFacts, size: int) -> _Question:
        sources = [source for source, _ in self._catalog.columns.get(table.oid, ())]
        extremes = [
            f"{'max' if each.increment > 0 else 'min'}({quoted(each.column or '')})::text"
            for each in self._fed_by(table)
        ]
        query = table_query(
            table.schema,
            table.name,
            sources,
            self._catalog.types,
            self._checksums,
            extremes=extremes,
            condition=table.condition or "",
        )
        return _Question(table.oid, query, f"table {quoted(table.schema, table.name)}", size)

    def _fed_by(self, table: TableFacts) -> list[SequenceFacts]:
        """The sequences of its own columns, and of the partitioned tables above it."""
        return [each for oid in (table.oid, *table.ancestors) for each in self._feeds.get(oid, ())]

    def _is_integer(self, sequence: SequenceFacts) -> bool:
        for source, _ in self._catalog.columns.get(sequence.table or 0, ()):
            if source.name == sequence.column:
                found = self._catalog.types[source.type]
                return found.built_in and found.name in _INTEGERS
        return False

    def _ask(self, questions: Items[_Question], patience: float) -> _Answers:
        queue: SimpleQueue[_Question] = SimpleQueue()
        for question in questions:
            queue.put(question)
        answers: dict[object, tuple[Any, ...]] = {}

        ended: SimpleQueue[BaseException | None] = SimpleQueue()

        def work() -> None:
            with session(self._url, patience) as worker, self._cancellable(worker):
                worker.begin(self.snapshot)
                for asked in count():
                    if self._cancelled:
                        return
                    try:
                        question = queue.get_nowait()
                    except Empty:
                        return
                    if asked and asked % _LET_GO == 0:
                        worker.end()
                        worker.begin(self.snapshot)
                    answers[question.key] = worker.row(question.query, question.what)

        def run() -> None:
            try:
                work()
            except BaseException as error:
                ended.put(error)
            else:
                ended.put(None)

        # Daemons, not an executor's: the interpreter's end would wait for the answer of a server, which may take hours.
        threads = [Thread(target=run, name="aegis-table", daemon=True) for _ in range(min(self._jobs, len(questions)))]
        try:
            for thread in threads:
                thread.start()
            for _ in threads:
                if (error := self._next(ended)) is not None:
                    raise error
        except BaseException:
            _drain(queue)
            self._end(threads)
            raise
        if self._cancelled:
            raise unavailable("the reading was cancelled", expected="a backup that goes on")
        return answers

    @contextmanager
    def _cancellable(self, worker: Session) -> Iterator[None]:
        with self._lock:
            self._reading.append(worker)
        try:
            yield
        finally:
            with self._lock:
                self._reading.remove(worker)

    def _next(self, ended: SimpleQueue[BaseException | None]) -> BaseException | None:
        """How the next thread ended: with what error, if any."""
        while True:
            with suppress(Empty):
                return ended.get(timeout=_AGAIN)
            if self._cancelled:
                self._end_answers()

    def _end(self, threads: Items[Thread]) -> None:
        """Wait for the threads, but not for long: a server that is gone never answers."""
        last = time.monotonic() + _GRACE
        while any(thread.is_alive() for thread in threads) and time.monotonic() < last:
            self._end_answers()
            for thread in threads:
                if thread.is_alive():
                    thread.join(_AGAIN / len(threads))

    def _end_answers(self) -> None:
        """To be repeated: an order between two questions is lost. By threads: one to such a server does not return."""
        with self._lock:
            reading = tuple(self._reading)
        for each in reading:
            Thread(target=each.cancel, name="aegis-cancel", daemon=True).start()

    def _inventory(self, answers: _Answers) -> Inventory:
        catalog = self._catalog
        furthest = self._furthest(answers)
        objects = answers[_LARGE_OBJECTS]
        return Inventory(
            database=catalog.database,
            checksums=self._checksums,
            hash_version=HASH_VERSION,
            settings=dict(SETTINGS),
            tables=self._tables(answers),
            sequences=tuple(
                Sequence(
                    schema=each.schema,
                    name=each.name,
                    increment=str(each.increment),
                    cycle=each.cycle,
                    before=before,
                    after=before,
                    owned_max=furthest.get((each.schema, each.name)),
                )
                for each, before in zip(catalog.sequences, self._before, strict=True)
            ),
            large_objects=LargeObjects(count=objects[0], hash=str(objects[1]) if len(objects) > 1 else None),
            matviews=tuple(
                Matview(
                    schema=each.schema,
                    name=each.name,
                    populated=each.populated,
                    rows=answers.get((each.schema, each.name), (None,))[0],
                )
                for each in catalog.matviews
            ),
            extensions=catalog.extensions,
            roles=catalog.roles,
        )

    def _tables(self, answers: _Answers) -> tuple[Table, ...]:
        sums: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        for table in self._catalog.tables:
            if table.oid in answers:
                root = table.ancestors[-1] if table.ancestors else table.oid
                held = sums[root if root in self._catalog.spread_anew else table.oid]
                held[0] += answers[table.oid][0]
                held[1] += int(answers[table.oid][1])
        return tuple(self._table(each, sums.get(each.oid)) for each in self._catalog.tables)

    def _table(self, table: TableFacts, content: list[int] | None) -> Table:
        types = self._catalog.types
        return Table(
            schema=table.schema,
            name=table.name,
            kind=table.kind,
            rows=content[0] if content else None,
            hash=str(content[1]) if content else None,
            columns=tuple(
                Column(name=source.name, type=written, rule=rule_of(source, types, self._checksums))
                for source, written in self._catalog.columns.get(table.oid, ())
            ),
        )

    def _furthest(self, answers: _Answers) -> dict[tuple[str, str], str]:
        """The furthest value in the columns that sequences feed, by the sequence."""
        found: dict[tuple[str, str], str] = {}
        for table in self._catalog.tables:
            values = answers.get(table.oid, (0, 0))[2:]
            for sequence, value in zip(self._fed_by(table), values, strict=False):
                name = (sequence.schema, sequence.name)
                sign = 1 if sequence.increment > 0 else -1
                if value is not None and (name not in found or sign * int(value) > sign * int(found[name])):
                    found[name] = value
        return found


@contextmanager
def hold(url: str, *, jobs: int = 2, checksums: Checksums = "typed") -> Iterator[Held]:
    """The database's present moment, until the block ends.

    Raises UsageError `runtime.database_url_invalid`; CouldNotDecide `backup_check.database_unavailable`,
    `.database_too_old`, `.address_pooled`, `.rows_hidden`, `.privilege_missing`, `.tables_changed`.
    """
    with session(url, _ANSWER) as first:
        with session(url, _ANSWER) as second:
            check_direct(first, second)
        moment, catalog = _moment(first)
        yield Held(url, first, catalog, moment, checksums, jobs)


def read_inventory(url: str, *, jobs: int = 2, checksums: Checksums = "typed", patience: float = PATIENCE) -> Inventory:
    """What a database holds now, e.g. after a restore. Raises as `hold` and `Held.read` do."""
    with hold(url, jobs=jobs, checksums=checksums) as held:
        return held.finish(held.read(patience))


def _moment(first: Session) -> tuple[tuple[str, datetime, str], Catalog]:
    """A snapshot that is taken while all of its tables are locked already."""
    for _ in range(_TRIES):
        first.begin()
        listed = [table for table in read_tables(first) if table.locked]
        first.end()
        check_visible(listed)
        first.begin()
        # LOCK needs no snapshot, so that the transaction's is taken after it.
        names = [(table.schema, table.name) for table in listed]
        if all(first.lock(sql.lock(names[start : start + _BATCH])) for start in range(0, len(names), _BATCH)):
            moment = first.row(sql.SNAPSHOT)
            if moment[1] is None:
                raise unavailable(
                    f"{first.place} is a standby that has replayed no transaction: nobody knows of when its rows are",
                    expected="a primary, or a standby that follows one",
                    remedy="Back up the primary, or GRANT pg_read_all_stats to the role, which then sees more.",
                )
            catalog = read_catalog(first)
            if {table.oid for table in catalog.tables if table.locked} <= {table.oid for table in listed}:
                return moment, catalog
        first.end()
    raise changed(f"{first.place}: tables were made or dropped, {_TRIES} times while they were listed")


def _positions(session: Session, sequences: Items[SequenceFacts]) -> list[Position]:
    found = []
    for start in range(0, len(sequences), _BATCH):
        names = [(each.schema, each.name) for each in sequences[start : start + _BATCH]]
        for _, last, called in session.rows(sql.positions(names), "its sequences"):
            found.append(Position(last=str(last), called=called))
    return found


def _drain(queue: SimpleQueue[_Question]) -> None:
    with suppress(Empty):  # the threads take from it, too
        while True:
            queue.get_nowait()
