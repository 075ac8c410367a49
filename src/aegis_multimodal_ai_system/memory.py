"""How much memory this process may still take, and what of it its own loads have been promised."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from aegis_multimodal_ai_system.forks import renew_in_child

_NO_LIMIT = 1 << 60
"""Version 1 of control groups says that there is none by a number near 2**63."""


class Taken(Protocol):
    """Memory that is being written."""

    @property
    def written(self) -> int:
        """Bytes so far."""
        ...


class Promise:
    """Bytes for one load. What it has written is in the count of what is used, and no longer promised."""

    def __init__(self, size: int) -> None:
        self.size = size
        self._taken: list[Taken] = []

    def begin(self) -> None:
        """Nothing is taken of it, or no longer."""
        self._taken = []

    def take(self, memory: Taken) -> None:
        """Count what is written to this."""
        self._taken.append(memory)

    @property
    def left(self) -> int:
        """Bytes that are still to be taken."""
        return max(0, self.size - sum(memory.written for memory in self._taken))


class Promises:
    """Those of one process: two loads at once do not both count on the same memory."""

    def __init__(self) -> None:
        self.renew()
        renew_in_child(self)

    def renew(self) -> None:
        """No load is under way."""
        self._lock = Lock()
        self._made: list[Promise] = []

    @contextmanager
    def make(self, size: int, free: Callable[[], int]) -> Iterator[Promise | None]:
        """A promise for the block; None where so many bytes are not free, or are promised to others."""
        promise = Promise(0)
        with self._lock:
            self._made.append(promise)
        try:
            yield promise if self.grow(promise, size, free) else None
        finally:
            with self._lock:
                self._made = [each for each in self._made if each is not promise]

    def grow(self, promise: Promise, size: int, free: Callable[[], int]) -> bool:
        """Whether it is one for so many bytes from now on."""
        if size <= promise.size:
            return True
        with self._lock:
            others = sum(each.left for each in self._made if each is not promise)
            # Asked last: what others write in between counts twice, and not never.
            if others + size > free():
                return False
            promise.size = size
            return True


def available_memory(root: Path = Path("/")) -> int:
    """Bytes: the least of what the machine and each control group above this process have left.

    Page cache that a group can drop counts as free (`inactive_file`, docs.kernel.org/admin-guide/cgroup-v2.html). 0
    where it cannot be told.
    """
    machine = re.search(r"^MemAvailable:\s+(\d+) kB$", _text(root / "proc/meminfo"), re.MULTILINE)
    if machine is None:
        return 0
    return max(0, min([int(machine[1]) * 1024, *_groups(root)]))


def _groups(root: Path) -> Iterator[int]:
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not controllers:
            yield from _left(root / "sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")
        elif "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup/memory"
            yield from _left(top, path, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")


def _left(top: Path, path: str, limit: str, used: str, cache: str) -> Iterator[int]:
    """Of a group and all above it. In a container the path may be the host's, which is not there: then the top's."""
    names = [name for name in path.split("/") if name not in {"", ".", ".."}]
    for depth in range(len(names), -1, -1):
        folder = top.joinpath(*names[:depth])
        most, now = _number(folder / limit), _number(folder / used)
        if most is None or now is None or most >= _NO_LIMIT:
            continue
        found = re.search(rf"^{cache} (\d+)$", _text(folder / "memory.stat"), re.MULTILINE)
        yield most - now + (int(found[1]) if found else 0)


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isascii() and text.isdecimal() else None


def _text(path: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return path.read_text("ascii")
    return ""
