"""Whether a restored database holds what was dumped."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Sequence as Items
from dataclasses import dataclass
from typing import TypeVar

from aegis.backup.checksums import quoted
from aegis.backup.inventory import Inventory, Matview, Position, Sequence, Table

_HAS_ROWS = frozenset(("table", "partition", "unlogged"))
"""On a standby, unlogged tables are told apart; where they are restored, they are tables as others."""
_COLUMNS_TOLD = 5
"""Of a table whose columns differ; the rest is counted."""
T = TypeVar("T", Table, Sequence, Matview)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that differs."""

    rule: str
    """A reason of the registry, e.g. `backup_check.table_content`."""
    what: str
    """E.g. `table "public"."users"`; names of the database are in it as they are."""
    expected: str
    found: str


def compare(expected: Inventory, found: Inventory, *, refreshed: bool = True) -> tuple[Difference, ...]:
    """All differences, in the order of the manifest; none where the restore is what was dumped.

    `refreshed`: whether materialized views were computed after the restore, as a full one does. The schema is compared
    where both sides have its digest. Raises ValueError where `found` was not read with the expected checksums.
    """
    if (expected.checksums, expected.hash_version) != (found.checksums, found.hash_version):
        raise ValueError(f"checksums are {found.checksums!r}, not {expected.checksums!r}")
    return tuple(
        each
        for part in (_databases, _extensions, _roles, _tables, _sequences, _large_objects, _schemas)
        for each in part(expected, found)
    ) + (tuple(_matviews(expected, found)) if refreshed else ())


def is_set_back(sequence: Sequence) -> bool:
    """Whether it stood further before than after, and that not since it began anew."""
    return not sequence.cycle and _order(sequence, sequence.after) < _order(sequence, sequence.before)


def _databases(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    for what, ours, theirs in (
        ("major", str(expected.database.major), str(found.database.major)),
        ("encoding", expected.database.encoding, found.database.encoding),
    ):
        if ours != theirs:
            yield Difference("backup_check.database_differs", f"the database's {what}", ours, theirs)


def _extensions(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    there = {each.name for each in found.extensions}
    for each in expected.extensions:
        if each.name not in there:
            yield Difference(
                "backup_check.extension_missing", f"extension {quoted(each.name)}", f"version {each.version}", "none"
            )


def _roles(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    there = {each.name for each in found.roles}
    for each in expected.roles:
        if each.used and each.name not in there:
            yield Difference("backup_check.role_missing", f"role {quoted(each.name)}", "there", "none")


def _tables(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    ours, theirs = (
        [each for each in side.tables if each.kind != "extension" or each.rows is not None]
        for side in (expected, found)
    )
    for ours_one, theirs_one in _pairs(ours, theirs):
        if theirs_one is None and ours_one is not None and ours_one.kind != "extension":
            yield Difference("backup_check.table_missing", _named("table", ours_one), _rows(ours_one), "none")
        elif ours_one is None and theirs_one is not None and theirs_one.kind != "extension":
            yield Difference("backup_check.table_unexpected", _named("table", theirs_one), "none", _rows(theirs_one))
        elif ours_one is not None and theirs_one is not None:
            yield from _table(ours_one, theirs_one)


def _table(expected: Table, found: Table) -> Iterator[Difference]:
    what = _named("table", expected)
    if expected.kind != found.kind and not {expected.kind, found.kind} <= _HAS_ROWS:
        yield Difference("backup_check.table_definition", what, expected.kind, found.kind)
    elif expected.columns != found.columns:
        if expected.kind != "extension":  # which a restore takes in the version of its server
            yield Difference("backup_check.table_definition", what, *_columns(expected, found))
    elif None not in (expected.rows, found.rows) and (expected.rows, expected.hash) != (found.rows, found.hash):
        yield Difference("backup_check.table_content", what, _content(expected), _content(found))


def _columns(expected: Table, found: Table) -> tuple[str, str]:
    return (_only_in(expected, found), _only_in(found, expected))


def _only_in(table: Table, other: Table) -> str:
    own = [
        f"{quoted(each.name)} {each.type}{'' if each.rule != 'generated' else ' generated'}"
        for each in table.columns
        if each not in other.columns
    ]
    more = f" and {len(own) - _COLUMNS_TOLD} more" if len(own) > _COLUMNS_TOLD else ""
    return ", ".join(own[:_COLUMNS_TOLD]) + more or "no such column"


def _sequences(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    for ours, theirs in _pairs(expected.sequences, found.sequences):
        if ours is None:
            continue  # its table, column or definition differs, which is told there
        what = _named("sequence", ours)
        if theirs is None:
            yield Difference("backup_check.sequence_missing", what, _position(ours.before), "none")
        elif not _passed(ours, theirs.after):
            between = f"from {_position(ours.before)} to {_position(ours.after)}"
            yield Difference("backup_check.sequence_position", what, between, _position(theirs.after))


def _passed(sequence: Sequence, at: Position) -> bool:
    """Whether it stood there at some time from `before` to `after`."""
    before, after, asked = (_order(sequence, each) for each in (sequence.before, sequence.after, at))
    if after < before:  # it began anew meanwhile
        return asked >= before or asked <= after
    return before <= asked <= after


def _order(sequence: Sequence, at: Position) -> tuple[int, bool]:
    return (int(at.last) if int(sequence.increment) > 0 else -int(at.last), at.called)


def _large_objects(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    ours, theirs = expected.large_objects, found.large_objects
    same = ours.hash == theirs.hash or None in (ours.hash, theirs.hash)
    if ours.count != theirs.count or not same:
        told = [f"{each.count} of hash {each.hash}" for each in (ours, theirs)]
        yield Difference("backup_check.large_objects", "large objects", *told)


def _matviews(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    for ours, theirs in _pairs(expected.matviews, found.matviews):
        if ours is not None and (theirs is None or (ours.populated and not theirs.populated)):
            yield Difference(
                "backup_check.matview_state",
                _named("materialized view", ours),
                "populated" if ours.populated else "there",
                "none" if theirs is None else "not populated",
            )


def _schemas(expected: Inventory, found: Inventory) -> Iterator[Difference]:
    ours, theirs = expected.schema_sha256, found.schema_sha256
    if ours is not None and theirs is not None and ours != theirs:
        yield Difference("backup_check.schema_differs", "the schema", f"sha256 {ours}", f"sha256 {theirs}")


def _pairs(expected: Items[T], found: Items[T]) -> Iterator[tuple[T | None, T | None]]:
    key: Callable[[T], tuple[str, str]] = lambda each: (each.schema, each.name)  # noqa: E731 - one line, twice
    there = {key(each): each for each in found}
    for each in expected:
        yield each, there.pop(key(each), None)
    for each in there.values():
        yield None, each


def _named(kind: str, each: Table | Sequence | Matview) -> str:
    return f"{kind} {quoted(each.schema, each.name)}"


def _rows(table: Table) -> str:
    return f"{table.kind}, {'rows not counted' if table.rows is None else f'{table.rows} rows'}"


def _content(table: Table) -> str:
    return f"{table.rows} rows of hash {table.hash}"


def _position(at: Position) -> str:
    return f"{at.last}{'' if at.called else ' (not yet given out)'}"
