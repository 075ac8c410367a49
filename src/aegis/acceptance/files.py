"""The files of an evidence folder: written as a whole, hashed without following links, held against what is listed."""

from __future__ import annotations

import errno
import hashlib
import os
import secrets as random
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NoReturn

from aegis.core.errors import CouldNotDecide

MAX_FILES: Final = 200
"""Of one probe."""
MAX_TOTAL: Final = 32 << 20
"""Bytes of one probe's files together."""
_DEPTH: Final = 8
"""Folders in each other."""


@dataclass(frozen=True, slots=True, order=True)
class File:
    """One file of the evidence."""

    path: str
    """Below the evidence folder, with forward slashes."""
    sha256: str
    size: int


def make_folder(place: Path) -> None:
    """A folder of this user alone. CouldNotDecide `core.output_unwritable`."""
    try:
        place.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise unwritable(place, error) from error


def remove(place: Path) -> None:
    """Whatever is there, links not followed. CouldNotDecide `core.output_unwritable`."""
    try:
        if place.is_symlink() or place.is_file():
            place.unlink()
        elif place.exists():
            shutil.rmtree(place)
    except OSError as error:
        raise unwritable(place, error) from error


def write(target: Path, content: bytes) -> None:
    """The whole file or nothing. CouldNotDecide `core.output_unwritable`."""
    draft = target.with_name(f".{target.name}.{random.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(target)
    except OSError as error:
        raise unwritable(target, error) from error
    finally:
        with suppress(OSError):
            draft.unlink(missing_ok=True)


def unwritable(target: Path, error: OSError) -> CouldNotDecide:
    """The error for evidence that finds no place."""
    return CouldNotDecide(
        "core.output_unwritable",
        f"cannot write {str(target)!r}: {error.strerror}",
        expected="a folder that can be written, with room",
        remedy="Name another folder in `--output`.",
    )


def read_regular(place: Path, limit: int) -> bytes:
    """A regular file's bytes, at most `limit`; no link is followed. CouldNotDecide `acceptance.evidence_unfit`."""
    try:
        descriptor = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError as error:
        raise CouldNotDecide(
            "acceptance.probe_broken",
            f"there is no {place.name}",
            expected=f"{place.name}, which a probe writes last",
            remedy="look at output.txt beside it",
        ) from error
    except OSError as error:
        _unfit(f"{place.name} cannot be read: {'it is a link' if error.errno == errno.ELOOP else error.strerror}")
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            _unfit(f"{place.name} is no regular file")
        content = file.read(limit + 1)
    if len(content) > limit:
        _unfit(f"{place.name} has more than {limit} bytes")
    return content


def check_evidence(folder: Path, secrets: Sequence[bytes]) -> None:
    """Refuse what a probe may not leave behind: links, devices, too much, secrets.

    CouldNotDecide `acceptance.evidence_unfit`, `acceptance.secret_in_evidence`.
    """
    found, total = 0, 0
    telling: list[str] = []
    for path, size in walk(folder):
        found, total = found + 1, total + size
        if found > MAX_FILES or total > MAX_TOTAL:
            _unfit(f"more than {MAX_FILES} files, or than {MAX_TOTAL} bytes together")
        content = read_regular(folder / path, MAX_TOTAL)
        if any(secret in content or secret in path.encode() for secret in secrets):
            telling.append(path)
    if telling:
        raise CouldNotDecide(
            "acceptance.secret_in_evidence",
            f"a secret of the environment stood in {len(telling)} file(s) of the probe; all of its files were removed",
            expected="evidence without secrets",
            remedy="let the probe leave it out, and change the secret if the folder was read by others",
        )


def walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Path and size of every file below a folder, sorted. CouldNotDecide `acceptance.evidence_unfit` for all else."""
    yield from sorted(_below(folder, "", _DEPTH))


def _below(folder: Path, prefix: str, depth: int) -> Iterator[tuple[str, int]]:
    if depth == 0:
        _unfit(f"{prefix}: more than {_DEPTH} folders in each other")
    try:
        with os.scandir(folder) as entries:
            for entry in entries:
                path = f"{prefix}{entry.name}"
                if not path.isprintable() or "\\" in path:
                    _unfit(f"{path!a} is no name for evidence")
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    yield from _below(folder / entry.name, f"{path}/", depth - 1)
                elif stat.S_ISREG(status.st_mode):
                    yield path, status.st_size
                else:
                    _unfit(f"{path} is no regular file")
    except OSError as error:
        _unfit(f"{prefix or folder.name} cannot be read: {error.strerror}")


def hashed(folder: Path, without: Sequence[str] = ()) -> tuple[File, ...]:
    """Every file with its digest, but for those at the top that are called so."""
    return tuple(
        File(path, hashlib.sha256(read_regular(folder / path, 1 << 30)).hexdigest(), size)
        for path, size in walk(folder)
        if path not in without
    )


def _unfit(problem: str) -> NoReturn:
    raise CouldNotDecide(
        "acceptance.evidence_unfit",
        problem,
        expected=f"at most {MAX_FILES} regular files of {MAX_TOTAL} bytes together, with plain names",
        remedy="Correct the probe.",
    )
