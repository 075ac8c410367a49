"""A bucket in memory that is written once, keeps versions, locks and counts: where backups lie in tests."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo


class _Upload:
    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes | memoryview) -> None:
        self.data += data


@dataclass(eq=False)
class ShelfStore:
    """Fulfils `aegis.core.ports.writing.WritableStore`. Each key has a stack of versions, the latest on top."""

    location: str = "s3://backups"
    versions: dict[str, list[tuple[str, bytes]]] = field(default_factory=dict)
    locked: set[str] = field(default_factory=set)
    """Keys that may not be deleted."""
    fault: CouldNotDecide | None = None
    """Raised whatever is asked."""
    asked: Counter[str] = field(default_factory=Counter)
    """How often each thing was asked."""
    deleted: list[str] = field(default_factory=list)
    """Keys, in the order of their removal."""
    _number: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, key: str, data: bytes) -> None:
        """As somebody would who may write over."""
        with self._lock:
            self._number += 1
            self.versions.setdefault(key, []).append((f"v{self._number}", data))

    def drop(self, key: str) -> None:
        """As a lifecycle rule does."""
        del self.versions[key]

    def names(self) -> list[str]:
        return sorted(self.versions)

    def folders(self, prefix: str) -> Sequence[str]:
        self._count("folders")
        assert not prefix or prefix.endswith("/")
        inside = (key[len(prefix) :].partition("/") for key in self.versions if key.startswith(prefix))
        return tuple(sorted({f"{prefix}{name}/" for name, slash, _ in inside if slash}))

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._count("list")
        found = tuple(self._info(key) for key in self.names() if key.startswith(prefix))
        if not found:  # as a folder of a disk does
            raise _fault("verify.store_missing", f"{self.location}/{prefix}")
        return found

    def head(self, key: str) -> ObjectInfo | None:
        self._count("head")
        return self._info(key) if key in self.versions else None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        self._count("read")
        assert info == self._info(info.key), "another version than the latest"
        yield self.versions[info.key][-1][1][start:]

    @contextmanager
    def create(self, key: str) -> Iterator[_Upload]:
        self._count("create")
        if key in self.versions:
            raise _fault("backup_check.object_exists", key)
        upload = _Upload()
        yield upload
        self.put(key, bytes(upload.data))

    def delete(self, info: ObjectInfo) -> None:
        self._count("delete")
        if info.key in self.locked:
            raise _fault("backup_check.write_denied", f"{info.key}: 403 AccessDenied")
        with self._lock:
            left = [version for version in self.versions.get(info.key, []) if version[0] != info.version]
            self.versions[info.key] = left
            if not left:
                del self.versions[info.key]
            self.deleted.append(info.key)

    def _count(self, what: str) -> None:
        with self._lock:
            self.asked[what] += 1
        if self.fault is not None:
            raise self.fault

    def _info(self, key: str) -> ObjectInfo:
        version, data = self.versions[key][-1]
        return ObjectInfo(key, len(data), version, f'"{version}"')


def _fault(code: str, problem: str) -> CouldNotDecide:
    return CouldNotDecide(code, problem, expected="otherwise", remedy="none")
