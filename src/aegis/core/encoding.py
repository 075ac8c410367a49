"""Base64 and PEM in their only spelling.

RFC 4648 3.5: readers may take other bits in the padding, line breaks or the URL alphabet. Then a signature has many
spellings, and a list of known ones, or a comparison with another reader's answer, misses all but one.
"""

from __future__ import annotations

import base64
import binascii
import re

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]{1,64})-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END \1-----", re.ASCII)


def base64_bytes(text: str) -> bytes:
    """What standard base64 with padding stands for. Raises ValueError."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not standard base64") from error
    if base64.b64encode(data).decode() != text:
        raise ValueError("not canonical base64 (RFC 4648 3.5)")
    return data


def pem_block(text: str) -> tuple[str, bytes]:
    """Label and content of the one PEM block (RFC 7468) that is the whole text but for white space around it.

    Raises ValueError, with a text that goes on after the name of what was read and repeats nothing of it.
    """
    count = text.count("-----BEGIN ")
    if count != 1:
        raise ValueError(f"holds {count} PEM blocks" if count else "is not PEM")
    block = _PEM.fullmatch(text.strip(" \t\r\n"))
    if block is None:
        raise ValueError("is not exactly one PEM block")
    try:
        return block[1], base64_bytes(re.sub(r"\r?\n", "", block[2]))
    except ValueError:
        raise ValueError("has a PEM block that is not canonical base64") from None
