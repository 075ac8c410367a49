"""Which Ed25519 public keys mean anything (RFC 8032 5.1.3).

A key of small order lets anybody sign: with the neutral element as key, the signature of nothing fits every message.
OpenSSL and Go take such keys, so they are refused when the key is read.
"""

from __future__ import annotations

_P = 2**255 - 19
_D = (-121665 * pow(121666, -1, _P)) % _P

_ORDER_8 = 2707385501144840649318225287225658788936804267575313519463743609750303402022
SMALL_ORDER = frozenset({0, 1, _P - 1, _ORDER_8, _P - _ORDER_8})
"""The y of all eight points whose order divides 8."""


def check(key: bytes) -> None:
    """Raise ValueError, with a text that goes on after `that`, unless `key` is a point of large order."""
    if len(key) != 32:
        raise ValueError("has not 32 bytes")
    y = int.from_bytes(key, "little") & ((1 << 255) - 1)
    if y >= _P:
        raise ValueError("is not in its only encoding")
    # -x² + y² = 1 + d·x²·y², so x² must be this; it is a square exactly if Euler's criterion says so.
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    if pow(square, (_P - 1) // 2, _P) not in {0, 1}:
        raise ValueError("is not on the curve")
    if y in SMALL_ORDER:
        raise ValueError("is of small order, so that anybody could sign for it")
