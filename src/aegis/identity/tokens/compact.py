"""A signed JWT in compact form (RFC 7515 7.1, RFC 7519 7.2), read strictly before any cryptography.

What a header may say is a closed list. A token that brings its own key (`jwk`, `jku`, `x5u`, `x5c`), or asks for
processing (`crit`, `b64`, `zip`, `enc`), would decide how it is checked; nothing that it names is ever fetched.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

from aegis.identity.tokens.algorithms import ALGORITHMS
from aegis.identity.tokens.refusal import TokenRefused, refused
from aegis.identity.tokens.text import base64url, json_object

MAX_TOKEN = 16 * 1024
"""Characters. Tokens of GitHub have about 2,000; servers take headers of 8 to 16 KiB."""
MAX_NAME = 256
"""Characters of `kid` and `typ`."""
_PARAMETERS = frozenset({"alg", "kid", "typ", "x5t", "x5t#S256"})
"""The thumbprints of a certificate are let through, for GitHub and Entra write them; nothing is looked up by them."""
_KNOWN = frozenset({"crit", "b64", "zip", "enc", "cty", "jwk", "jku", "x5u", "x5c", "epk", "p2c"})
"""Parameters by which a refusal may call a header; any other name is what somebody sent."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a token says about its signature."""

    algorithm: str
    kid: str | None
    typ: str | None
    """In lower case, without `application/` (RFC 7515 4.1.9: a media type)."""


class Compact(NamedTuple):
    """A token, taken apart. (A tuple, for each request makes one.)"""

    header: Header
    claims: Mapping[str, Any]
    signed: bytes
    """What the signature is over."""
    signature: bytes


def parse(token: str) -> Compact:
    """Take a token apart. Refuses with `token.malformed`, `.too_large`, `.header_refused`, `.algorithm_refused`."""
    if not isinstance(token, str):
        raise _malformed(f"the token is {type(token).__name__}, not text")
    if len(token) > MAX_TOKEN:
        raise refused("too_large", f"the token has {len(token)} characters", f"at most {MAX_TOKEN}")
    try:
        data = token.encode("ascii")
    except UnicodeEncodeError:
        raise _malformed("the token holds characters outside ASCII") from None
    segments = data.split(b".")
    if len(segments) != 3:
        raise _malformed(f"the token has {len(segments)} segments")
    header = read_header(segments[0])
    claims = _json("payload", _bytes("payload", segments[1]))
    return Compact(header, claims, data[: data.rindex(b".")], _bytes("signature", segments[2]))


@lru_cache(maxsize=256)
def read_header(segment: bytes) -> Header:
    """The header in the first segment. (Kept, for an issuer writes the same one for thousands of tokens.)"""
    header = _json("header", _bytes("header", segment))
    for name in header:
        if name not in _PARAMETERS:
            shown = repr(name) if name in _KNOWN else "an unknown parameter"
            raise refused(
                "header_refused", f"the token's header has {shown}", "no parameters but alg, kid, typ and x5t"
            )
    algorithm = header.get("alg")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
        raise refused("algorithm_refused", "the token names no algorithm that is taken", ", ".join(ALGORITHMS))
    typ = _name(header, "typ")
    _name(header, "x5t")
    _name(header, "x5t#S256")
    return Header(algorithm, _name(header, "kid"), typ and typ.lower().removeprefix("application/"))


def _name(header: Mapping[str, Any], name: str) -> str | None:
    if name not in header:
        return None
    value = header[name]
    if not isinstance(value, str) or not 0 < len(value) <= MAX_NAME:
        raise refused("header_refused", f"the header's {name!r} is no name", f"1 to {MAX_NAME} characters of text")
    return value


def _bytes(part: str, segment: bytes) -> bytes:
    try:
        return base64url(segment)
    except ValueError as error:
        raise _malformed(f"the token's {part} {error}") from None


def _json(part: str, data: bytes) -> Mapping[str, Any]:
    try:
        return json_object(data)
    except ValueError as error:
        raise _malformed(f"the token's {part} {error}") from None


def _malformed(problem: str) -> TokenRefused:
    return refused("malformed", problem, "a signed JWT in compact form: header.payload.signature")
