"""The little DER (ITU-T X.690) that RSA keys are made of: a sequence of positive integers."""

from __future__ import annotations

_SEQUENCE, _INTEGER = 0x30, 0x02


def positive_integers(data: bytes) -> tuple[int, ...]:
    """The members of a SEQUENCE of positive INTEGERs, in their only encoding (X.690 8.3, 10.1).

    An RSAPublicKey (RFC 8017 A.1.1) is one. Raises ValueError.
    """
    body, rest = _element(data, _SEQUENCE)
    if rest:
        raise ValueError(f"{len(rest)} bytes after the end")
    found = []
    while body:
        number, body = _element(body, _INTEGER)
        # 8.3.2: the first nine bits are not all zero; a first bit of one means negative.
        if not number or number[0] & 0x80 or (number[0] == 0 and (len(number) == 1 or not number[1] & 0x80)):
            raise ValueError("an integer that is not positive or not in its shortest form")
        found.append(int.from_bytes(number, "big"))
    return tuple(found)


def element(tag: int, content: bytes) -> bytes:
    """The one encoding of an element (X.690 8.1.3, 10.1)."""
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(length)]) + length + content


def _element(data: bytes, tag: int) -> tuple[bytes, bytes]:
    """The content of the first element, and what follows it."""
    if len(data) < 2 or data[0] != tag:
        raise ValueError("not the element that belongs here")
    length, start = data[1], 2
    if length & 0x80:
        width = length & 0x7F
        start += width
        if len(data) < start:
            raise ValueError("cut off")
        # 8.1.3.6: no bytes of length mean that the end is marked, which DER (10.1) does not have.
        length = int.from_bytes(data[2:start], "big")
        if length < 0x80 or data[2] == 0:
            raise ValueError("a length that is not in its shortest form")
    if len(data) < start + length:
        raise ValueError("cut off")
    return data[start : start + length], data[start + length :]
