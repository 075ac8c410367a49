"""Where a masked Python file holds code for the type checker only: below `if TYPE_CHECKING:`.

https://docs.python.org/3/library/typing.html#typing.TYPE_CHECKING. What is not certain counts as run-time code:
the name must come from `typing` (or be `False`), and stand only in conditions.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from aegis.gates.scan.extract.python.imports import Import
from aegis.gates.scan.extract.python.mask import NAME_CHAR, Masked, mask

_CONSTANT = "TYPE_CHECKING"
_TYPING = ("typing", "typing_extensions")
_W = r"(?:[ \t\f]|\\\n)"
_N = NAME_CHAR
_OWN_FALSE = re.compile(rf"{_CONSTANT}(?<![^\n]{_CONSTANT}){_W}*+(?::{_W}*+bool{_W}*+)?={_W}*+False{_W}*+(?![^\n;])")
_IN_CONDITION = re.compile(rf"(?<!{_N})(?:if|elif|not|and|or){_W}*+(?:\({_W}*+)?(?:\w+{_W}*+\.{_W}*+)?\Z")
_IN_IMPORT = re.compile(rf"(?<!{_N})from{_W}++typing(?:_extensions)?{_W}++import{_W}*+(?:[\w,]|{_W})*\Z")
_BINDING = re.compile(rf"{_W}*+(?::?=(?!=)|[-+*/|&^%@<>]+=)")
_REACH = 200
"""Characters before the name that are looked at."""
_LINE = re.compile(r"^([ \t\f]*)\S", re.MULTILINE)
_LINE_END = re.compile(r"(?<!\\)\n|\Z")


def type_only_spans(masked: Masked, imported: Iterable[Import]) -> list[tuple[int, int]]:
    """Return the spans (start, end) of code that never runs, in order."""
    if _CONSTANT not in masked.code:
        return []
    if masked.text.find(_CONSTANT, len(masked.code)) >= 0:
        masked = mask(masked.text)
    spellings = _spellings(masked, imported)
    if not spellings:
        return []
    expression = "|".join(re.escape(one) for one in sorted(spellings))
    # `and` can only narrow the condition; with `or`, or brackets around a part, it may be true at run time.
    condition = re.compile(
        rf"\n(?P<indent>[ \t\f]*+)(?:el)?if(?!{_N}){_W}*+(?:\({_W}*+(?:{expression}){_W}*+\)|(?:{expression})(?!{_N})"
        rf"(?:{_W}++and(?!{_N})(?:(?!(?:or|if|else|lambda)\b)[^\n:()])*+)?){_W}*+:(?!=)"
    )
    code = "\n" + masked.code
    spans: list[tuple[int, int]] = []
    for match in condition.finditer(code):
        start = match.end() - 1
        if not spans or start >= spans[-1][1]:
            spans.append((start, _block_end(masked.code, start, match["indent"])))
    return spans


def _spellings(masked: Masked, imported: Iterable[Import]) -> set[str]:
    """Return how the file may write the constant, empty if it may be bound to anything else."""
    names, modules = set(), set()
    for one in imported:
        if one.module in _TYPING and one.name == _CONSTANT:
            names.add(one.alias or one.name)
        elif one.module is None and one.name in _TYPING:
            modules.add(one.alias or one.name)
    if _OWN_FALSE.search(masked.code):
        names.add(_CONSTANT)
    if _named_in_string(masked) or not all(_is_constant(masked, name) for name in {*names, _CONSTANT}):
        return set()
    modules = {name for name in modules if not re.search(rf"(?<!{_N}){re.escape(name)}{_W}*+=(?!=)", masked.code)}
    return names | {f"{module}.{_CONSTANT}" for module in modules}


def _named_in_string(masked: Masked) -> bool:
    """Whether a string is the constant's name, as in `globals()["TYPE_CHECKING"] = True`; prose may mention it."""
    text = masked.text
    return any(text[token.quote : token.end].strip("\"'").rpartition(".")[2] == _CONSTANT for token in masked.strings)


def _is_constant(masked: Masked, name: str) -> bool:
    """Whether every place that has the name imports it from `typing`, sets it to `False` or asks for it."""
    code = masked.code
    for match in re.finditer(rf"{re.escape(name)}(?<!{_N}{re.escape(name)})(?!{_N})", code):
        before = code[max(0, match.start() - _REACH) : match.start()]
        if _IN_CONDITION.search(before) and not _BINDING.match(code, match.end()):
            continue
        bracket = masked.bracket(match.start())
        if bracket >= 0:
            before = code[max(0, bracket - _REACH) : bracket]
        if not (_IN_IMPORT.search(before) or _OWN_FALSE.match(code, match.start())):
            return False
    return True


def _block_end(code: str, start: int, indent: str) -> int:
    """Return where the block after a colon ends: at the first line that is not indented deeper."""
    end_of_line = _LINE_END.search(code, start)
    line_end = end_of_line.start() if end_of_line else len(code)
    if code[start:line_end].strip():
        return line_end
    for line in _LINE.finditer(code, line_end):
        if not (line[1].startswith(indent) and len(line[1]) > len(indent)):
            return line.start()
    return len(code)
