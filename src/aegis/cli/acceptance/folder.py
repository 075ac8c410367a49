"""The evidence folder of one run: made, taken over, and held by nobody else meanwhile."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.acceptance import evidence
from aegis.acceptance.files import unwritable
from aegis.core.errors import CouldNotDecide, UsageError

PAGES = ("summary.md", "junit.xml", "index.html")
DOCUMENTS = (*evidence.UNLISTED, evidence.CATALOGUE, evidence.RESULT, evidence.PREDICATE_FILE, *PAGES)
"""What a run writes beside the criteria's own folders."""


@contextmanager
def evidence_folder(place: Path, *, resume: bool, criteria: Collection[str]) -> Iterator[Path]:
    """An empty folder, or with `resume` one of an earlier run without its conclusions; ours until the block ends."""
    if place.is_symlink() or (place.exists() and not place.is_dir()):
        raise _other(place, "is no folder")
    try:
        place.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(place, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise unwritable(place, error) from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CouldNotDecide(
                "core.output_unwritable",
                f"another run writes to {str(place)!r}",
                expected="a folder for each run",
                remedy="wait for it, or name another folder in `--output`",
            ) from error
        _prepare(place, resume=resume, criteria=criteria)
        yield place.resolve()
    finally:
        os.close(descriptor)


def _prepare(place: Path, *, resume: bool, criteria: Collection[str]) -> None:
    found = sorted(each.name for each in place.iterdir())
    if found and not resume:
        raise _other(place, f"holds {len(found)} files or folders, {found[0][:80]!a} among them")
    strange = [name for name in found if name not in DOCUMENTS and name not in criteria and not name.startswith(".")]
    if strange:
        raise _other(place, f"holds {strange[0][:80]!a}, which no run wrote")
    # whatever they concluded, this run has not
    for name in DOCUMENTS:
        (place / name).unlink(missing_ok=True)


def _other(place: Path, problem: str) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"{str(place)!r} {problem}",
        expected="a folder that is empty or not there yet; with --resume, one that an earlier run wrote",
        remedy="name another folder in `--output`, or keep what is there by `--resume`",
    )
