"""Base64url and JSON in their only spelling: what two readers may read differently is refused.

Nothing here repeats what it has read: it may be a token. Errors are ValueError, with a text that goes on after the name
of what was read.
"""

from __future__ import annotations

import binascii
import json
import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NoReturn

MAX_DEPTH = 8
"""Objects and arrays in each other. A Kubernetes token has 3, a set of keys 3."""
_MAX_NUMBER = 32
"""Characters: 20 digits are the largest 64-bit integer, 24 characters the longest double."""
_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_TO_STANDARD = bytes(
    {ord("-"): ord("+"), ord("_"): ord("/")}.get(byte, byte if byte in _ALPHABET else ord("!")) for byte in range(256)
)
"""To the alphabet that `binascii` knows; `!` for all that is not of base64url, so also for `+`, `/` and `=`."""
_LAST: tuple[frozenset[int], ...] = (
    frozenset(_ALPHABET),
    frozenset(),
    frozenset(_ALPHABET[::16]),
    frozenset(_ALPHABET[::4]),
)
"""By length modulo 4, the last character of a text whose unused bits are zero (RFC 4648 3.5)."""


def base64url(text: bytes) -> bytes:
    """What unpadded base64url (RFC 7515 2) stands for; only in the spelling that an encoder writes."""
    try:
        data = binascii.a2b_base64(text.translate(_TO_STANDARD) + b"=" * (-len(text) % 4), strict_mode=True)
    except binascii.Error:
        raise ValueError("is not base64url without padding") from None
    if text and text[-1] not in _LAST[len(text) % 4]:
        raise ValueError("is not base64url in its only spelling")
    return data


def json_object(data: bytes) -> Mapping[str, Any]:
    """The JSON object in UTF-8, not to be changed: objects are read-only mappings, arrays are tuples."""
    try:
        # `decode` looks for the white space by regular expressions, which take as long as a third of all the rest
        text = data.decode("utf-8", "strict").strip(" \t\n\r")
        value, end = _DECODER.raw_decode(text)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except json.JSONDecodeError:
        raise ValueError("is not JSON") from None
    except RecursionError:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels") from None
    if end != len(text):
        raise ValueError("is not JSON: it goes on after its end")
    if not isinstance(value, dict):
        raise ValueError("is no JSON object")
    frozen = _object(value, MAX_DEPTH)
    # UTF-8 holds no halves of surrogate pairs, but JSON may spell them (RFC 7493 2.1).
    if b"\\u" in data and not _is_unicode(value):
        raise ValueError("holds half of a surrogate pair, which is no character")
    return frozen


def _object(value: dict[str, Any], depth: int) -> Mapping[str, Any]:
    if not _NESTED.isdisjoint(map(type, value.values())):
        value = {name: _frozen(member, depth - 1) for name, member in value.items()}
    return MappingProxyType(value)


def _frozen(value: Any, depth: int) -> Any:
    if type(value) not in _NESTED:
        return value
    if depth == 0:
        raise ValueError(f"is nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, dict):
        return _object(value, depth)
    return tuple(_frozen(item, depth - 1) for item in value)


_NESTED = frozenset({dict, list})


def _is_unicode(value: dict[str, Any]) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("has a name twice in one object")
    return value


def _constant(_: str) -> NoReturn:
    raise ValueError("holds NaN or Infinity, which are no JSON")


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise ValueError(f"holds a number of {len(text)} characters")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER else math.inf
    if not math.isfinite(value):
        raise ValueError("holds a number that no double can hold")
    return value


_DECODER = json.JSONDecoder(
    object_pairs_hook=_pairs, parse_constant=_constant, parse_int=_integer, parse_float=_float, strict=True
)
