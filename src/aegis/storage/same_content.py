"""Whether two folders hold the same files with the same bytes."""

from __future__ import annotations

import os
from collections.abc import Iterator

from aegis.core.errors import AegisError
from aegis.storage.local_tree import open_below, walk

_CHUNK = 256 * 1024


def same_content(root: int, first: str, second: str) -> bool:
    """Compare two folders below a folder's descriptor. What cannot be read, or is no plain file, is not the same."""
    try:
        with open_below(root, f"{first}/", ".") as one, open_below(root, f"{second}/", ".") as other:
            names = [found.name for found in walk(one, first)]
            if names != [found.name for found in walk(other, second)]:
                return False
            return all(_same(one, other, name) for name in names if not name.endswith("/"))
    except AegisError:
        return False


def _same(one: int, other: int, name: str) -> bool:
    with open_below(one, name, ".") as left, open_below(other, name, ".") as right:
        if os.fstat(left).st_size != os.fstat(right).st_size:
            return False
        return all(mine == theirs for mine, theirs in zip(_chunks(left), _chunks(right), strict=True))


def _chunks(file: int) -> Iterator[bytes]:
    while chunk := os.read(file, _CHUNK):
        yield chunk
