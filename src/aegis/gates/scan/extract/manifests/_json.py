"""Where the keys and strings of a JSON text stand (RFC 8259).

`json` gives values without places. This scanner walks the same text and yields every key and every string with its
path. It does not judge: the text goes through `json.loads` first, which the caller may relax.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract.manifests._entry import Entries

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\],:]|[^\s{}\[\],:"]+', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Item:
    """A key (`value` None) or a string value, and the path of keys that leads to it."""

    path: tuple[str, ...]
    offset: int
    value: str | None


def items(source: str) -> Iterator[Item]:
    """Every key and string of `source` in its order. Elements of an array have the path of their array."""
    path: list[str] = []
    stack: list[str] = []
    key: str | None = None
    for token in _TOKEN.finditer(source):
        text = token[0]
        first = text[0]
        if first == '"':
            value = _text(text)
            if stack and stack[-1] == "{" and key is None:
                key = value
                yield Item((*path[1:], value), token.start(), None)
            else:
                yield Item((*path[1:], key) if key is not None else tuple(path[1:]), token.start(), value)
        elif first in "{[":
            stack.append(first)
            path.append(key if key is not None else "")
            key = None
        elif first in "}]":
            if stack:
                stack.pop()
                path.pop()
            key = None
        elif first == ",":
            key = None


def _text(raw: str) -> str:
    """The value of a string as written, quotes included."""
    if "\\" not in raw:
        return raw[1:-1]
    try:
        return str(json.loads(raw, strict=False))
    except ValueError:
        return raw[1:-1]


def valid_json(entries: Entries) -> bool:
    """Whether the text is JSON; says so if it is not and could hide something."""
    try:
        json.loads(entries.source.lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError) as error:
        if entries.wanted.search(entries.source):
            entries.unreadable(0, f"not valid JSON: {error}")
        return False
    return True
