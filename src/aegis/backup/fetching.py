"""A backup out of its store: the manifest first, and believed; then each of its objects once, and held against it.

Nothing that is downloaded is read by anything (not even decrypted) before its size and SHA-256 are the manifest's.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from aegis.backup.listing import no_backup, read_manifest
from aegis.backup.manifest import DUMP, ENCRYPTED, NAME, SIGNATURE, Manifest, StoredObject
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.types import Trust
from aegis.signatures.verify import needed_digests, needs_content, verify_message
from aegis.storage.hashing import HashingSink, Sink
from aegis.storage.patience import Patience
from aegis.storage.private_folder import disk_failed
from aegis.storage.transfer import read_all, read_small

FREE_DISK: Final = 1 << 30
"""Bytes of the disk that a download leaves to others."""
_MAX_SIGNATURE: Final = 1 << 20
"""Bytes of a bundle over one file; about 10,000 are usual."""
_PATIENCE: Final = Patience(total=6 * 3600.0)
"""The longest that GitHub lets a job run."""

_PLAIN: Final = re.compile(r"(/(?!\.)[A-Za-z0-9._-]{1,128})?")
"""Names of files in a dumped folder, after its own."""

Decrypt = Callable[[Path, Path], None]
"""Writes the content of the first file, which is encrypted, into the second, which is not there yet."""


@dataclass(frozen=True, slots=True)
class Found:
    """A backup whose manifest is believed."""

    folder: str
    """Its key in the store, with `/` at its end."""
    manifest: Manifest
    sha256: str
    """Of the manifest's bytes, in hex."""
    signed_by: tuple[str, ...]
    """Names of the policy; none where no signature was asked for."""

    @property
    def size(self) -> int:
        """Bytes of its objects."""
        return sum(each.size for each in self.manifest.objects)


def find(store: ObjectStore, folder: str, trust: Trust | None = None) -> Found:
    """Read the manifest in a folder; `trust`: who must have signed it.

    Raises Refused `backup_check.no_backup`, `….manifest_invalid` and, of signatures, `verify.…`; CouldNotDecide
    `backup_check.manifest_newer`, and the store's faults.
    """
    info = store.head(folder + NAME)
    if info is None:
        raise no_backup(f"{store.location}/{folder}", 1)
    read = read_manifest(store, info)
    signed_by = check_signature(store, store.head(folder + SIGNATURE), read.data, trust) if trust is not None else ()
    return Found(folder, read.manifest, read.sha256, signed_by)


def check_signature(store: ObjectStore, signature: ObjectInfo | None, data: bytes, trust: Trust) -> tuple[str, ...]:
    """Who of the policy has signed a manifest's bytes. Refused `verify.…` where not enough of them have."""
    bundles = []
    if signature is not None:
        where = f"{store.location}/{signature.key}"
        bundles = [parse_bundle(read_small(store, signature, _MAX_SIGNATURE), name=where)]
    algorithms = {"sha256", *needed_digests(bundles, trust)}
    digests = {algorithm: hashlib.new(algorithm, data).digest() for algorithm in algorithms}
    verified = verify_message(bundles, digests, trust, data if needs_content(bundles, trust) else None)
    return tuple(each.signer for each in verified.signed_by)


def fetch(
    store: ObjectStore,
    found: Found,
    target: Path,
    *,
    only: Collection[str] | None = None,
    decrypt: Decrypt | None = None,
    progress: Callable[[int, int], None] | None = None,
    free_disk: int = FREE_DISK,
    patience: Patience = _PATIENCE,
) -> None:
    """Write the backup's objects, or `only` those of these names, below a private folder, under their own names.

    Of encrypted ones the content is there, without the name's ending. Files and folders below `target` may be read by
    all, so that they need not be copied for a sandbox: `target` itself keeps others out.

    Raises Refused `backup_check.object_damaged`; CouldNotDecide `….engine_exhausted` where the disk is too small,
    `verify.disk_failed`, the store's faults, and what `decrypt` raises.
    """
    wanted = [each for each in found.manifest.objects if only is None or each.name in only]
    there = {info.key: info for info in store.list(found.folder)}
    infos = [_listed(store, there.get(found.folder + each.name), each) for each in wanted]
    _check_space(target, sum(each.size for each in wanted), free_disk)
    by_key = {found.folder + each.name: each for each in wanted}

    @contextmanager
    def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
        each = by_key[info.key]
        path = target / each.name
        hashing = HashingSink({"sha256"})
        with _new_file(target, path) as file:
            yield [hashing, file]
        _check(each, hashing)
        if decrypt is not None and each.name.endswith(ENCRYPTED):
            whole = path.with_name(path.name.removesuffix(ENCRYPTED))
            decrypt(path, whole)
            path.unlink()
            whole.chmod(0o644)

    read_all(store, infos, sinks, patience=patience, progress=progress or _untold)


def fetch_unlisted(
    store: ObjectStore, key: str, target: Path, *, progress: Callable[[int, int], None] | None = None
) -> Path:
    """Write an archive that no manifest lists below a private folder: an object, or all below a key that ends in `/`.

    Raises Refused `backup_check.no_backup`; CouldNotDecide as `fetch` does.
    """
    single = None if key.endswith("/") else store.head(key)
    infos = ([single] if single is not None else []) if not key.endswith("/") else store.list(key)
    names = {info.key: f"/{info.key[len(key) :]}" if key.endswith("/") else "" for info in infos}
    if not infos or not all(_PLAIN.fullmatch(name) for name in names.values()):
        raise no_backup(f"{store.location}/{key}", 0)
    _check_space(target, sum(info.size for info in infos), FREE_DISK)

    @contextmanager
    def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
        with _new_file(target, target / f"{DUMP}{names[info.key]}") as file:
            yield [file]

    read_all(store, infos, sinks, patience=_PATIENCE, progress=progress or _untold)
    return target / DUMP


def _untold(_done: int, _total: int) -> None:
    """Nobody watches."""


class _File:
    """A sink on the disk."""

    def __init__(self, descriptor: int, where: Path) -> None:
        self._descriptor, self._where = descriptor, where

    def write(self, chunk: bytes | memoryview, /) -> None:
        with memoryview(chunk).cast("B") as view:
            done = 0
            try:
                while done < len(view):
                    done += os.write(self._descriptor, view[done:])
            except OSError as error:
                raise disk_failed(str(self._where), error) from error


@contextmanager
def _new_file(target: Path, path: Path) -> Iterator[_File]:
    try:
        for folder in reversed(path.parents[: len(path.relative_to(target).parts) - 1]):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)  # whatever the umask says
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
    except OSError as error:
        raise disk_failed(str(path), error) from error
    try:
        os.fchmod(descriptor, 0o644)
        yield _File(descriptor, path)
    finally:
        os.close(descriptor)


def _listed(store: ObjectStore, info: ObjectInfo | None, each: StoredObject) -> ObjectInfo:
    """The object as the store has it. Its size is told before anything is downloaded."""
    if info is None:
        raise _damaged(f"{store.location} no longer has {each.name}")
    if info.size != each.size:
        raise _damaged(f"{each.name} has {info.size} bytes in {store.location}, not {each.size}")
    return info


def _check(each: StoredObject, read: HashingSink) -> None:
    digest = read.digests["sha256"].hex()
    if (read.size, digest) != (each.size, each.sha256):
        raise _damaged(f"{each.name} has the SHA-256 {digest}, not {each.sha256}")


def _check_space(target: Path, size: int, free_disk: int) -> None:
    free = shutil.disk_usage(target).free
    if size > free - free_disk:
        raise CouldNotDecide(
            "backup_check.engine_exhausted",
            f"the backup has {size} bytes, and {target} has {free} free, of which {free_disk} stay free",
            expected="enough disk for the backup",
            remedy="Free disk, or set TMPDIR to a folder on a larger one.",
        )


def _damaged(problem: str) -> Refused:
    return Refused(
        "backup_check.object_damaged",
        problem,
        expected="the objects of the manifest, byte by byte",
        remedy="Restore from another backup that was verified, and take a new one.",
    )
