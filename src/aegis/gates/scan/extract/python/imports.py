"""The import statements of a masked Python file.

`import` is a hard keyword: outside strings and comments it stands in an import statement and nowhere else. So no other
grammar is needed, and a syntax error elsewhere in the file hides nothing.
https://docs.python.org/3/reference/simple_stmts.html#the-import-statement
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract.python.mask import NAME_CHAR, NAME_START, Masked
from aegis.gates.scan.model import Unreadable

_W = r"(?:[ \t\f]|\\\n)"
_N = NAME_CHAR
_NAME = rf"(?!(?:from|import)(?!{_N})){NAME_START}{_N}*+"
_DOTTED = rf"{_NAME}(?:{_W}*+\.{_W}*+{_NAME})*+"

# Starts with a literal, so that `re` skips quickly; hence the look-behind after the word.
_STATEMENT = re.compile(
    rf"import(?<!{_N}import)(?!{_N})"
    rf"|from(?<!{_N}from)(?!{_N}){_W}*+(?P<dots>\.(?:\.|{_W})*+)?(?P<module>{_DOTTED})?{_W}*+import(?!{_N})"
)
_LAZY = re.compile(rf"(?<!{_N})lazy{_W}++\Z")
"""PEP 810."""
_FARTHEST_LAZY = 200
"""Characters between `lazy` and `import` that are looked at: continuation lines can stand between them."""
_MODULE_ITEM = re.compile(rf"{_W}*+(?P<name>{_DOTTED})(?:{_W}++as{_W}++(?P<alias>{_NAME}))?{_W}*+(?P<more>,)?")
_ITEM = re.compile(rf"{_W}*+(?P<name>{_NAME}|\*)(?:{_W}++as{_W}++(?P<alias>{_NAME}))?{_W}*+(?P<more>,)?")
_S = r"(?:\s|\\\n)"
_OPEN = re.compile(rf"{_W}*+\(")
_ITEM_IN_BRACKETS = re.compile(rf"{_S}*+(?P<name>{_NAME})(?:{_S}++as{_S}++(?P<alias>{_NAME}))?{_S}*+(?P<more>,)?")
_CLOSE = re.compile(rf"{_S}*+\)")
_SPACE = re.compile(rf"{_W}++")


@dataclass(frozen=True, slots=True)
class Import:
    """One imported name."""

    offset: int
    """Where the statement starts."""
    module: str | None
    """The module of a `from` statement."""
    name: str
    """The imported name; `*` for all names of a module, empty for a statement that breaks off."""
    alias: str | None

    @property
    def dotted(self) -> str:
        """The name in full, as far as it is known."""
        if self.module is None:
            return self.name
        return self.module if self.name in ("*", "") else f"{self.module}.{self.name}"

    @property
    def text(self) -> str:
        """One statement that imports only this."""
        alias = f" as {self.alias}" if self.alias else ""
        if self.module is None or not self.name:
            return f"import {self.dotted}{alias}"
        return f"from {self.module} import {self.name}{alias}"


def imports(masked: Masked) -> Iterator[Import | Unreadable]:
    """Yield every absolute import in order."""
    code = masked.code
    has_lazy = "lazy" in code
    for match in _STATEMENT.finditer(code):
        if match["dots"] is not None:
            continue
        lazy = has_lazy and _LAZY.search(code, max(0, match.start() - _FARTHEST_LAZY), match.start())
        offset = lazy.start() if lazy else match.start()
        if match["module"] is None:
            yield from _plain(code, match.end(), offset)
        else:
            yield from _from(masked, match.end(), offset, _normal(match["module"]))


def _plain(code: str, position: int, offset: int) -> Iterator[Import]:
    while item := _MODULE_ITEM.match(code, position):
        yield Import(offset, None, _normal(item["name"]), _normal(item["alias"]))
        if not item["more"]:
            return
        position = item.end()


def _from(masked: Masked, position: int, offset: int, module: str) -> Iterator[Import | Unreadable]:
    code = masked.code
    bracket = _OPEN.match(code, position)
    pattern = _ITEM_IN_BRACKETS if bracket else _ITEM
    position = bracket.end() if bracket else position
    count = 0
    while item := pattern.match(code, position):
        count += 1
        yield Import(offset, module, _normal(item["name"]), _normal(item["alias"]))
        position = item.end()
        if not item["more"]:
            break
    if not count:
        yield Import(offset, module, "", None)
    if bracket and not _CLOSE.match(code, position):
        yield Unreadable(masked.line(offset), f"the list of `from {module} import (` does not end")


def _normal(name: str | None) -> str:
    """Drop space inside a dotted name and fold it to NFKC, as Python does with identifiers (PEP 3131)."""
    if not name:
        return ""
    compact = _SPACE.sub("", name)
    return compact if compact.isascii() else unicodedata.normalize("NFKC", compact)
