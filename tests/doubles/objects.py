"""A bucket in memory: it keeps versions, counts each byte that it gives, and breaks as it is told."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.ports.objects import ObjectInfo


@dataclass(eq=False)
class Bucket:
    """Fulfils `aegis.core.ports.objects.FolderStore`; two of them are never equal."""

    objects: dict[str, bytes] = field(default_factory=dict)
    location: str = "s3://staging"
    versioned: bool = True
    faults: dict[str, AegisError] = field(default_factory=dict)
    """Raised where the key is read."""
    fault: AegisError | None = None
    """Raised whatever is asked."""
    given: Counter[str] = field(default_factory=Counter)
    """Bytes of each object that were read."""
    reads: list[tuple[str, int]] = field(default_factory=list)
    """Key and offset of each reading."""
    chunk: int = 1000
    _versions: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, objects: Mapping[str, bytes]) -> None:
        """Upload: a new version of each."""
        for key, content in objects.items():
            self.objects[key] = content
            self._versions[key] = self._versions.get(key, 0) + 1

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        self._check()
        return [self._info(key) for key in sorted(self.objects) if key.startswith(prefix)]

    def folders(self, prefix: str) -> Sequence[str]:
        self._check()
        inside = (key[len(prefix) :].partition("/") for key in self.objects if key.startswith(prefix))
        return sorted({f"{prefix}{name}/" for name, slash, _ in inside if slash})

    def head(self, key: str) -> ObjectInfo | None:
        self._check()
        return self._info(key) if key in self.objects else None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes | memoryview]:
        self._check()
        if info.key in self.faults:
            raise self.faults[info.key]
        assert info == self._info(info.key), "another version than the current one"
        with self._lock:
            self.reads.append((info.key, start))
        data = self.objects[info.key][start:]
        for place in range(0, len(data), self.chunk):
            part = data[place : place + self.chunk]
            with self._lock:
                self.given[info.key] += len(part)
            yield part

    def _check(self) -> None:
        if self.fault is not None:
            raise self.fault

    def _info(self, key: str) -> ObjectInfo:
        version = f"v{self._versions.get(key, 0)}" if self.versioned else None
        return ObjectInfo(key, len(self.objects[key]), version)


def denied(place: str = "s3://staging") -> CouldNotDecide:
    """What a store says to whom it does not know: no transient fault, so nobody asks again."""
    return CouldNotDecide("verify.store_denied", f"{place}: 403", expected="200", remedy="grant it")
