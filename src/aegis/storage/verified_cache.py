"""Remembers that a folder was verified, so that an unchanged one need not be hashed again.

A hit means: nothing that the kernel records about any file or folder has changed since it was hashed, and neither has
the policy, the keys, the trusted root, or the digest that was asked for. A process of the same user that maps a file
into its memory can write without any record; so a loader that hands bytes on hashes them itself.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

from aegis.core.errors import AegisError
from aegis.storage.local_tree import open_folder, walk
from aegis.storage.private_folder import open_private

MAX_AGE = 24 * 3600.0
"""Seconds after which everything is hashed again, whatever the kernel records: disks rot."""
GRAIN = 0.05
"""Seconds within which a file system may give two changes the same time; Linux has 10 ms at most."""
_MAX_ENTRY = 4096
_VERSION = 1


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked when the folder was verified: the same answer holds for the same question only."""

    policy: str
    """Digest (hex) of the artifact's policy."""
    keys: str
    """Digest (hex) of all keys that it trusts."""
    trusted_root: str
    """Digest (hex) of Sigstore's trusted root."""
    root: str
    """The artifact's own digest (hex)."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the kernel records about a folder and everything below it."""

    digest: str
    settled: bool
    """Whether any later change must show: nothing was changed in the moment before, and nobody else may write."""


def snapshot(folder: Path, *, sleep: Callable[[float], None] = time.sleep) -> Snapshot:
    """Take it before hashing, and again afterwards (`VerifiedCache.remember` does).

    Waits at most 50 ms where something has just been changed. Errors as of `aegis.storage.local_tree.walk`.
    """
    taken, digest, youngest, private = _look(folder)
    if taken - GRAIN < youngest <= taken:
        sleep(GRAIN)
        taken, digest, youngest, private = _look(folder)
    return Snapshot(digest, private and youngest <= taken - GRAIN)


def _look(folder: Path) -> tuple[float, str, float, bool]:
    """When, digest of the records, time of the youngest change, whether only this user may change anything."""
    taken = time.time()
    me = os.geteuid()
    digest = hashlib.sha256()
    youngest, private = 0, True
    with open_folder(folder) as root:
        top = os.fstat(root)
        entries = [("", top), *((found.name, found.stat) for found in walk(root, str(folder)))]
    for name, about in entries:
        record = (
            name,
            about.st_dev,
            about.st_ino,
            about.st_size,
            about.st_mtime_ns,
            about.st_ctime_ns,
            about.st_mode,
            about.st_uid,
        )
        digest.update(repr(record).encode())
        youngest = max(youngest, about.st_ctime_ns, about.st_mtime_ns)
        private = private and about.st_uid == me and not about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return taken, digest.hexdigest(), youngest / 1e9, private


class VerifiedCache:
    """The remembered answers of one user, in a private folder."""

    def __init__(self, root: Path, *, max_age: float = MAX_AGE, now: Callable[[], float] = time.time) -> None:
        """`max_age`: seconds. The folder is made when it is first needed, and must be of this user alone."""
        self._root = root
        self._max_age = max_age
        self._now = now

    def holds(self, folder: Path, question: Question) -> bool:
        """Whether the folder was verified for this question and is unchanged. Any doubt is a no, never an error."""
        try:
            with open_private(self._root) as root:
                entry = _read(root, _name(folder, question))
            if entry is None or not self._is_fresh(entry.get("at")):
                return False
            return entry == _entry(folder, question, snapshot(folder), entry["at"])
        except AegisError:
            return False

    def remember(self, folder: Path, question: Question, before: Snapshot) -> bool:
        """Note that the folder was verified; `before` is its snapshot from before it was hashed.

        False where nothing is noted: it has changed since, or others may change it. Raises `verify.not_private` where
        the cache's own folder is not private, and what `snapshot` raises.
        """
        if not before.settled or snapshot(folder) != before:
            return False
        with open_private(self._root) as root:
            content = json.dumps(_entry(folder, question, before, self._now())).encode()
            with suppress(OSError):  # a cache that cannot be written costs time only
                _write(root, _name(folder, question), content)
                return True
        return False

    def _is_fresh(self, at: object) -> bool:
        return isinstance(at, float) and 0 <= self._now() - at <= self._max_age


def _entry(folder: Path, question: Question, state: Snapshot, at: float) -> dict[str, Any]:
    asked = [str(folder.absolute()), *astuple(question)]
    return {"version": _VERSION, "asked": asked, "state": state.digest, "at": at, "user": os.geteuid()}


def _name(folder: Path, question: Question) -> str:
    text = json.dumps([str(folder.absolute()), *astuple(question)])
    return f"verified-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}.json"


def _read(root: int, name: str) -> dict[str, Any] | None:
    """An entry that this user alone may have written."""
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=root)
    except OSError:
        return None
    try:
        about = os.fstat(file)
        ours = about.st_uid == os.geteuid() and about.st_nlink == 1 and stat.S_ISREG(about.st_mode)
        if not ours or stat.S_IMODE(about.st_mode) & 0o077:
            return None
        entry = json.loads(os.read(file, _MAX_ENTRY + 1))
    except (OSError, ValueError, RecursionError):
        return None
    finally:
        os.close(file)
    return entry if isinstance(entry, dict) else None


def _write(root: int, name: str, content: bytes) -> None:
    """Replace an entry in one step."""
    new = f".{secrets.token_hex(8)}"
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=root)
    try:
        try:
            os.write(file, content)
        finally:
            os.close(file)
        os.rename(new, name, src_dir_fd=root, dst_dir_fd=root)
    except OSError:
        with suppress(OSError):
            os.unlink(new, dir_fd=root)
        raise
