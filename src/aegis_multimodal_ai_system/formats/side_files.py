"""What lies beside weights and runs nothing: text, and JSON without doubts."""

from __future__ import annotations

import codecs
import json
import re
from typing import Any, BinaryIO, Literal

from aegis_multimodal_ai_system.formats.reader import Malformed, RunsCode, read_all, size_of

MAX_SIZE = 64 << 20
"""Bytes: the largest tokenizers are JSON files of 35 million."""
MAX_VALUES = 4_000_000
"""In a JSON file, counted before anything is made of it: such a tokenizer has a million and a half."""
_PIECE = 1 << 20
_CONTROL = re.compile(rb"[\0-\x08\x0e-\x1f]")
"""No text has them. Tab, line feeds and page feeds are fine."""
_JSON = re.compile(rb'\s*(\{\s*["}]|\[\s*(["{\[\]\-0-9]|true\b|false\b|null\b))')
"""`{%` begins a chat template, `[PAD]` a vocabulary."""
_LAMBDAS = frozenset({"Lambda", "__lambda__"})


def read_side_file(file: BinaryIO) -> Literal["text", "json"] | None:
    """What it is; None where it is neither. Raises Malformed or RunsCode."""
    size = size_of(file)
    if not _is_text(file, size):
        return None
    if size > MAX_SIZE:
        raise Malformed(f"it is text of {size} bytes, more than {MAX_SIZE}")
    file.seek(0)
    data = read_all(file, size)
    if data.startswith(b"#!"):
        raise RunsCode("a script, by its first line")
    return "json" if _JSON.match(data) and _is_json(data) else "text"


def _is_text(file: BinaryIO, size: int) -> bool:
    """UTF-8 without control characters; of what is too large for a side file, only its beginning is looked at."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    file.seek(0)
    left = size if size <= MAX_SIZE else _PIECE
    whole = size <= MAX_SIZE
    while left:
        piece = read_all(file, min(_PIECE, left))
        left -= len(piece)
        try:
            decoder.decode(piece, final=whole and not left)
        except UnicodeDecodeError:
            return False
        if _CONTROL.search(piece):
            return False
    return True


def _is_json(data: bytes) -> bool:
    if data.count(b",") + data.count(b"[") + data.count(b"{") > MAX_VALUES:
        raise Malformed(f"it is JSON with more than {MAX_VALUES} values")
    try:
        json.loads(data.decode("utf-8"), object_pairs_hook=_object)
    except json.JSONDecodeError:
        # then nobody reads it as JSON, and it is text
        return False
    except RecursionError as error:
        raise Malformed("it is JSON that is nested too deeply") from error
    except ValueError as error:
        raise Malformed("it is JSON with a number of thousands of digits") from error
    return True


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        last = {name: number for number, (name, _) in enumerate(pairs)}
        twice = next(name for number, (name, _) in enumerate(pairs) if last[name] != number)
        raise Malformed(f"it is JSON with the name {twice[:100]!r} twice in one object")
    # Keras keeps the bytecode of a Lambda layer in its configuration (CVE-2024-3660)
    kind = value.get("class_name")
    if isinstance(kind, str) and kind.rpartition(">")[2] in _LAMBDAS:
        raise RunsCode(f"a Keras layer of class {kind[:100]!r}, which holds Python")
    return value
