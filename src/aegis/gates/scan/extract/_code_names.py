"""Statements of names that stand in strings: an import's specifier, a URL's scheme."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract._code import CodeText
from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.model import Form, Statement, Surface, Unreadable

_SCHEME = re.compile(r"[\"'`]([A-Za-z][A-Za-z0-9+.-]{0,30})://")
_UNSAFE = re.compile(r"[\"\\$\s]")


def statement_of(
    code: CodeText, offset: int, surface: Surface, form: Form, name: str, template: str
) -> Iterator[Statement]:
    """The statement of a name, cut before the first character that no package's name has."""
    safe = _UNSAFE.split(name, maxsplit=1)[0]
    if safe:
        yield Statement(*code.at(offset), surface, form, safe, template.format(safe))


def schemes(code: CodeText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Strings that start as a URL does: `s3://bucket`."""
    for match in _SCHEME.finditer(code.text, 0, len(code.masked)):
        start = match.start()
        token = code.strings.get(start)
        scheme = match[1].lower()
        if token is not None and wanted.search(scheme):
            yield Statement(*code.at(start), "scheme", "scheme", scheme, one_line(code.text[start : token.end]))


def in_order(found: Statement | Unreadable) -> tuple[int, int]:
    """The order in which a reader meets what was found."""
    return found.line, found.column if isinstance(found, Statement) else 0
