"""Many words as one regular expression that shares their beginnings: half the cost of a plain alternation."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

_END = ""


def trie(words: Iterable[str], end: str = "") -> str:
    """A pattern that matches any of the words, each followed by the pattern `end`.

    Without `end` a word stands for every longer one that begins with it.
    """
    root: dict[str, Any] = {}
    for word in words:
        node = root
        for character in word:
            node = node.setdefault(character, {})
        node[_END] = {}
    return _pattern(root, end)


def _pattern(node: dict[str, Any], end: str) -> str:
    if _END in node and not end:
        return ""
    parts = [re.escape(character) + _pattern(node[character], end) for character in sorted(node) if character]
    parts += [end] if _END in node else []
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
