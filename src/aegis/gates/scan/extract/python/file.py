"""What a Python file names: imports, and modules, commands and URLs inside its strings.

    source ─mask→ code ─imports→ Statement
                └ strings ─inside→ Statement

Works on every text: what Python could not read either is told as `Unreadable`, because something could hide in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from aegis.gates.scan.extract.python.imports import Import, imports
from aegis.gates.scan.extract.python.mask import Masked, mask
from aegis.gates.scan.model import Statement, Unreadable

_DOCSTRING_AFTER = re.compile(r"(?:\A|\n)[ \t]*+(?:async[ \t]+)?(?:def|class)[ \t][^\n]*:[ \t]*+\n\s*+\Z")
"""What stands before a docstring, if the definition has one line: a shortcut past most of a file's prose."""
_LONG = 60
_NEAR = 200
_JOINT = 4
"""Characters between two strings that are one: what is further away is seldom a name in two parts."""
_ESCAPE = re.compile(r"\\[xuUN0-7]")
_SCHEME = re.compile(r"[\"']+([A-Za-z][A-Za-z0-9+.-]*)://")

Found = Statement | Unreadable


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Found]:
    """Return every statement of a Python file that names something wanted. Never raises."""
    return _extract(mask(source.removeprefix("\ufeff"), last_line), wanted, 0)


def extract_nested(code: str, wanted: re.Pattern[str], depth: int) -> list[Found]:
    """Do the same for code that stands inside `depth` strings."""
    return _extract(mask(code), wanted, depth)


def _extract(masked: Masked, wanted: re.Pattern[str], depth: int) -> list[Found]:
    found: list[Found] = list(masked.unreadable)
    imported: list[Import] = []
    for item in imports(masked):
        if isinstance(item, Unreadable):
            found.append(item)
        else:
            imported.append(item)
    found += _imported(masked, imported, wanted)
    if _starts_commands(imported):
        from aegis.gates.scan.extract.python.functions import commands_as_functions

        found += commands_as_functions(masked, imported, wanted)
    if "# /// script" in masked.text:
        from aegis.gates.scan.extract.manifests.python import inline_script

        found += inline_script(masked.text, wanted)
    if hits := _strings_with(masked, wanted):
        # Most files have no such string, and need none of the modules that read them.
        from aegis.gates.scan.extract.python.inside import read_strings

        found += read_strings(masked, hits, tuple(imported), wanted, depth)
    return sorted(dict.fromkeys(found), key=lambda one: (one.line, one.column if isinstance(one, Statement) else 0))


def _starts_commands(imported: list[Import]) -> bool:
    """Whether the file imports a library whose functions are commands."""
    return any((one.module or one.name) in ("sh", "plumbum", "plumbum.cmd") for one in imported)


def _strings_with(masked: Masked, wanted: re.Pattern[str]) -> list[int]:
    """Return the indices of the strings in which something wanted stands; a scheme counts by its name alone."""
    text, search = masked.text, wanted.search
    known: dict[str, bool] = {}
    hits = []
    joined, before = "", -_JOINT
    for index, (start, quote, end) in enumerate(masked.strings):
        if end - quote > _LONG and _is_docstring(masked.code, start, end):
            continue
        body = text[quote:end]
        hit = known.get(body)
        if hit is None:
            scheme = _SCHEME.match(body) if "://" in body else None
            hit = bool(search(body) or (scheme and search(scheme[1].lower())))
            hit = known[body] = hit or bool(_ESCAPE.search(body) and search(_value(masked, index)))
        # A name may be written as two strings: `"bo" "to3"`, `"bo" + "to3"`.
        follows = start - before <= _JOINT and not masked.code[before:start].strip(" +")
        joined = joined + body.strip("\"'") if follows else body.strip("\"'")
        before = end
        if hit or (follows and search(joined)):
            hits.append(index)
    return hits


def _value(masked: Masked, index: int) -> str:
    from aegis.gates.scan.extract.python.strings import token_value

    return token_value(masked.text, masked.strings[index])


def _is_docstring(code: str, start: int, end: int) -> bool:
    """Whether a string is certainly a docstring; python_strings has the full answer."""
    return code[end : end + 1] in ("", "\n") and bool(_DOCSTRING_AFTER.search(code, max(0, start - _NEAR), start))


def _imported(masked: Masked, imported: list[Import], wanted: re.Pattern[str]) -> Iterator[Statement]:
    chosen = [one for one in imported if wanted.search(one.dotted)]
    spans = _type_only_spans(masked, imported) if chosen else []
    starts = [start for start, _ in spans]
    for one in chosen:
        index = bisect_right(starts, one.offset)
        type_only = bool(index) and one.offset < spans[index - 1][1]
        line, column = masked.line(one.offset), masked.column(one.offset)
        yield Statement(line, column, "python", "type-only" if type_only else "import", one.dotted, one.text)


def _type_only_spans(masked: Masked, imported: list[Import]) -> list[tuple[int, int]]:
    if "TYPE_CHECKING" not in masked.code:
        return []
    from aegis.gates.scan.extract.python.typing import type_only_spans

    return type_only_spans(masked, imported)
