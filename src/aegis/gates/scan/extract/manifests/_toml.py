"""Where the keys and strings of a TOML text stand.

`tomllib` gives values without places, so this small scanner walks the same text (TOML 1.0.0) and yields every key and
every string with its path. It does not judge: what must be valid TOML goes through `tomllib` first.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

_KEY_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_KEY_PART}(?:[ \t]*\.[ \t]*{_KEY_PART})*"
_STRING = (
    r'"""(?:[^"\\]|\\[\s\S]|"(?!""))*"{3,5}'
    r"|'''(?:[^']|'(?!''))*'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
)
_TOKEN = re.compile(
    rf"(?P<space>[ \t\r]+|#[^\n]*)"
    rf"|(?P<newline>\n)"
    rf"|(?P<header>\[(?:\[[ \t]*(?P<tables>{_KEY})[ \t]*\]|[ \t]*(?P<table>{_KEY})[ \t]*)\](?=[ \t]*(?:[#\r\n]|\Z)))"
    rf"|(?P<key>{_KEY})[ \t]*=(?!=)"
    rf"|(?P<string>{_STRING})"
    rf"|(?P<open>[\[{{])|(?P<close>[\]}}])|(?P<comma>,)"
    rf"|(?P<bare>[^\s,\]}}\[{{\"'#=]+|[\s\S])"
)
_PART = re.compile(_KEY_PART)
_STRINGS = re.compile(_STRING)


@dataclass(frozen=True, slots=True)
class Item:
    """A key, or a string value: the path of keys that leads to it, its place, and the string (None for a key)."""

    path: tuple[str, ...]
    offset: int
    value: str | None
    header: bool = False
    """The key is a table's header."""


def items(source: str) -> Iterator[Item]:
    """Every key and every string of `source` in its order. Array elements have the path of their array."""
    table: tuple[str, ...] = ()
    pending: tuple[str, ...] | None = None
    stack: list[tuple[str, tuple[str, ...]]] = []
    for token in _TOKEN.finditer(source):
        kind = token.lastgroup
        if kind == "header" and (stack or pending is not None):
            # `["a"]` at a line's end is an array here, not a table's header.
            for found in _STRINGS.finditer(token[0]):
                yield Item(pending or stack[-1][1], token.start() + found.start(), _text(found[0]))
            pending = None
        elif kind == "header":
            group = "table" if token["table"] else "tables"
            table = _parts(token[group])
            yield Item(table, token.start(group), None, header=True)
        elif kind == "key":
            base = stack[-1][1] if stack else table
            pending = base + _parts(token["key"])
            yield Item(pending, token.start("key"), None)
        elif kind == "string":
            yield Item(pending or (stack[-1][1] if stack else table), token.start(), _text(token[0]))
            pending = None
        elif kind == "open":
            stack.append((token[0], pending or (stack[-1][1] if stack else table)))
            pending = None
        elif kind == "close" and stack:
            stack.pop()
        elif kind in ("bare", "comma"):
            pending = None


def _parts(key: str) -> tuple[str, ...]:
    """The parts of a dotted key."""
    return tuple(_text(part) if part[0] in "\"'" else part for part in _PART.findall(key))


def _text(raw: str) -> str:
    """The value of a string as written, quotes included."""
    quote = raw[:3] if raw.startswith(('"""', "'''")) else raw[0]
    body = raw[len(quote) : -len(quote)]
    if len(quote) == 1 and (quote == "'" or "\\" not in body):
        return body
    try:
        return str(tomllib.loads(f"v = {raw}")["v"])
    except tomllib.TOMLDecodeError:
        return body
