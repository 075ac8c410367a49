"""What the owner of the database does to the log shows: by name and place, or as a log that nobody writes on."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from aegis.adapters.postgres.audit_log import PostgresLog, PostgresSource
from aegis.audit import entry as audit_entry
from aegis.audit.checkpoint import note_of, open_checkpoint, sign_head
from aegis.audit.entry import encode, new_id, now, this_producer
from aegis.audit.keys import verifier_of
from aegis.audit.restore import record_restore
from aegis.audit.tree import Tree, load_tree, tile_root
from aegis.audit.verify import verify_log
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.merkle import hash_leaf
from tests.integration.database.logs import (
    ACTOR,
    ORIGIN,
    VERIFIER,
    append_many,
    as_owner,
    entries_in,
    event,
    key,
    opened,
)

SIZE = 600
SHIFT_LEFT = (
    "UPDATE audit_entries SET index = -index WHERE index > 300",
    "UPDATE audit_entries SET index = -index - 1 WHERE index < 0",
)
SHIFT_RIGHT = (
    "UPDATE audit_entries SET index = -index WHERE index >= 300",
    "UPDATE audit_entries SET index = -index + 1 WHERE index < 0",
)


@dataclass
class Scene:
    """A log of 600 entries, with what was published of it."""

    url: str
    log: PostgresLog
    published: list[bytes] = field(default_factory=list)
    """Checkpoints of 500 and of 600 entries."""

    def sql(self, *statements: str, values: list[object] | None = None) -> None:
        """As the owner, for whom no trigger runs."""
        with psycopg.connect(self.url) as connection:
            connection.execute("ALTER TABLE audit_entries DROP CONSTRAINT IF EXISTS audit_entries_index_check")
            connection.execute("SET session_replication_role = replica")
            for statement in statements:
                connection.execute(statement.encode(), values)

    def put(self, index: int, data: bytes) -> None:
        as_owner(self.url, "UPDATE audit_entries SET entry = %s WHERE index = %s", values=[data, index])

    def put_hash(self, index: int, data: bytes) -> None:
        as_owner(
            self.url, "UPDATE audit_nodes SET hash = %s WHERE level = 0 AND index = %s", values=[hash_leaf(data), index]
        )

    def set_head(self, size: int, note: bytes) -> None:
        as_owner(self.url, "UPDATE audit_log SET size = %s, checkpoint = %s", values=[size, note])

    def grow_anew(self, first: int, to: int, name: str = "other") -> Tree:
        """Another history from one entry on, with tiles that fit it."""
        self.sql(f"DELETE FROM audit_entries WHERE index >= {first}", "DELETE FROM audit_nodes")
        tree = Tree()
        with psycopg.connect(self.url) as connection:
            for index in range(first, to):
                data = other_entry(f"{name}-{index}")
                connection.execute("INSERT INTO audit_entries VALUES (%s, %s)", [index, data])
            every = connection.execute("SELECT index, entry FROM audit_entries ORDER BY index").fetchall()
            nodes = [(0, index, hash_leaf(data)) for index, data in every]
            for _, _, leaf in nodes:
                tree.add(leaf)
            nodes += [(level + 1, number, tile_root(hashes)) for level, number, hashes in tree.full]
            connection.cursor().executemany("INSERT INTO audit_nodes VALUES (%s, %s, %s)", nodes)
        return tree


def other_entry(name: str = "other") -> bytes:
    at = now()
    return encode(event(name), id=new_id(at), time=at, producer=this_producer())


def restore(scene: Scene) -> None:
    """As a dump of the database that was made at 500 entries."""
    scene.sql("DELETE FROM audit_entries WHERE index >= 500", "DELETE FROM audit_nodes WHERE index >= 500 >> 8 * level")
    scene.set_head(500, scene.published[0])


@pytest.fixture
def scene(log_url: str) -> Iterator[Scene]:
    with opened(log_url) as log:
        append_many(log, 500)
        at_500 = log.checkpoint()
        append_many(log, 100)
        yield Scene(log_url, log, [at_500, log.checkpoint()])


def edited(scene: Scene) -> None:
    data = bytearray(entries_in(scene.log, SIZE)[300])
    data[50] ^= 1
    data[0] = 0
    scene.put(300, bytes(data))


def swapped(scene: Scene) -> None:
    scene.sql(
        "UPDATE audit_entries SET index = -1 WHERE index = 300",
        "UPDATE audit_entries SET index = 300 WHERE index = 301",
        "UPDATE audit_entries SET index = 301 WHERE index = -1",
    )


def doubled(scene: Scene) -> None:
    scene.sql(*SHIFT_RIGHT, "INSERT INTO audit_entries SELECT 300, entry FROM audit_entries WHERE index = 299")


def inserted(scene: Scene) -> None:
    scene.sql(*SHIFT_RIGHT)
    scene.sql("INSERT INTO audit_entries VALUES (300, %s)", values=[other_entry()])


def rewritten_without_key(scene: Scene) -> None:
    tree = scene.grow_anew(300, SIZE)
    signature = sign_head(key(7), ORIGIN, tree.size, tree.root())
    scene.set_head(SIZE, note_of(VERIFIER, tree.size, tree.root(), signature))


def of_another_log(scene: Scene) -> None:
    tree = load_tree(scene.log, SIZE)
    verifier = verifier_of(key(), "other.example/log")
    signature = sign_head(key(), "other.example/log", SIZE, tree.root())
    scene.set_head(SIZE, note_of(verifier, SIZE, tree.root(), signature))


def of_another_key(scene: Scene) -> None:
    tree = load_tree(scene.log, SIZE)
    signature = sign_head(key(1), ORIGIN, SIZE, tree.root())
    scene.set_head(SIZE, note_of(verifier_of(key(1), ORIGIN), SIZE, tree.root(), signature))


def deleted(*statements: str) -> Callable[[Scene], None]:
    return lambda scene: scene.sql(*statements)


def replace_node(level: int, index: int) -> Callable[[Scene], None]:
    return deleted(f"UPDATE audit_nodes SET hash = sha256(hash) WHERE level = {level} AND index = {index}")


def moved_with_their_hashes(scene: Scene) -> None:
    scene.sql(*SHIFT_RIGHT)
    scene.sql("INSERT INTO audit_entries VALUES (300, %s)", values=[other_entry()])
    scene.sql(
        "UPDATE audit_nodes SET hash = sha256(decode('00', 'hex') || entry) FROM audit_entries"
        " WHERE level = 0 AND audit_nodes.index = audit_entries.index"
    )


def replaced_with_its_hash(scene: Scene) -> None:
    data = other_entry()
    scene.put(300, data)
    scene.put_hash(300, data)


CASES: dict[str, tuple[Callable[[Scene], None], str, int]] = {
    "bytes of an entry": (edited, "T1", 300),
    "another event": (lambda scene: scene.put(300, other_entry()), "T2", 300),
    "an entry gone, a gap": (deleted("DELETE FROM audit_entries WHERE index = 300"), "T3", 300),
    "an entry gone, closed up": (deleted("DELETE FROM audit_entries WHERE index = 300", *SHIFT_LEFT), "T3", 300),
    "an entry inserted": (inserted, "T4", 300),
    "two entries swapped": (swapped, "T5", 300),
    "an entry doubled": (doubled, "T6", 300),
    "the end gone": (deleted("DELETE FROM audit_entries WHERE index >= 550"), "T7", 550),
    "all entries gone": (deleted("TRUNCATE audit_entries"), "T7", 0),
    "rewritten without the key": (rewritten_without_key, "T9", 0),
    "checkpoint of another log": (of_another_log, "T12", 0),
    "checkpoint of another key": (of_another_key, "T13", 0),
    "checkpoint gone": (deleted("TRUNCATE audit_log"), "T14", 0),
    "a leaf hash edited": (replace_node(0, 300), "T15", 300),
    "a node edited": (replace_node(1, 1), "T15", 256),
    "another event with its hash": (replaced_with_its_hash, "", 256),
    "entries moved with their hashes": (moved_with_their_hashes, "", 0),
}
"""How, what it is called (nothing: by any name), and the first bad entry, or one before it."""


@pytest.mark.parametrize("case", CASES)
def test_what_was_done_is_named_with_its_place(scene: Scene, case: str) -> None:
    tamper, kind, index = CASES[case]
    assert verify_log(scene.log, VERIFIER, scene.published).result == "intact"
    tamper(scene)
    report = verify_log(scene.log, VERIFIER)
    assert report.result == "tampered"
    first = report.findings[0]
    if kind:
        assert (first.tamper, first.index) == (kind, index)
    else:
        assert index <= first.index <= 300


def test_a_log_that_was_put_back_shows_by_its_published_checkpoint(scene: Scene) -> None:
    restore(scene)
    assert verify_log(scene.log, VERIFIER).result == "intact"
    report = verify_log(scene.log, VERIFIER, scene.published)
    assert (report.result, report.findings[0].tamper, report.findings[0].index) == ("tampered", "T8", 500)


@pytest.mark.parametrize("size", [SIZE, SIZE + 50])
def test_a_log_rewritten_with_its_key_shows_by_its_published_checkpoint(scene: Scene, size: int) -> None:
    tree = scene.grow_anew(550, size)
    scene.set_head(size, note_of(VERIFIER, size, tree.root(), sign_head(key(), ORIGIN, size, tree.root())))
    assert verify_log(scene.log, VERIFIER).result == "intact"
    report = verify_log(scene.log, VERIFIER, scene.published)
    assert report.result == "tampered"
    assert report.findings[0].tamper in {"T10", "T11"}


def test_a_clock_that_was_set_back_shows(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit_entry, "now", lambda: time.time_ns() - 3600 * 10**9)
    scene.log.append(event())
    report = verify_log(scene.log, VERIFIER)
    assert (report.findings[0].tamper, report.findings[0].index) == ("T17", SIZE)


def refused(log: PostgresLog, *words: str) -> None:
    before = log.read("checkpoint")
    with pytest.raises(CouldNotDecide) as raised:
        log.append(event())
    assert raised.value.code == "audit.unavailable"
    for word in words:
        assert word in str(raised.value)
    assert log.read("checkpoint") == before


WRITERS: dict[str, tuple[Callable[[Scene], None], str]] = {
    "put back": (lambda scene: scene.set_head(500, scene.published[0]), "has 500 entries, and had 600"),
    "checkpoint gone": (deleted("TRUNCATE audit_log"), "has entries and no checkpoint"),
    "rewritten without the key": (rewritten_without_key, "is not this log's"),
    "of another log": (of_another_log, "is not this log's"),
    "of another key": (of_another_key, "is not this log's"),
    "no note": (deleted("UPDATE audit_log SET checkpoint = 'x'"), "is not this log's"),
    "size and checkpoint differ": (deleted("UPDATE audit_log SET size = 599"), "a checkpoint of 600 entries"),
    "an entry after the end": (deleted("INSERT INTO audit_entries VALUES (600, 'x')"), "UniqueViolation"),
    "tables gone": (deleted("DROP TABLE audit_log"), "UndefinedTable"),
}


@pytest.mark.parametrize("case", WRITERS)
def test_nobody_writes_on_a_log_that_is_not_the_one_it_knows(scene: Scene, case: str) -> None:
    tamper, word = WRITERS[case]
    tamper(scene)
    if case == "tables gone":
        with pytest.raises(CouldNotDecide, match=word):
            scene.log.append(event())
        return
    refused(scene.log, word)


def test_another_process_wrote_something_else_than_it_signed(scene: Scene) -> None:
    with opened(scene.url) as other:
        append_many(other, 20)
    scene.put_hash(610, b"other")
    refused(scene.log, "leads to another root hash")
    scene.sql("DELETE FROM audit_nodes WHERE level = 0 AND index >= 605")
    refused(scene.log, "has 605 entries, and 620 by its checkpoint")


@pytest.mark.parametrize(
    ("row", "found"),
    [("audit_entries VALUES (600, 'x')", ("T4", 600)), ("audit_entries VALUES (900, 'x')", ("T4", 900)),
     ("audit_nodes VALUES (0, 601, 'x')", ("T18", 601)), ("audit_nodes VALUES (1, 2, 'x')", ("T18", 512))],
    ids=["entry", "later entry", "leaf", "node"],
)  # fmt: skip
def test_rows_behind_the_end_that_would_stop_the_log_show(scene: Scene, row: str, found: tuple[str, int]) -> None:
    """No statement of the log reads them, and where they stand none can be written."""
    source = PostgresSource(scene.url)
    assert source.findings() == ()
    scene.sql(f"INSERT INTO {row}")
    assert [(each.tamper, each.index) for each in source.findings()] == [found]
    source.close()
    with pytest.raises(CouldNotDecide, match="a row of") as told:
        scene.log.check()
    assert told.value.code == "audit.unavailable"


def test_a_process_that_starts_checks_what_it_goes_on_from(scene: Scene) -> None:
    scene.put_hash(599, b"other")
    with opened(scene.url) as fresh:
        refused(fresh, "leads to another root hash")
    scene.sql("DELETE FROM audit_nodes WHERE level = 0 AND index = 598")
    with opened(scene.url) as fresh:
        refused(fresh, "tile/0/002.p/88")


def test_a_recorded_restore_is_told_apart_from_tampering(scene: Scene) -> None:
    restore(scene)
    with opened(scene.url) as fresh:
        receipts = record_restore(fresh, VERIFIER, [scene.published[1]], ACTOR)
        assert [receipt.index for receipt in receipts] == [500]
        append_many(fresh, 200)
        report = verify_log(fresh, VERIFIER, scene.published)
        assert (report.result, report.restored, report.findings) == ("restored", (500,), ())
        # what was published of another history is not excused by it
        root = hash_leaf(b"another history")
        forged = note_of(VERIFIER, SIZE, root, sign_head(key(), ORIGIN, SIZE, root))
        assert verify_log(fresh, VERIFIER, [forged]).result == "tampered"


def test_an_unrecorded_restore_is_tampering(scene: Scene) -> None:
    restore(scene)
    with opened(scene.url) as fresh:
        append_many(fresh, 200)
        assert verify_log(fresh, VERIFIER, scene.published).result == "tampered"


def test_nothing_is_recorded_where_nothing_was_lost(scene: Scene) -> None:
    for lost in (scene.published, [scene.published[0]]):
        with pytest.raises(Refused) as nothing:
            record_restore(scene.log, VERIFIER, lost, ACTOR)
        assert nothing.value.code == "audit.nothing_lost"
    foreign = note_of(verifier_of(key(1), ORIGIN), 700, b"r" * 32, sign_head(key(1), ORIGIN, 700, b"r" * 32))
    with pytest.raises(Refused) as other:
        record_restore(scene.log, VERIFIER, [foreign], ACTOR)
    assert other.value.code == "audit.checkpoint_invalid"
    assert open_checkpoint(scene.log.checkpoint(), VERIFIER).size == SIZE
