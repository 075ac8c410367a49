"""A log's files: read by path, and written so that a power cut leaves the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path

from aegis.audit.faults import unavailable
from aegis.audit.paths import is_path

MAX_READ = 256 * (2 + 65_535)
"""Bytes of the largest resource, a bundle of the largest entries."""
_PRIVATE = 0o700
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})


class FolderSource:
    """The published resources of a log on disk: those of its last checkpoint."""

    def __init__(self, folder: Path) -> None:
        """`folder` holds `checkpoint` and `tile`."""
        self._folder = str(folder)

    def read(self, path: str) -> bytes | None:
        """See `Source`."""
        if not is_path(path):
            return None
        name = f"{self._folder}/{path}"
        try:
            descriptor = os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            try:
                # One more than may be, so that the reader sees that it is too long.
                return _read_all(descriptor, MAX_READ + 1)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno in _ABSENT:
                return None
            raise unavailable(f"{name}: {error.strerror}") from error


def _read_all(descriptor: int, most: int) -> bytes:
    # Room for much more than there is would cost more than the reading.
    piece = min(os.fstat(descriptor).st_size + 1, 1 << 20)
    parts, left = [], most
    while left and (part := os.read(descriptor, min(left, piece))):
        parts.append(part)
        left -= len(part)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def store(folder: Path, resources: Iterable[tuple[str, bytes]]) -> None:
    """Write files below the folder, all durable on return. Raises OSError; what was there before is then unharmed."""
    touched: set[str] = set()
    for path, data in resources:
        target = f"{folder}/{path}"
        parent = os.path.dirname(target)  # noqa: PTH120 - many files a second
        _make_folder(parent, touched)
        write_whole(target, data)
        touched.add(parent)
    for each in touched:
        sync_folder(each)


def make_private(folder: Path) -> None:
    """The folder, and those above it that are missing, for this user alone. What is there stays as it is."""
    if not folder.parent.is_dir():
        make_private(folder.parent)
    folder.mkdir(mode=_PRIVATE, exist_ok=True)


def write_whole(target: str, data: bytes) -> None:
    """A file with these contents, durable but for its name, which `sync_folder` of its folder makes so."""
    scratch = f"{target}.new"
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        try:
            write_at(descriptor, data, 0)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        os.replace(scratch, target)  # noqa: PTH105
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(scratch)  # noqa: PTH108
        raise


def write_at(descriptor: int, data: bytes, offset: int) -> None:
    """All of the data, also where the system takes it in parts."""
    done = os.pwrite(descriptor, data, offset)
    while done < len(data):
        done += os.pwrite(descriptor, data[done:], offset + done)


def sync_folder(folder: str) -> None:
    """Make the names in a folder durable."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def drop_partial(folder: Path, path: str) -> None:
    """Remove the partial tiles or bundles of a full one: tlog-tiles lets a log do so, and readers take the full one."""
    shutil.rmtree(f"{folder}/{path}.p", ignore_errors=True)


def _make_folder(path: str, touched: set[str]) -> None:
    """The folder, and in `touched` each one that got a new name in it."""
    if os.path.isdir(path):  # noqa: PTH112
        return
    parent = os.path.dirname(path)  # noqa: PTH120
    _make_folder(parent, touched)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, _PRIVATE)  # noqa: PTH102
    touched.add(parent)
