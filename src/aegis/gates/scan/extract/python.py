"""What a Python file names: imports, and modules, commands and URLs inside its strings.

    source ─mask→ code without strings ─imports→ Statement
                └ strings ─context→ call, list, assignment → Statement

Works on every text: what Python could not read either is told as `Unreadable` where something could hide in it.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import replace

from aegis.gates.scan.extract.python_calls import DYNAMIC_CALL, loader_aliases, module_names
from aegis.gates.scan.extract.python_commands import Runners, command_line, command_words, readable, shell_text
from aegis.gates.scan.extract.python_context import Context
from aegis.gates.scan.extract.python_embedded import shell_code
from aegis.gates.scan.extract.python_imports import Import, imports
from aegis.gates.scan.extract.python_mask import Masked, mask
from aegis.gates.scan.extract.python_strings import is_statement, literal_around
from aegis.gates.scan.extract.python_typing import type_only_spans
from aegis.gates.scan.model import Form, Statement, Surface, Unreadable

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_LONGEST_TEXT = 200
_DEEPEST = 4
"""Code inside strings of code inside strings, as far as it is followed."""

Found = Statement | Unreadable


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Found]:
    """Return every statement of a Python file that names something wanted. Never raises."""
    return _File(source.removeprefix("\ufeff"), wanted, last_line).read()


def has_dynamic_import(source: str) -> bool:
    """Whether a file holds any call that loads a module by name, literal or not."""
    return DYNAMIC_CALL.search(source) is not None


class _File:
    """One file, or one string with code in it."""

    def __init__(self, source: str, wanted: re.Pattern[str], last_line: int | None, depth: int = 0) -> None:
        self.wanted = wanted
        self.depth = depth
        self.masked: Masked = mask(source, last_line)
        self.found: list[Found] = list(self.masked.unreadable)
        self.imported: list[Import] = []
        self.read_brackets: set[int] = set()

    def read(self) -> list[Found]:
        self._imports()
        self._strings()
        unique = dict.fromkeys(self.found)
        return sorted(unique, key=lambda one: (one.line, one.column if isinstance(one, Statement) else 0))

    def _imports(self) -> None:
        for item in imports(self.masked):
            if isinstance(item, Unreadable):
                self.found.append(item)
            else:
                self.imported.append(item)
        wanted = [one for one in self.imported if self.wanted.search(one.dotted)]
        spans = type_only_spans(self.masked, self.imported) if wanted else []
        starts = [start for start, _ in spans]
        for one in wanted:
            index = bisect_right(starts, one.offset)
            type_only = bool(index) and one.offset < spans[index - 1][1]
            self._add(one.offset, "python", "type-only" if type_only else "import", one.dotted, one.text)

    def _strings(self) -> None:
        """Read every string operand in which something wanted stands."""
        masked, search = self.masked, self.wanted.search
        loaders: frozenset[str] | None = None
        after = 0
        for index, token in enumerate(masked.strings):
            if index < after or not search(masked.text[token.quote : token.end]):
                continue
            one = literal_around(masked, index, after)
            after = one.last + 1
            if is_statement(masked, one):
                continue
            if loaders is None:
                loaders = loader_aliases(masked.code, self.imported)
                runners = Runners(masked.code, tuple(self.imported))
            self._string(Context(masked, one), loaders, runners)

    def _string(self, context: Context, loaders: frozenset[str], runners: Runners) -> None:
        one = context.one
        scheme = _SCHEME.match(one.prefix)
        if scheme:
            self._add(one.start, "scheme", "scheme", scheme[1].lower(), one.prefix)
            return
        for form, name in module_names(context, loaders):
            self._add(one.start, "python", form, name, f"import {name}")
        if (code := python_code(context)) is not None:
            self._python(context, code)
        elif (line := command_line(context, runners)) is not None or (
            line := self._words(context, runners)
        ) is not None:
            self._shell(context, line)
        elif (line := shell_code(context)) is not None:
            self._shell(context, shell_text(line))

    def _words(self, context: Context, runners: Runners) -> str | None:
        """The command of the list around a string, once for each list."""
        if context.bracket in self.read_brackets:
            return None
        self.read_brackets.add(context.bracket)
        return command_words(context, runners)

    def _python(self, context: Context, code: str) -> None:
        if self.depth >= _DEEPEST:
            self.found.append(Unreadable(self.masked.line(context.one.start), "code nested too deeply in strings"))
            return
        for one in _File(code, self.wanted, None, self.depth + 1).read():
            if isinstance(one, Statement):
                form: Form = "embedded" if one.surface == "python" else one.form
                self._embedded(context, replace(one, form=form))

    def _shell(self, context: Context, line: str) -> None:
        from aegis.gates.scan.extract import shell

        for one in shell.extract(line, self.wanted):
            if isinstance(one, Unreadable):
                continue  # prose that only looks like a command is no reason to stop
            if one.surface != "command" or self.wanted.search(one.name.partition(" ")[0]):
                self._embedded(context, replace(one, text=readable(one.text)))

    def _embedded(self, context: Context, inner: Statement) -> None:
        """Keep a statement of a string's inside, at its line of the file if the string shows its lines as they are."""
        start, end = context.one.start, context.one.end
        lines_match = context.one.value.count("\n") == self.masked.text.count("\n", start, end)
        if inner.line > 1 and lines_match:
            self.found.append(replace(inner, line=self.masked.line(start) + inner.line - 1))
        else:
            self.found.append(replace(inner, line=self.masked.line(start), column=self.masked.column(start)))

    def _add(self, offset: int, surface: Surface, form: Form, name: str, text: str) -> None:
        if self.wanted.search(name):
            line, column = self.masked.line(offset), self.masked.column(offset)
            self.found.append(Statement(line, column, surface, form, name, " ".join(text.split())[:_LONGEST_TEXT]))
