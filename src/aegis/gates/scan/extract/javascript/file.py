"""What a JavaScript or TypeScript file names, also in JSX and in the scripts of Vue, Svelte and Astro components."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from aegis.gates.scan.extract._code import CodeText
from aegis.gates.scan.extract._code_names import in_order, schemes, statement_of
from aegis.gates.scan.extract.javascript import markup as javascript_markup
from aegis.gates.scan.extract.javascript.calls import argument
from aegis.gates.scan.extract.javascript.commands import command_lines
from aegis.gates.scan.extract.javascript.imports import Modules
from aegis.gates.scan.extract.javascript.lexer import READS_LIKE_IMPORT, ScriptText, mask
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.extract.javascript.words import alone, find_all, patterns
from aegis.gates.scan.model import Statement, Unreadable

_ESCAPED_WORD = re.compile(r"(?:[\w$]|\\u[0-9A-Fa-f]{4}|\\u\{[0-9A-Fa-f]{1,6}\})+")
_ESCAPE = re.compile(r"\\u\{?([0-9A-Fa-f]+)\}?")
_LAST_CHARACTER = 0x10FFFF
_IN_NAME = r"\w$"
_EVALUATED = patterns(
    rf"{alone('eval', _IN_NAME)}(?:Script)?\s*+\(",
    rf"{alone('Function', _IN_NAME)}\s*+\(",
    rf"{alone('runIn', _IN_NAME)}(?:This|New)?Context\s*+\(",
    rf"{alone('Script', _IN_NAME)}\s*+\(",
    rf"{alone('Worker', _IN_NAME)}\s*+\(",
)


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a script or a component that names something wanted. Never raises."""
    found: list[Statement | Unreadable] = []
    if javascript_markup.is_markup(source):
        source, markup = javascript_markup.split(source)
        found.extend(_loaded_by_markup(markup, wanted))
        last_line = None
    code = _with_plain_names(mask(source, wanted, last_line))
    found.extend(code.unreadable)
    found.extend(Modules(code, wanted).statements())
    found.extend(_evaluated(code, wanted))
    found.extend(command_lines(code, wanted))
    found.extend(schemes(code, wanted))
    return sorted(found, key=in_order)


def _loaded_by_markup(markup: str, wanted: re.Pattern[str]) -> Iterator[Statement | Unreadable]:
    """Modules loaded in the markup's expressions. What else reads like an import there may be code after all: tell."""
    code = CodeText(markup, markup, {})
    for match in READS_LIKE_IMPORT.finditer(markup):
        if "(" not in match[0] and wanted.search(match[1]):
            yield Unreadable(code.at(match.start())[0], "text outside the scripts of a component reads like an import")
    for match in javascript_markup.LOADS.finditer(markup):
        name = package_path(match[2])
        if wanted.search(name):
            yield from statement_of(code, match.start(), "npm", "import", name, 'import "{}";')


def _evaluated(code: ScriptText, wanted: re.Pattern[str]) -> Iterator[Statement | Unreadable]:
    """Code in a string that is run: `eval("require('aws-sdk')")`."""
    for match in find_all(_EVALUATED, code.masked):
        script = argument(code, match.end())
        if script is None or not wanted.search(script.value):
            continue
        line, column = code.at(match.start())
        for inner in extract(script.value, wanted):
            if isinstance(inner, Statement):
                yield replace(inner, line=line, column=column, form="embedded")
            else:
                yield Unreadable(line, inner.why)


def _with_plain_names(code: ScriptText) -> ScriptText:
    r"""Names with their escapes decoded (`requ\u0069re`), padded so that offsets stay."""
    if "\\u" not in code.masked:
        return code
    return replace(code, masked=_ESCAPED_WORD.sub(_plain_name, code.masked))


def _plain_name(match: re.Match[str]) -> str:
    if "\\" not in match[0]:
        return match[0]
    return _ESCAPE.sub(_character, match[0]).ljust(len(match[0]))


def _character(match: re.Match[str]) -> str:
    number = int(match[1], 16)
    return chr(number) if number <= _LAST_CHARACTER else "?"
