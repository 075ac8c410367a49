"""Verdicts in a folder of this machine, at whatever depth. No link is followed; only regular files are opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.report.history.collected import NAME, Collected
from aegis.signatures.verdict_document import LIMIT

MOST_FILES = 20_000
"""Verdicts of one folder: more than 50 a day for a year."""


def collect(folder: Path, into: Collected) -> None:
    """Take every `verdict.json` below the folder, in the order of their paths, or the file itself."""
    for number, place in enumerate(_files(folder, into)):
        if number == MOST_FILES:
            into.refuse(str(folder), _too_many())
            return
        into.take(str(place), partial(read, place))


def read(place: Path) -> bytes:
    """A regular file's bytes, at most one more than a verdict may have. Raises CouldNotDecide."""
    try:
        # neither a link nor a pipe that nobody writes to
        with open(place, "rb", opener=_opener) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise _unreadable(f"{place} is no regular file")
            return file.read(LIMIT + 1)
    except OSError as error:
        raise _unreadable(f"{place}: {error.strerror}") from error


def _opener(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)


def _files(folder: Path, into: Collected) -> Iterator[Path]:
    if not folder.is_dir():
        yield folder
        return

    def refuse(error: OSError) -> None:
        into.refuse(str(error.filename), _unreadable(f"{error.filename}: {error.strerror}"))

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders.sort()
        for name in folders:
            if Path(parent, name).is_symlink():
                into.refuse(str(Path(parent, name)), _unreadable(f"{Path(parent, name)} is a link to a folder"))
        if NAME in names:
            yield Path(parent, NAME)
        elif NAME in folders:
            into.refuse(str(Path(parent, NAME)), _unreadable(f"{Path(parent, NAME)} is a folder"))


def _unreadable(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "report.verdict_unreadable",
        problem,
        expected=f"a regular file {NAME} that this user may read",
        remedy="Mend the file or its permissions, or take it away.",
    )


def _too_many() -> CouldNotDecide:
    return CouldNotDecide(
        "report.too_much",
        f"more than {MOST_FILES:,} verdicts",
        expected=f"at most {MOST_FILES:,} in a folder",
        remedy="Name folders below it, e.g. one a year.",
    )
