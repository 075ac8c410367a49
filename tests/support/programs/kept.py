"""Where tests keep what they fetched, and how it gets there whole or not at all."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def kept(name: str, make: Callable[[Path], Path]) -> Path:
    """The file or folder `name` of the user's cache; `make` makes it below an empty folder if it is not there yet.

    One process makes it, and others that want it wait: built by two at once, a large program takes twice as long.
    """
    target = _cache() / name
    if target.exists():
        return target
    with locked(name):
        if not target.exists():
            with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
                make(Path(scratch)).rename(target)
    return target


@contextmanager
def locked(name: str) -> Iterator[None]:
    """One process at a time does what bears this name; the others wait."""
    file = _cache() / f"{name}.lock"
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as lock:
        # it ends with the process that has it, however that ends
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aegis-tests"
