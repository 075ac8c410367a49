"""The bytes of a Python file as text, the way Python itself reads them.

https://docs.python.org/3/reference/lexical_analysis.html#encoding-declarations (PEP 263). Files of other languages
declare nothing: `decode_any` never fails for them.
"""

from __future__ import annotations

import codecs
import re

from aegis.gates.scan.model import Unreadable

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it starts with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COOKIE = re.compile(rb"[ \t\f]*+#[^\r\n]*?coding[:=][ \t]*+([-\w.]+)")
_BLANK = re.compile(rb"[ \t\f]*+(?:#[^\r\n]*+)?(?:\r\n|\r|\n)")
_HOST_NAMES = frozenset({"idna", "punycode"})
"""Python takes these too, in time that grows with the square of the file's size."""
_HEAD = 4096
"""Bytes in which the first two lines are looked for; a longer line declares nothing to Python either."""


def decode(data: bytes) -> str | Unreadable:
    """Return a Python file's text without a byte order mark, or why Python could not read it."""
    marked = _marked(data)
    if marked is not None:
        return marked
    cookie = declared_encoding(data)
    encoding = cookie or "utf-8"
    if encoding.lower() in _HOST_NAMES:
        return Unreadable(1, f"the file declares the encoding {cookie!r}, which is for host names")
    try:
        text = data.decode(encoding)
    except LookupError:
        return Unreadable(1, f"the file declares {cookie!r}, which is not a text encoding known here")
    except UnicodeDecodeError as error:
        if codecs.lookup(encoding).name == "utf-8":
            # Python 3 refuses such a file, Python 2 and other readers do not: read it so that nothing hides.
            return data.decode("latin-1")
        return Unreadable(1, f"the file is not what it declares to be, {cookie!r}: {error.reason}")
    except Exception as error:
        # A codec is code of its own and may raise anything.
        return Unreadable(1, f"the file could not be decoded as {cookie!r}: {error}")
    if cookie and cookie not in text:
        return Unreadable(1, f"the file declares {cookie!r}, but read that way it does not")
    return text


def decode_any(data: bytes) -> str:
    """Return the text of a file that declares no encoding: by its mark, else UTF-8, else Latin-1."""
    marked = _marked(data)
    if isinstance(marked, str):
        return marked
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def declared_encoding(data: bytes) -> str | None:
    """Return the encoding that a comment on the first or second line declares (PEP 263), if any."""
    head = data[:_HEAD]
    if match := _COOKIE.match(head):
        return match[1].decode("ascii", "replace")
    blank = _BLANK.match(head)
    if blank and (match := _COOKIE.match(head, blank.end())):
        return match[1].decode("ascii", "replace")
    return None


def _marked(data: bytes) -> str | Unreadable | None:
    """Decode by byte order mark; None without one."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(encoding)
            except UnicodeDecodeError as error:
                return Unreadable(1, f"the file is marked as {encoding} but is not: {error.reason}")
    return None
