"""JSON that every reader understands in the same way, or not at all.

Two readers that disagree about one document (a doubled key, a cut-off number, bytes after the end) are how a signature
over one thing passes for a signature over another. So what RFC 8259 leaves to the reader is refused here, as I-JSON
(RFC 7493) asks: doubled names, lone surrogates, numbers that do not fit.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from aegis.core.errors import Refused
from aegis.signatures.shown import shown

MAX_BYTES = 1 << 20
"""Of a bundle for a file or an attestation: the largest that a signer writes is about 10 kB."""
MAX_DEPTH = 32
"""Of objects and arrays in each other; a bundle has 6, an in-toto statement of a model 5."""
_MAX_NUMBER = 32
"""Characters of a number: 20 digits are the largest 64-bit integer, 24 characters the longest double."""


class _UnclearError(ValueError):
    """Says in its text what two readers may read differently; never shown but through `Refused`."""


def parse(data: bytes, *, what: str, limit: int = MAX_BYTES) -> Any:
    """The one value in `data`: UTF-8, at most `limit` bytes.

    `what` names the document for people, e.g. `the bundle 'model.sig'`. Refuses with `verify.bundle_too_large` before
    anything is parsed, and with `verify.bundle_malformed`.
    """
    check_size(data, what=what, limit=limit)
    try:
        value = json.loads(
            data.decode("utf-8", "strict"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_int=_integer,
            parse_float=_float,
        )
        _check(value)
    except UnicodeDecodeError as error:
        raise malformed(what, f"is not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise malformed(what, f"is not JSON: {error.msg} at character {error.pos}") from error
    except _UnclearError as error:
        raise malformed(what, str(error)) from error
    except RecursionError as error:
        raise malformed(what, f"is nested deeper than {MAX_DEPTH} levels") from error
    return value


def check_size(data: bytes, *, what: str, limit: int = MAX_BYTES) -> None:
    """Refuse more than `limit` bytes."""
    if len(data) > limit:
        raise Refused(
            "verify.bundle_too_large",
            f"{what} has {len(data)} bytes",
            expected=f"at most {limit} bytes",
            remedy="Sign again; if you did not expect this, treat the store as compromised.",
        )


def malformed(what: str, problem: str, *, expected: str = "one JSON document without ambiguities") -> Refused:
    """The refusal of something that cannot be read in exactly one way."""
    return Refused(
        "verify.bundle_malformed",
        f"{what} {problem}",
        expected=expected,
        remedy="Sign again with a current cosign, sigstore, model_signing or `aegis sign`.",
    )


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value: dict[str, Any] = {}
    for name, member in pairs:
        if name in value:
            raise _UnclearError(f"has the name {shown(name)} twice in one object")
        value[name] = member
    return value


def _constant(text: str) -> NoReturn:
    raise _UnclearError(f"holds {text}, which is no JSON")


def _integer(text: str) -> int:
    if len(text) > _MAX_NUMBER:
        raise _UnclearError(f"holds a number of {len(text)} characters")
    return int(text)


def _float(text: str) -> float:
    value = float(text) if len(text) <= _MAX_NUMBER else math.inf
    if not math.isfinite(value):
        raise _UnclearError(f"holds the number {shown(text)}, which no double can hold")
    return value


def _check(value: Any) -> None:
    """Depth and surrogates, without recursion of our own."""
    level, depth = [value], 0
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, dict | list) and depth == MAX_DEPTH:
                raise _UnclearError(f"is nested deeper than {MAX_DEPTH} levels")
            if isinstance(item, dict):
                below.extend(item)
                below.extend(item.values())
            elif isinstance(item, list):
                below.extend(item)
            elif isinstance(item, str) and not item.isascii() and any("\ud800" <= char <= "\udfff" for char in item):
                raise _UnclearError("holds half of a surrogate pair, which is no character")
        level, depth = below, depth + 1
