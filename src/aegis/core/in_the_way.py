"""What lies where a file is to be put, and is none: a device or a link would be gone for whoever else uses it."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Final

_KINDS: Final = (
    (stat.S_ISLNK, "a symbolic link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISCHR, "a device"),
    (stat.S_ISBLK, "a device"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)


def in_the_way(target: Path) -> str | None:
    """What it is; None where there is a regular file, or nothing, or where that cannot be told.

    rename(2) replaces whatever is there but a folder, for root even `/dev/null`, and does not follow links.
    """
    try:
        mode = target.lstat().st_mode
    except OSError:
        return None  # whoever writes there learns why
    return kind_of(mode)


def kind_of(mode: int) -> str | None:
    """What has this `st_mode`; None for a regular file."""
    return next((kind for check, kind in _KINDS if check(mode)), None)
