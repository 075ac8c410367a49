"""Writing to a folder of this machine: each file once and whole.

A file without a name is written and brought to the disk, and only then gets its name, if nobody has it (`O_TMPFILE` and
`linkat`, open(2)): a process that dies leaves nothing. File systems without such files (NFS) get one with a name of its
own instead, which a killed process leaves behind as `.aegis-….partial`.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from aegis.adapters.objects.local import LocalStore
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import write_faults
from aegis.storage.local_tree import open_below, open_folder, unreadable, unsafe_name
from aegis.storage.private_folder import disk_failed

_WRITE = os.O_WRONLY | os.O_CLOEXEC
_NO_TMPFILE = frozenset({errno.EOPNOTSUPP, errno.EISDIR, errno.EINVAL, errno.ENOENT})
"""How file systems and old kernels say that they know no files without a name."""


class WritableFolder(LocalStore):
    """One folder, which must exist. Fulfils `aegis.core.ports.writing.WritableStore`."""

    @contextmanager
    def create(self, key: str) -> Iterator[_File]:
        """A new file, which is there only after the block has ended without an exception."""
        if {"", ".", ".."} & set(key.split("/")) or "\0" in key:
            raise unsafe_name(key, self.location)
        folders, _, name = key.rpartition("/")
        where = f"{self.location}/{key}"
        with open_folder(self._root) as root:
            self._make_folders(root, folders, where)
            with open_below(root, f"{folders}/" if folders else "", self.location) as folder:
                with _told(where):
                    descriptor, temporary = _new(folder)
                try:
                    yield _File(descriptor, where)
                    with _told(where):
                        os.fsync(descriptor)
                        # the descriptor is named, not the name: nobody can have put another file there
                        os.link(f"/proc/self/fd/{descriptor}", name, dst_dir_fd=folder, follow_symlinks=True)
                        if temporary:
                            os.unlink(temporary, dir_fd=folder)
                            temporary = ""
                        os.fsync(folder)
                finally:
                    os.close(descriptor)
                    if temporary:
                        os.unlink(temporary, dir_fd=folder)

    def delete(self, info: ObjectInfo) -> None:
        """Remove a file or an empty folder, if it is still as it was listed, and the folders that it leaves empty.

        So nothing stays that looks like a backup: a bucket has no folders either.
        """
        above, _, name = info.key.removesuffix("/").rpartition("/")
        where = f"{self.location}/{info.key}"
        if self.head(info.key) is None:
            return
        with open_folder(self._root) as root:
            with open_below(root, info.key, self.location) as file:
                self._check(info, file, where)
                with open_below(root, f"{above}/" if above else "", self.location) as folder, _told(where):
                    if info.key.endswith("/"):
                        os.rmdir(name, dir_fd=folder)
                    else:
                        os.unlink(name, dir_fd=folder)
            while above:
                above, _, name = above.rpartition("/")
                try:
                    with open_below(root, f"{above}/" if above else "", self.location) as folder:
                        os.rmdir(name, dir_fd=folder)
                except (OSError, AegisError):
                    return  # something is in it, or somebody else is at it

    def _make_folders(self, root: int, folders: str, where: str) -> None:
        """Those above a file, one by one and through no link; each is brought to the disk as the file is."""
        made = ""
        for part in folders.split("/") if folders else []:
            with open_below(root, made, self.location) as above, _told(where), suppress(FileExistsError):
                os.mkdir(part, dir_fd=above)
                os.fsync(above)
            made += f"{part}/"


class _File:
    """A file on its way."""

    def __init__(self, descriptor: int, where: str) -> None:
        self._descriptor, self._where = descriptor, where

    def write(self, data: bytes | memoryview) -> None:
        """Add bytes."""
        with _told(self._where), memoryview(data).cast("B") as view:
            done = 0
            while done < len(view):
                done += os.write(self._descriptor, view[done:])


def _new(folder: int) -> tuple[int, str]:
    """A file to write to, and its name where it has one."""
    try:
        return os.open(".", _WRITE | os.O_TMPFILE, 0o600, dir_fd=folder), ""
    except OSError as error:
        if error.errno not in _NO_TMPFILE:
            raise
    name = f".aegis-{secrets.token_hex(8)}.partial"
    return os.open(name, _WRITE | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder), name


@contextmanager
def _told(where: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError as error:
        raise write_faults.object_exists(where) from error
    except PermissionError as error:
        raise write_faults.write_denied(where, error.strerror or "") from error
    except OSError as error:
        raise _meaning(where, error) from error


def _meaning(where: str, error: OSError) -> CouldNotDecide:
    if error.errno in {errno.ENOENT, errno.ENOTDIR}:
        return unreadable(where, error)
    return disk_failed(where, error)
