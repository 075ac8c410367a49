"""How C2SP tlog-tiles names a log's resources.

https://github.com/C2SP/C2SP/blob/main/tlog-tiles.md: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`, with N in
groups of three digits, so that no folder has more than 1000 names and none is a file and a folder at once.
"""

from __future__ import annotations

import re

WIDTH = 256
"""Hashes in a full tile, entries in a full bundle."""
CHECKPOINT = "checkpoint"
_PATH = re.compile(
    r"checkpoint|tile/(?:entries|[0-9]|[1-5][0-9]|6[0-3])/(?:x[0-9]{3}/){0,6}[0-9]{3}(?:\.p/(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9][0-9]?))?",
    re.ASCII,
)


def tile_path(level: int, number: int, width: int = WIDTH) -> str:
    """The path of a tile of hashes; `width` is below 256 for a partial one."""
    return f"tile/{level}/{_number(number)}{_partial(width)}"


def bundle_path(number: int, width: int = WIDTH) -> str:
    """The path of a bundle of entries."""
    return f"tile/entries/{_number(number)}{_partial(width)}"


def is_path(path: str) -> bool:
    """Whether this names a resource that a log may have. Nothing else is ever opened."""
    return _PATH.fullmatch(path) is not None


def _number(number: int) -> str:
    text = f"{number % 1000:03d}"
    while number := number // 1000:
        text = f"x{number % 1000:03d}/{text}"
    return text


def _partial(width: int) -> str:
    return "" if width == WIDTH else f".p/{width}"
