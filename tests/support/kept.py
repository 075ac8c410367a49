"""Where tests keep what they fetched, and how it gets there whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def kept(name: str, make: Callable[[Path], Path]) -> Path:
    """The file or folder `name` of the user's cache; `make` makes it below an empty folder if it is not there yet."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aegis-tests"
    target = cache / name
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        made = make(Path(scratch))
        try:
            made.rename(target)
        except OSError:
            # Another test process was faster: what it made has the same hash.
            if not target.exists():
                raise
    return target
