r"""An archive before anything reads it: its form, what its head says, and what is to be restored of it.

Only archives are taken (custom and directory format). Plain dumps are for psql, which obeys commands in them
(CVE-2025-8714: `\!` runs a program as whoever restores), and show neither where they end nor what they hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aegis.core.errors import Refused

_MAGIC: Final = b"PGDMP"
_HEAD: Final = 11
"""Bytes of the head: the magic, three of the version, sizes of integers and offsets, the format."""
_LONGEST_HEAD: Final = 4096
_OLDEST_HEAD: Final = (1, 12)
"""Of pg_dump 9.0; older ones hold no version of the server in this place."""
_NEWEST_HEAD: Final = (1, 16)
"""Of pg_dump 17 and 18 (`K_VERS_MAX` in pg_backup_archiver.h)."""
_COMPRESSION_BY_NAME: Final = (1, 15)
"""From then on it is a byte, before it was a level."""
_PARTS_OF_TIME: Final = 7
_CUSTOM: Final = 1
"""The format's number, the last byte of the head (`ArchiveFormat` in pg_backup.h)."""
_TOC: Final = "toc.dat"
_ENTRY: Final = re.compile(r"-- TOC entry ([0-9]+) \(class ")
_DEPENDENCIES: Final = re.compile(r"-- Dependencies:((?: [0-9]+)+)\Z")
_TYPE: Final = re.compile(r"-- (?:Data for )?Name: .*; Type: ([A-Z ]+); Schema: ")
_LISTED: Final = re.compile(r"([0-9]+); [0-9]+ [0-9]+ (INDEX |COMMENT |STATISTICS DATA )?")
_ROWS: Final = re.compile(r"([0-9]+); [0-9]+ [0-9]+ (TABLE DATA |BLOBS )(.*)")
_GO_WITH_AN_INDEX: Final = frozenset({"INDEX ATTACH", "COMMENT", "STATISTICS DATA"})


@dataclass(frozen=True, slots=True)
class Archive:
    """An archive on this disk."""

    path: Path
    format: Literal["custom", "directory"]


def recognised(path: Path) -> Archive:
    """Of a file or a folder. Refused `backup_check.archive_unknown`."""
    toc = path / _TOC if path.is_dir() else path
    try:
        with toc.open("rb") as file:
            head = file.read(_HEAD)
    except OSError as error:
        raise _unknown(f"{toc.name} cannot be read: {error.strerror}") from error
    if not head.startswith(_MAGIC):
        raise _unknown(f"{toc.name} is no archive of pg_dump")
    if toc is path and (len(head) < _HEAD or head[-1] != _CUSTOM):
        raise _unknown(f"{toc.name} is an archive of another form")
    return Archive(path, "custom" if toc is path else "directory")


def dumped_from(archive: Archive) -> str:
    """The version of the server that an archive was dumped from, as it says itself, e.g. `17.11`.

    Refused `backup_check.archive_unknown` where its head is not one (`ReadHead` in pg_backup_archiver.c).
    """
    path = archive.path / _TOC if archive.format == "directory" else archive.path
    with path.open("rb") as file:
        head = _Head(file.read(_LONGEST_HEAD))
    try:
        return head.server_version()
    except (IndexError, UnicodeDecodeError) as error:
        raise _unknown(f"{path.name} ends in its head, or has one of another form") from error


class _Head:
    """The first bytes of an archive, read in order."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = len(_MAGIC)
        self._integer = 0

    def server_version(self) -> str:
        """Raises IndexError where the head is cut."""
        version = (self._byte(), self._byte())
        self._byte()  # the revision
        self._integer = self._byte()
        if not _OLDEST_HEAD <= version <= _NEWEST_HEAD or self._integer != 4:
            raise _unknown(f"the archive is of version {version[0]}.{version[1]}")
        self._byte()  # the size of offsets
        self._byte()  # the format
        if version >= _COMPRESSION_BY_NAME:
            self._byte()
        else:
            self._int()
        for _ in range(_PARTS_OF_TIME):
            self._int()
        self._text()  # the database's name
        return self._text().decode("ascii")

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _int(self) -> int:
        negative = self._byte()
        value = sum(self._byte() << (8 * place) for place in range(self._integer))
        return -value if negative else value

    def _text(self) -> bytes:
        length = self._int()
        if not 0 <= length <= len(self._data) - self._at:
            raise IndexError(length)
        self._at += length
        return self._data[self._at - length : self._at]


def without_plain_indexes(listing: str, post_data: str) -> str:
    """The list for `pg_restore --use-list` that leaves out indexes which check nothing.

    They are most of the time that a restore takes. Unique ones stay: rows that are there twice show in them, and
    foreign keys may need them. `listing`: of `--list`; `post_data`: of `--verbose --section=post-data`.
    """
    skipped = set(_plain_indexes(post_data))
    return "".join(
        f"{line}\n"
        for line in listing.splitlines()
        # of the kind that the listing says, since lines of a comment may look like another entry
        if (entry := _LISTED.match(line)) and not (entry[2] and entry[1] in skipped)
    )


def only_rows_of(listing: str, tables: Iterable[tuple[str, str]], *, large_objects: bool) -> str:
    """The list for `pg_restore --use-list` that leaves out the rows of all tables but these (schema and name).

    A list shows names as they are, so those of other tables that read the same there come along.
    """
    chosen = frozenset(f"{_in_a_list(schema)} {_in_a_list(name)}" for schema, name in tables)
    return "".join(
        f"{line}\n"
        for line in listing.splitlines()
        if (entry := _ROWS.match(line)) is None
        or (large_objects if entry[2].startswith("BLOBS ") else _begins_with(entry[3], chosen))
    )


def _plain_indexes(post_data: str) -> Iterator[str]:
    """The entries, and those that make sense only with one of them."""
    number, needs, kind = "", frozenset[str](), ""
    plain: set[str] = set()
    for line in post_data.splitlines():
        if head := _ENTRY.match(line):
            number, needs, kind = head[1], frozenset(), ""
        elif number and (listed := _DEPENDENCIES.match(line)):
            needs = frozenset(listed[1].split())
        elif number and (named := _TYPE.match(line)):
            kind = named[1]
        elif number and line and not line.startswith("--"):  # its first statement
            if (kind == "INDEX" and line.startswith("CREATE INDEX ")) or (
                kind in _GO_WITH_AN_INDEX and not plain.isdisjoint(needs)
            ):
                plain.add(number)
                yield number
            number = ""


def _in_a_list(name: str) -> str:
    """As `pg_restore --list` writes it (`sanitize_line` in PostgreSQL's source)."""
    return name.replace("\n", " ").replace("\r", " ")


def _begins_with(text: str, chosen: frozenset[str]) -> bool:
    """Whether some words at its start are one of `chosen`; the owner stands after them."""
    ends = (found.start() for found in re.finditer(" ", text))
    return any(text[:end] in chosen for end in ends)


def _unknown(problem: str) -> Refused:
    return Refused(
        "backup_check.archive_unknown",
        problem,
        expected="an archive of pg_dump in custom (-Fc) or directory (-Fd) format; plain SQL is never run",
        remedy="Dump with `aegis backup run`, or with pg_dump -Fc.",
    )
