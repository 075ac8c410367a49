"""Verified artifacts by their digest: `<root>/sha256-<digest>/`, private, read-only, there as a whole or not at all.

An artifact is written into a staging folder beside that place, hashed as it is written, and renamed once it is
verified. Whatever ends a run before that, leaves nothing but a staging folder, which the next run removes.
"""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.storage.hashing import Sink
from aegis.storage.local_tree import check_text, unsafe_name
from aegis.storage.private_folder import disk_failed, open_private
from aegis.storage.same_content import same_content

_STAGING = ".staging-"
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ContentStore:
    """The kept artifacts of one user below one folder; several runs may use it at once."""

    def __init__(self, root: Path) -> None:
        """The folder is made when it is first needed, with mode 0700, and must be of this user alone."""
        self._root = root

    def find(self, digest: str) -> Path | None:
        """Where the artifact with this SHA-256 (hex) is kept, or None. It is to be hashed again before it is used."""
        name = _name(digest)
        with open_private(self._root) as root:
            try:
                about = os.stat(name, dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                return None
        return self._root / name if stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() else None

    @contextmanager
    def stage(self) -> Iterator[Staging]:
        """A folder to write one artifact into. What was not published at the end of the block is removed."""
        with open_private(self._root) as root:
            name = _STAGING + secrets.token_hex(16)
            folder = _begin(root, name, self._root)
            staging = Staging(root, folder, name, self._root)
            try:
                yield staging
            finally:
                try:
                    if not staging.published:
                        _remove(root, name)
                finally:
                    os.close(folder)


class Staging:
    """An artifact that is being written. Files may be written from several threads."""

    def __init__(self, root: int, folder: int, name: str, place: Path) -> None:
        self._root, self._folder, self._name, self._place = root, folder, name, place
        self.published = False

    @contextmanager
    def create(self, name: str) -> Iterator[Sink]:
        """A new file with this name (`/` between folders); on disk, and read-only, after the block.

        `Refused` `verify.unsafe_name` for a name that leads elsewhere or is there already (also one that the file
        system takes for the same); `CouldNotDecide` `verify.disk_failed`.
        """
        *folders, last = name.split("/")
        check_text(name, "the artifact")
        if {"", ".", ".."} & {*folders, last} or "\0" in name:
            raise unsafe_name(name, "the artifact")
        with self._told(name):
            try:
                file = self._open(folders, last)
            except (FileExistsError, NotADirectoryError) as error:
                raise unsafe_name(name, "the artifact") from error
        try:
            yield _File(file, name)
            with self._told(name):
                os.fchmod(file, 0o400)
                os.fsync(file)
        finally:
            os.close(file)

    def _open(self, folders: Sequence[str], last: str) -> int:
        current = os.dup(self._folder)
        try:
            for part in folders:
                with suppress(FileExistsError):
                    os.mkdir(part, 0o700, dir_fd=current)
                following = os.open(part, _FOLDER, dir_fd=current)
                os.close(current)
                current = following
            return os.open(last, _NEW, 0o600, dir_fd=current)
        finally:
            os.close(current)

    def publish(self, digest: str) -> Path:
        """Put the whole artifact, now verified, at the place of its SHA-256 (hex), in one step; gives that place.

        Where another run was first, its copy is compared byte by byte and kept; `CouldNotDecide`
        `verify.kept_copy_changed` if it differs.
        """
        name = _name(digest)
        with self._told(name):
            _seal(self._folder)
            try:
                os.rename(self._name, name, src_dir_fd=self._root, dst_dir_fd=self._root)
            except OSError:
                if not _is_there(self._root, name):
                    raise
            else:
                self.published = True
                os.fsync(self._root)
        if not self.published and not same_content(self._root, self._name, name):
            raise CouldNotDecide(
                "verify.kept_copy_changed",
                f"{self._place / name} differs from what was just verified",
                expected="the bytes of this digest",
                remedy="Remove it, and find out what has written there.",
            )
        return self._place / name

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise disk_failed(f"{self._place}: writing {name[:200]!r}", error) from error


class _File:
    """Writes everything, or raises."""

    def __init__(self, file: int, name: str) -> None:
        self._file = file
        self._name = name

    def write(self, chunk: bytes | memoryview, /) -> None:
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise disk_failed(f"writing {self._name[:200]!r}", error) from error


def _name(digest: str) -> str:
    if not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise unsafe_name(digest, "the content store")
    return f"sha256-{digest}"


def _begin(root: int, name: str, place: Path) -> int:
    """A new staging folder, locked as long as this process lives; those of processes that have ended are removed."""
    try:
        # Between making a folder and locking it, nobody may take it for a stale one.
        fcntl.flock(root, fcntl.LOCK_EX)
        try:
            for other in os.listdir(root):
                if other.startswith(_STAGING) and _is_stale(root, other):
                    _remove(root, other)
            os.mkdir(name, 0o700, dir_fd=root)
            folder = os.open(name, _FOLDER, dir_fd=root)
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return folder
        finally:
            fcntl.flock(root, fcntl.LOCK_UN)
    except OSError as error:
        raise disk_failed(str(place), error) from error


def _is_stale(root: int, name: str) -> bool:
    try:
        folder = os.open(name, _FOLDER, dir_fd=root)
    except OSError:
        return False
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(folder)
    return True


def _is_there(root: int, name: str) -> bool:
    try:
        return stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode)
    except OSError:
        return False


def _seal(folder: int) -> None:
    """Make all folders read-only and bring them to the disk, the inner ones first."""
    for *_, descriptor in os.fwalk(".", topdown=False, dir_fd=folder):
        os.fchmod(descriptor, 0o500)
        os.fsync(descriptor)


def _remove(root: int, name: str) -> None:
    """Remove a staging folder, whose folders may be sealed already."""
    with suppress(OSError):
        for *_, descriptor in os.fwalk(name, dir_fd=root):
            os.fchmod(descriptor, 0o700)
        shutil.rmtree(name, dir_fd=root)
