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
from dataclasses import dataclass
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.storage.local_tree import check_text, open_below, unsafe_name
from aegis.storage.private_folder import disk_failed, open_private
from aegis.storage.same_content import same_content

_STAGING = ".staging-"
_KEPT = re.compile(r"sha256-[0-9a-f]{64}")
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


class ContentStore:
    """The kept artifacts of one user below one folder; several runs may use it at once."""

    def __init__(self, root: Path, *, durable: bool = True) -> None:
        """The folder is made when it is first needed, with mode 0700, and must be of this user alone.

        `durable`: wait until the disk has everything. Without, a power cut may leave an artifact that is not whole,
        which whoever hashes it before use finds.
        """
        self._root = root
        self._durable = durable

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
    def hold(self, digest: str) -> Iterator[int | None]:
        """The descriptor of a kept artifact's folder, which `remove` leaves alone meanwhile; None where there is none.

        `hold_again` holds it longer. What is at its place and no folder of this user gives None as well.
        """
        name = _name(digest)
        with open_private(self._root) as root:
            folder, process = _held(root, name), os.getpid()
            try:
                yield folder
            finally:
                if folder is not None:
                    let_go(folder, process)

    def kept(self) -> Sequence[Kept]:
        """What is kept, the longest unused first."""
        with open_private(self._root) as root:
            found = _kept(root)
        return sorted(found, key=lambda kept: (kept.used, kept.digest))

    def remove(self, digest: str, *, even_held: bool = False) -> bool:
        """Remove what stands at a digest's place; False where somebody holds it, or there is nothing.

        Whoever has its files open can go on reading them.
        """
        name = _name(digest)
        with open_private(self._root) as root:
            try:
                folder = os.open(name, _FOLDER, dir_fd=root)
            except FileNotFoundError:
                return False
            except OSError:
                folder = None  # a link or a file, which nobody can hold
            try:
                if folder is not None and not even_held:
                    fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
                gone = _STAGING + secrets.token_hex(16)
                # In one step, so that no part of it is ever found; if this process ends here, the next one cleans up.
                os.rename(name, gone, src_dir_fd=root, dst_dir_fd=root)
            except (BlockingIOError, FileNotFoundError):
                return False
            finally:
                if folder is not None:
                    os.close(folder)
            _remove(root, gone)
        return True

    def remove_other(self, digest: str) -> bool:
        """Remove what stands at a digest's place and is no folder of this user; False where there is no such thing.

        For whoever could not hold one: another run may have published it meanwhile, and that stays.
        """
        name = _name(digest)
        with open_private(self._root) as root:
            try:
                about = os.stat(name, dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                return False
        return not (stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid()) and self.remove(digest)

    @contextmanager
    def stage(self) -> Iterator[Staging]:
        """A folder to write one artifact into. What was not published at the end of the block is removed."""
        with open_private(self._root) as root:
            name = _STAGING + secrets.token_hex(16)
            folder, process = _begin(root, name, self._root), os.getpid()
            staging = Staging(root, folder, name, self._root, durable=self._durable)
            try:
                yield staging
            finally:
                try:
                    if not staging.published:
                        _remove(root, name)
                finally:
                    let_go(folder, process)


def hold_again(folder: int) -> int:
    """A descriptor of a held folder with a lock of its own, for `let_go`."""
    again = os.open(".", _FOLDER, dir_fd=folder)
    try:
        fcntl.flock(again, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BaseException:
        os.close(again)
        raise
    return again


def let_go(folder: int, process: int) -> None:
    """Close a folder that this process (its id) has locked.

    A child that was forked meanwhile has a copy of the descriptor, which would keep the folder locked. In the child, it
    is the parent's lock, and stays.
    """
    if os.getpid() == process:
        with suppress(OSError):
            fcntl.flock(folder, fcntl.LOCK_UN)
    os.close(folder)


@dataclass(frozen=True, slots=True)
class Kept:
    """One kept artifact."""

    digest: str
    size: int
    """Bytes of its files."""
    used: float
    """When it was last held, seconds since 1970."""


class Staging:
    """An artifact that is being written. Files may be written from several threads."""

    def __init__(self, root: int, folder: int, name: str, place: Path, *, durable: bool) -> None:
        self._root, self._folder, self._name, self._place = root, folder, name, place
        self._durable = durable
        self.published = False

    @contextmanager
    def create(self, name: str) -> Iterator[StagedFile]:
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
            yield StagedFile(file, name)
            with self._told(name):
                os.fchmod(file, 0o400)
                if self._durable:
                    os.fsync(file)
        finally:
            os.close(file)

    @contextmanager
    def open(self, name: str) -> Iterator[int]:
        """The descriptor of a file that was written, for reading. Errors as of `local_tree.open_below`."""
        with open_below(self._folder, name, str(self._place)) as file:
            yield file

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
            _seal(self._folder, durable=self._durable)
            try:
                os.rename(self._name, name, src_dir_fd=self._root, dst_dir_fd=self._root)
            except OSError:
                if not _is_there(self._root, name):
                    raise
            else:
                self.published = True
                # others may hold it from now on
                fcntl.flock(self._folder, fcntl.LOCK_SH)
                if self._durable:
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


class StagedFile:
    """Writes everything, or raises. A `aegis.storage.hashing.Sink`."""

    def __init__(self, file: int, name: str) -> None:
        self._file = file
        self._name = name

    def write(self, chunk: bytes | memoryview, /) -> None:
        """Take the next bytes."""
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[os.write(self._file, rest) :]
        except OSError as error:
            raise disk_failed(f"writing {self._name[:200]!r}", error) from error

    def copy(self, source: int, size: int) -> None:
        """Take so many bytes of an open file, from its beginning, which has at least as many."""
        done = 0
        try:
            while done < size:
                done += os.sendfile(self._file, source, done, size - done)
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
        # Shared, since it may just be published: whoever wants to hold it then is not kept from it.
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
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


def _seal(folder: int, *, durable: bool) -> None:
    """Make all folders read-only and bring them to the disk, the inner ones first."""
    for *_, descriptor in os.fwalk(".", topdown=False, dir_fd=folder):
        os.fchmod(descriptor, 0o500)
        if durable:
            os.fsync(descriptor)


def _held(root: int, name: str) -> int | None:
    """A kept folder's descriptor with a shared lock, and its time of use set."""
    try:
        folder = os.open(name, _FOLDER, dir_fd=root)
    except OSError:
        return None
    with suppress(OSError):
        fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        now, there = os.fstat(folder), os.stat(name, dir_fd=root, follow_symlinks=False)
        # between opening and locking it, `remove` may have taken it away
        if (now.st_dev, now.st_ino) == (there.st_dev, there.st_ino) and now.st_uid == os.geteuid():
            os.utime(folder)
            return folder
    os.close(folder)
    return None


def _kept(root: int) -> list[Kept]:
    looked = (_look(root, name) for name in os.listdir(root) if _KEPT.fullmatch(name))
    return [kept for kept in looked if kept is not None]


def _look(root: int, name: str) -> Kept | None:
    """What is known of a kept folder; None where it is none or goes away meanwhile."""
    try:
        used = os.stat(name, dir_fd=root, follow_symlinks=False).st_mtime
        size = 0
        for _, _, files, folder in os.fwalk(name, dir_fd=root):
            size += sum(os.stat(file, dir_fd=folder, follow_symlinks=False).st_size for file in files)
    except OSError:
        return None
    return Kept(name.removeprefix("sha256-"), size, used)


def _remove(root: int, name: str) -> None:
    """Remove a staging folder, whose folders may be sealed already, or a file or link in the place of one."""
    with suppress(OSError):
        if not stat.S_ISDIR(os.stat(name, dir_fd=root, follow_symlinks=False).st_mode):
            os.unlink(name, dir_fd=root)
            return
        for *_, descriptor in os.fwalk(name, dir_fd=root):
            os.fchmod(descriptor, 0o700)
        shutil.rmtree(name, dir_fd=root)
