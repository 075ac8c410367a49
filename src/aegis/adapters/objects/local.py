"""A folder of this machine as an object store: what `aegis.storage.local_tree` lets through."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import local_tree
from aegis.storage.local_tree import open_below, open_folder

CHUNK = 256 * 1024
"""Bytes read at once: what fits into a core's cache between reading and hashing."""


class LocalStore:
    """One folder. Fulfils `aegis.core.ports.objects.ObjectStore`; hostile trees are `Refused`, as the tree's rules say.

    An object's `etag` is what tells a changed file from an unchanged one: device, inode, size and times.
    """

    def __init__(self, root: Path, *, name: str = "") -> None:
        """`name`: how messages call it, e.g. the path as the user spelt it."""
        self._root = root
        self._name = name or str(root)

    @property
    def location(self) -> str:
        """For messages and evidence."""
        return self._name

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        """Every file below the prefix (a folder, with `/` at its end, or empty for all), by name.

        An empty folder stands in it with its `/` and size 0: no manifest has it, so it is told as extra.
        """
        if prefix and not prefix.endswith("/"):
            raise local_tree.unsafe_name(prefix, self.location)
        with open_folder(self._root) as root, open_below(root, prefix, self.location) as folder:
            where = f"{self.location}/{prefix}".removesuffix("/")
            found = [entry for entry in local_tree.walk(folder, where) if entry.empty or not entry.is_folder]
        infos = (_info(prefix + entry.name, entry.stat) for entry in found)
        return tuple(sorted(infos, key=lambda info: info.key))

    def folders(self, prefix: str) -> Sequence[str]:
        """The folders right below one; none where it is missing, but for the store's own."""
        if prefix and not prefix.endswith("/"):
            raise local_tree.unsafe_name(prefix, self.location)
        with open_folder(self._root) as root:
            try:
                with open_below(root, prefix, self.location) as folder:
                    names = local_tree.folders(folder, f"{self.location}/{prefix}".removesuffix("/"))
            except CouldNotDecide as error:
                if error.code != "verify.store_missing":
                    raise
                return ()
        return tuple(f"{prefix}{name}/" for name in names)

    def head(self, key: str) -> ObjectInfo | None:
        """One file; None where there is none."""
        try:
            with open_folder(self._root) as root, open_below(root, key, self.location) as file:
                return _info(key, os.fstat(file))
        except CouldNotDecide as error:
            if error.code != "verify.store_missing":
                raise
            return None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[memoryview]:
        """The bytes of the file as it was listed. `Refused` `verify.file_changed` where it is another one meanwhile.

        Each chunk lies where the one before it was: it is valid until the next one is asked for.
        """
        where = f"{self.location}/{info.key}"
        with open_folder(self._root) as root, open_below(root, info.key, self.location) as file:
            self._check(info, file, where)
            buffer = memoryview(bytearray(min(CHUNK, max(info.size, 1))))
            place = start
            while True:
                try:
                    length = os.preadv(file, [buffer], place)
                except OSError as error:
                    raise local_tree.unreadable(where, error) from error
                if not length:
                    break
                yield buffer[:length]
                place += length
            self._check(info, file, where)

    def _check(self, info: ObjectInfo, file: int, where: str) -> None:
        if _info(info.key, os.fstat(file)) != info:
            raise local_tree.changed(where)


def _info(key: str, about: os.stat_result) -> ObjectInfo:
    state = (about.st_dev, about.st_ino, about.st_size, about.st_mtime_ns, about.st_ctime_ns)
    size = 0 if stat.S_ISDIR(about.st_mode) else about.st_size
    return ObjectInfo(key, size, etag="-".join(map(str, state)))
