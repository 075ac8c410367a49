"""Jupyter notebooks: the Python of their code cells, and the shell lines and magics among it.

https://nbformat.readthedocs.io/en/latest/format_description.html; versions 3 (`input`) and 4 (`source`). Lines are
those of the `.ipynb` file itself, because that is what a reviewer sees and what git can blame.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from aegis.gates.scan.extract._place import Places
from aegis.gates.scan.extract.python import file as python
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*+)"|[\[\]{}:,]|[^\s\[\]{}:,"]++', re.DOTALL)
_CELL_MAGIC = re.compile(r"\s*%%(?P<name>[\w!]+)(?P<rest>[^\n]*)(?:\n|\Z)")
_SHELL_MAGIC = re.compile(r"bash|sh|zsh|!|sx|system")
_RUNS_SHELL = re.compile(r"[ \t]+(?:--\S+[ \t]+)*(?:ba|z|k|da)?sh\b")
"""`%%script bash`."""
_CODE_FOLLOWS = frozenset({"time", "timeit", "prun", "memit"})
_NOT_PYTHON = frozenset({"html", "javascript", "js", "latex", "markdown", "svg", "sql", "R", "ruby", "perl"})
_COMMAND = r"(?:[^\n\\]|\\.)*+"
_LINE = re.compile(
    rf"^[ \t]*(?:[^\W\d][\w.,() \t\[\]]*=[ \t]*)?(?:!!?(?P<shell>{_COMMAND})"
    rf"|%(?:sx|system)[ \t](?P<captured>{_COMMAND})|%(?P<installer>(?:pip|uv|conda|mamba)[ \t]{_COMMAND})"
    r"|%(?:load_ext|reload_ext)[ \t]+(?P<extension>[\w.]+)[^\n]*|%(?:time|timeit|prun|memit)(?P<code>[ \t][^\n]*)"
    rf"|%[a-z]\w*(?:[ \t][^\n]*)?$)|^(?P<automagic>pip3?[ \t]+install[ \t]{_COMMAND})",
    re.MULTILINE | re.DOTALL,
)
"""IPython's line magics. https://ipython.readthedocs.io/en/stable/interactive/magics.html"""
_PYTHON_VALUE = re.compile(r"\{[^{}\n]*\}")
"""IPython puts Python's values into shell lines: `!aws s3 cp {source} .`"""

Found = Statement | Unreadable


@dataclass(slots=True)
class _Cell:
    """A cell's code, and where each of its lines stands in the file."""

    text: str
    places: list[tuple[int, int]]


@dataclass(slots=True)
class _Object:
    """What is known of a JSON object while it is read."""

    key: str | None = None
    is_code: bool = False
    strings: list[tuple[int, str]] = field(default_factory=list)
    """Offset and value of each string of its `source` or `input`."""


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Found]:
    """Return what the code cells of a notebook name."""
    try:
        document = json.loads(source.removeprefix("\ufeff"))
    except json.JSONDecodeError as error:
        return [Unreadable(error.lineno, f"the notebook is not JSON: {error.msg}")]
    except (RecursionError, ValueError) as error:  # deeper or with longer numbers than Python reads
        return [Unreadable(1, f"the notebook could not be read as JSON: {error}")]
    is_python = _language(document) in (None, "python")
    found: list[Found] = []
    for cell in _code_cells(source):
        if last_line is None or (cell.places and cell.places[0][0] <= last_line):
            found += _read_cell(cell, wanted, is_python=is_python)
    return sorted(dict.fromkeys(found), key=lambda one: one.line)


def _language(document: object) -> str | None:
    """The language of the notebook's kernel, lower-case, if it tells."""
    metadata = document.get("metadata") if isinstance(document, dict) else None
    if not isinstance(metadata, dict):
        return None
    for section, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata.get(section)
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return re.sub(r"ipython|\d", "", str(value[key]).lower()) or "python"
    return None


def _code_cells(source: str) -> Iterator[_Cell]:
    """Yield the code of every code cell of a well-formed JSON text, wherever its object stands."""
    places = Places(source)
    stack: list[_Object | None] = []  # None is an array
    expects_key = False
    for match in _TOKEN.finditer(source):
        part = match[0]
        if part in ("{", "["):
            stack.append(_Object() if part == "{" else None)
            expects_key = part == "{"
        elif part in ("}", "]"):
            closed = stack.pop()
            if closed and closed.is_code and closed.strings:
                yield _cell(closed.strings, places)
        elif part == ",":
            expects_key = stack[-1] is not None
        elif part[0] == '"':
            owner = next((one for one in reversed(stack[-2:]) if one), None)
            if owner:
                _string(owner, match, is_key=expects_key)
            expects_key = False


def _string(owner: _Object, match: re.Match[str], *, is_key: bool) -> None:
    value: str = json.loads(match[0])
    if is_key:
        owner.key = value
    elif owner.key == "cell_type":
        owner.is_code = value == "code"
    elif owner.key in ("source", "input"):
        owner.strings.append((match.start(), value))


def _cell(strings: list[tuple[int, str]], places: Places) -> _Cell:
    """Join a cell's strings; each line of code knows the string that it starts in."""
    starts: list[tuple[int, int]] = []
    at_line_start = True
    for offset, value in strings:
        line, column = places.at(offset)
        starts += [(line, column + 1)] * (value.count("\n") + at_line_start - value.endswith("\n"))
        at_line_start = value.endswith("\n")
    return _Cell("".join(value for _, value in strings), starts)


def _read_cell(cell: _Cell, wanted: re.Pattern[str], *, is_python: bool) -> Iterator[Found]:
    """Yield what a cell names, at its lines of the file."""
    text = cell.text.replace("\r\n", "\n").replace("\r", "\n")
    magic = _CELL_MAGIC.match(text)
    name = magic["name"] if magic else ""
    if name in _NOT_PYTHON:
        return
    if magic and (_SHELL_MAGIC.fullmatch(name) or _RUNS_SHELL.match(magic["rest"])):
        yield from _placed(cell, shell.extract(_blanked(magic, text), wanted), 0)
        return
    if magic:
        text = magic["rest"] + text[magic.end("rest") :] if name in _CODE_FOLLOWS else _blanked(magic, text)
    for line in _LINE.finditer(text):
        yield from _placed(cell, _magic_line(line, wanted), text.count("\n", 0, line.start()))
    code = python.extract(_LINE.sub(_python_part, text), wanted)
    yield from _placed(cell, (one for one in code if is_python or isinstance(one, Statement)), 0)


def _blanked(match: re.Match[str], text: str) -> str:
    """Drop a match at a text's start, but not its lines."""
    return "\n" * match[0].count("\n") + text[match.end() :]


def _magic_line(line: re.Match[str], wanted: re.Pattern[str]) -> list[Found]:
    if extension := line["extension"]:
        if not wanted.search(extension):
            return []
        return [Statement(1, 1, "python", "dynamic", extension, f"import {extension}")]
    command = line["shell"] or line["captured"] or line["installer"] or line["automagic"]
    return shell.extract(_PYTHON_VALUE.sub("${_}", command), wanted) if command else []


def _python_part(line: re.Match[str]) -> str:
    """What a magic leaves to Python: the rest of `%time`, and the line's breaks."""
    return (line["code"] or "").strip() + "\n" * line[0].count("\n")


def _placed(cell: _Cell, found: Iterable[Found], lines_before: int) -> Iterator[Found]:
    for one in found:
        line, column = cell.places[min(one.line - 1 + lines_before, len(cell.places) - 1)]
        if isinstance(one, Unreadable):
            yield replace(one, line=line)
        else:
            yield replace(one, line=line, column=column + one.column - 1)
