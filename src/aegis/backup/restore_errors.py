"""What pg_restore said, judged: an exit status of 0 proves nothing, and its words may hold rows.

pg_restore ignores errors unless it is told not to, and programs around it have ignored its status; so any line that
says "error" counts, and so does "errors ignored on restore". Messages of PostgreSQL quote values (`invalid input syntax
for type integer: "…"`, `Key (email)=(…)`), and functions of the dump may say anything. Shown are only messages that are
known to name objects and nothing else; of others, the kind of object that was being restored.
"""

from __future__ import annotations

import re
import signal
from typing import Final

from aegis.core.errors import AegisError, CouldNotDecide, Refused

PART: Final = "Part of it may be there now: begin again with an empty database."
"""What to know after a restore into somebody's database that has not ended well."""
_OF_SOMEBODYS: Final = (
    f"{PART} The server's log has the whole message; `aegis backup verify` says whether the backup itself is whole."
)
MOST_TOLD: Final = 300
"""Characters of one message."""

_NAME = r'"[^"\n]{1,200}"'
_OBJECT = "relation|extension|role|schema|type|function|collation|language|access method|database|publication|server"
_KNOWN: Final = tuple(
    re.compile(pattern)
    for pattern in (
        rf"(?:{_OBJECT}) {_NAME} (?:does not exist|already exists|is not available)",
        rf"duplicate key value violates unique constraint {_NAME}",
        rf"could not create unique index {_NAME}",
        rf"insert or update on table {_NAME} violates foreign key constraint {_NAME}",
        rf"new row for relation {_NAME} violates check constraint {_NAME}",
        rf"check constraint {_NAME} of relation {_NAME} is violated by some row",
        rf"null value in column {_NAME} of relation {_NAME} violates not-null constraint",
        rf"column {_NAME} of relation {_NAME} (?:does not exist|contains null values)",
        r"(?:invalid input syntax|malformed array literal|invalid byte sequence for encoding)(?= )",
        r"(?:missing data for column|extra data after last expected column|unexpected message type)(?= |$)",
        r"permission denied for [a-z ]{3,20}",
        r"unsupported version \([0-9.]{1,9}\) in file header",
        r"did not find magic string in file header",
        r"could not read from input file(?:: end of file)?",
        r"could not (?:decompress|uncompress) data",
        r"(?:corrupt|invalid)[a-z -]{0,40}(?:archive|header|data|block|checksum)",
        r"unexpected end of file|unexpected block ID|found unexpected|could not open input file",
        r"input file (?:appears to be a text format dump|does not appear to be a valid archive)",
        r"canceling statement due to statement timeout",
    )
)
_MACHINE: Final = re.compile(
    r"out of memory|No space left on device|Cannot allocate memory|too many open files|Resource temporarily unavailable"
)
_GONE: Final = re.compile(
    r"server closed the connection unexpectedly|the database system is shutting down|terminating connection due to"
    r"|connection to server [^\n]{0,300} failed|could not connect to (?:database|server)"
)
_UNFIT: Final = re.compile(
    r"unsupported version \([0-9.]+\) in file header|ICU is not supported in this build"
    r"|extension \"[^\"]+\" is not available|could not open extension control file|could not load library"
    r"|could not access file \"[^\"]+\": No such file"
    r"|unrecognized configuration parameter|this build does not support compression|not built with (?:zlib|lz4|zstd)"
    r"|could not create locale|encoding \"?[A-Z0-9_]+\"? (?:does not match locale|is not supported)"
)
_IGNORED: Final = re.compile(r"errors ignored on restore: ([0-9]+)")
_ENTRY: Final = re.compile(r"from TOC entry [0-9]+; [0-9]+ [0-9]+ ([A-Z][A-Z -]{0,40})(?: |$)")
_FROM_OUTSIDE: Final = frozenset({signal.SIGHUP, signal.SIGINT, signal.SIGKILL, signal.SIGTERM})
"""Signals of people, supervisors and a kernel without memory; of others, what an archive holds may be the cause."""
_CAUGHT: Final = re.compile(r"(?m)^pg_restore: terminated by user$")
"""What it says at SIGINT and SIGTERM, before it ends with exit status 1 (`sigTermHandler` in parallel.c)."""
_OF_A_SHELL: Final = 128
"""Added to a signal's number, the exit status of a shell whose program it has ended."""
_SAYS_ERROR: Final = re.compile(r"(?:^|: )(?:error|fatal|panic):|errors ignored|\[archiver\b", re.IGNORECASE)


def judge(said: str, status: int, *, somebodys: bool = False) -> AegisError | None:
    """The error for what pg_restore wrote to its standard error and its exit status; None for a clean restore.

    `somebodys`: into a database that a person named, whose own content and rights may be the cause.

    CouldNotDecide `backup_check.engine_lacks` (something that the archive needs is not in this PostgreSQL),
    `backup_check.engine_exhausted` and `backup_check.engine_failed` (the server was gone, or pg_restore was ended from
    outside) say nothing about the backup.
    Refused `backup_check.restore_failed` does.
    """
    if status == 0 and not _SAYS_ERROR.search(said):
        return None
    told = _told(said, status)
    also = f" {PART}" if somebodys else ""
    ended = _ended_by(said, status)
    said = "\n".join(line for line in said.splitlines() if _SAYS_ERROR.search(line))  # not its DETAIL, which holds rows
    if _MACHINE.search(said):
        return CouldNotDecide(
            "backup_check.engine_exhausted",
            f"the restore needs more than it may have: {told}",
            expected="enough memory and disk for the database",
            remedy=f"Free disk, or allow the engine more memory.{also}",
        )
    if _UNFIT.search(said):
        return CouldNotDecide(
            "backup_check.engine_lacks",
            f"the PostgreSQL here lacks what the backup needs: {told}",
            expected="a PostgreSQL of the source's major with the same extensions, locales and ICU",
            remedy=f"Name an installation that has them; make locales of libc here (`locale-gen en_US.UTF-8`).{also}",
        )
    if _GONE.search(said):
        return CouldNotDecide(
            "backup_check.engine_failed",
            f"the server was gone during the restore: {told}",
            expected="a server that runs until the end",
            remedy=f"Look into its log; if it is one of its own crashes, report it to PostgreSQL.{also}",
        )
    if ended and not said:
        return CouldNotDecide(
            "backup_check.engine_failed",
            f"pg_restore was ended from outside, by {ended}",
            expected="a restore that runs until its end",
            remedy=f"Look for what ends processes on this machine, e.g. for want of memory; then restore again.{also}",
        )
    return Refused(
        "backup_check.restore_failed",
        f"the backup does not restore: {told}",
        expected="a restore without a single error",
        remedy=_OF_SOMEBODYS if somebodys else "Take another backup at once; restore from an earlier, verified one.",
    )


def notices(said: str) -> int:
    """How many lines were warnings; their text may hold anything."""
    return len(re.findall(r"(?m)^(?:pg_restore: )?(?:warning|WARNING|NOTICE): ", said))


def _ended_by(said: str, status: int) -> str:
    """The signal from outside that has ended pg_restore; empty where none has."""
    if status == 1 and _CAUGHT.search(said):
        return "SIGINT or SIGTERM"
    number = -status if status < 0 else status - _OF_A_SHELL
    return next((each.name for each in _FROM_OUTSIDE if each == number), "")


def _told(said: str, status: int) -> str:
    """What may be shown: the first known message, the kind of object, how many errors were ignored, the status."""
    parts = []
    line = next((line for line in said.splitlines() if _SAYS_ERROR.search(line)), "")
    for pattern in (*_KNOWN, _UNFIT, _MACHINE, _GONE):
        # known messages stand at the start of what is said, so that no value is taken for one
        found = re.search(rf"(?:error:|ERROR:|FATAL:)\s*({pattern.pattern})", line)
        if found:
            parts.append("".join(c if c.isprintable() else " " for c in found[1])[:MOST_TOLD])
            break
    else:
        if line:
            parts.append("an error whose text may hold rows, so it is not shown")
    entry = _ENTRY.search(said)
    if entry:
        parts.append(f"at an entry of the kind {entry[1].strip()}")
    ignored = _IGNORED.search(said)
    if ignored:
        parts.append(f"{ignored[1]} errors ignored")
    return "; ".join([*parts, f"exit status {status}"])
