"""How much memory this process may still take."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_NO_LIMIT = 1 << 60
"""Version 1 of control groups says that there is none by a number near 2**63."""


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
