"""An object store in memory that counts, and breaks as it is told; and a clock that only sleeping moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from aegis.core.ports.objects import ObjectInfo
from aegis.storage.patience import Clock


@dataclass
class Time:
    """A clock that only sleeping moves."""

    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)
    chance: float = 0.5

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep, jitter=lambda: self.chance)


@dataclass
class MemoryStore:
    """Fulfils `aegis.core.ports.objects.ObjectStore`."""

    objects: Mapping[str, bytes]
    chunk: int = 1000
    ends: list[int | Exception] = field(default_factory=list)
    """What happens to the first readings: so many bytes, then an early end; or an error at once."""
    during: Callable[[str, int], object] = lambda key, place: None
    """Called before each chunk is given."""
    reads: list[tuple[str, int]] = field(default_factory=list)
    """Key and offset of each reading."""
    given: dict[str, int] = field(default_factory=dict)
    """Bytes that were given of each object."""
    open: int = 0
    most_open: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def location(self) -> str:
        return "memory://store"

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return [ObjectInfo(key, len(data)) for key, data in sorted(self.objects.items()) if key.startswith(prefix)]

    def head(self, key: str) -> ObjectInfo | None:
        return ObjectInfo(key, len(self.objects[key])) if key in self.objects else None

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
        with self._lock:
            self.reads.append((info.key, start))
            end = self.ends.pop(0) if self.ends else len(self.objects[info.key])
            self.open += 1
            self.most_open = max(self.most_open, self.open)
        try:
            if isinstance(end, Exception):
                raise end
            data = memoryview(self.objects[info.key])[start:][:end]
            for place in range(0, len(data), self.chunk):
                self.during(info.key, start + place)
                part = data[place : place + self.chunk]
                self.given[info.key] = self.given.get(info.key, 0) + len(part)
                yield bytes(part)
        finally:
            with self._lock:
                self.open -= 1
