"""What the strings of a Python file name: modules, commands, URLs, and whatever code inside them names in turn."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract.python import file as python
from aegis.gates.scan.extract.python.calls import loader_aliases, module_names
from aegis.gates.scan.extract.python.commands import Runners, command_line, command_words, readable, shell_text
from aegis.gates.scan.extract.python.context import Context
from aegis.gates.scan.extract.python.embedded import python_code, shell_code
from aegis.gates.scan.extract.python.imports import Import
from aegis.gates.scan.extract.python.mask import Masked
from aegis.gates.scan.extract.python.requirements import required
from aegis.gates.scan.extract.python.strings import Literal, expressions, is_statement, literal_around
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Form, Statement, Surface, Unreadable

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_DEEPEST = 4
"""Code inside strings of code inside strings, as far as it is followed."""
_MODULE_RUN = re.compile(r"(?:python|pypy)[\d.]*(?: -[A-Za-z]+)*? -m ([\w.]+)(?<!pip)(?: |\Z)")
_TOO_DEEP = "code nested too deeply in strings"

Found = Statement | Unreadable


def read_strings(
    masked: Masked, hits: list[int], imported: tuple[Import, ...], wanted: re.Pattern[str], depth: int
) -> Iterator[Found]:
    """Yield what the string operands name to which the tokens `hits` belong. Docstrings name nothing."""
    reader = _Reader(masked, wanted, depth, loader_aliases(masked.code, imported), Runners(masked.code, imported))
    after = 0
    for index in hits:
        if index < after:
            continue
        one = literal_around(masked, index, after)
        after = one.last + 1
        yield from reader.read_fields(one, index)
        if not is_statement(masked, one):
            yield from reader.read(Context(masked, one))


@dataclass
class _Reader:
    """What is the same for all strings of a file."""

    masked: Masked
    wanted: re.Pattern[str]
    depth: int
    loaders: frozenset[str]
    runners: Runners
    read_brackets: set[int] = field(default_factory=set)

    def read_fields(self, one: Literal, index: int) -> Iterator[Found]:
        """Yield what the expressions inside f-strings and t-strings name."""
        for token in self.masked.strings[index : one.last + 1]:
            for code in expressions(self.masked.text, token):
                if self.wanted.search(code):
                    yield from self._field(token.start, code)

    def _field(self, start: int, code: str) -> Iterator[Found]:
        line, column = self.masked.line(start), self.masked.column(start)
        if self.depth >= _DEEPEST:
            yield Unreadable(line, _TOO_DEEP)
            return
        for inner in python.extract_nested(code, self.wanted, self.depth + 1):
            if isinstance(inner, Statement):
                yield replace(inner, line=line, column=column)
            elif inner.why == _TOO_DEEP:
                yield Unreadable(line, _TOO_DEEP)

    def read(self, context: Context) -> Iterator[Found]:
        scheme = _SCHEME.match(context.one.prefix)
        if scheme:
            yield from self._named(context, "scheme", "scheme", scheme[1].lower(), context.one.prefix)
            return
        for form, name in module_names(context, self.loaders):
            yield from self._named(context, "python", form, name, f"import {name}")
        for name, text in required(context):
            yield from self._named(context, "pypi", "manifest", name, text)
        if (code := python_code(context)) is not None:
            yield from self._python(context, code)
        elif (line := self._command(context)) is not None:
            yield from self._shell(context, line)
        elif (line := shell_code(context)) is not None:
            yield from self._shell(context, shell_text(line))

    def _named(self, context: Context, surface: Surface, form: Form, name: str, text: str) -> Iterator[Statement]:
        if self.wanted.search(name):
            start = context.one.start
            line, column = self.masked.line(start), self.masked.column(start)
            yield Statement(line, column, surface, form, name, one_line(text))

    def _command(self, context: Context) -> str | None:
        """The shell text of a string or, once for each list, of the list around it."""
        if (line := command_line(context, self.runners)) is not None:
            return line
        if context.bracket in self.read_brackets:
            return None
        self.read_brackets.add(context.bracket)
        return command_words(context, self.runners)

    def _python(self, context: Context, code: str) -> Iterator[Found]:
        if self.depth >= _DEEPEST:
            yield Unreadable(self.masked.line(context.one.start), _TOO_DEEP)
            return
        for one in python.extract_nested(code, self.wanted, self.depth + 1):
            if isinstance(one, Unreadable):
                if one.why == _TOO_DEEP:
                    yield Unreadable(self.masked.line(context.one.start), _TOO_DEEP)
            else:
                form: Form = "embedded" if one.surface == "python" else one.form
                yield self._placed(context, replace(one, form=form))

    def _shell(self, context: Context, text: str) -> Iterator[Found]:
        for one in _statements(shell.extract(text, self.wanted)):
            if module := _MODULE_RUN.match(one.name):
                yield from self._named(context, "python", "dynamic", module[1], f"import {module[1]}")
            elif one.surface != "command" or self.wanted.search(one.name.partition(" ")[0]):
                yield self._placed(context, replace(one, text=readable(one.text)))

    def _placed(self, context: Context, inner: Statement) -> Statement:
        """Give a statement of a string's inside its line in the file, if the string shows its lines as they are."""
        start, end = context.one.start, context.one.end
        line = self.masked.line(start)
        if inner.line > 1 and context.one.value.count("\n") == self.masked.text.count("\n", start, end):
            return replace(inner, line=line + inner.line - 1)
        return replace(inner, line=line, column=self.masked.column(start))


def _statements(found: Iterable[Found]) -> Iterator[Statement]:
    """Leave out what could not be read: prose that only looks like a command is no reason to stop."""
    return (one for one in found if isinstance(one, Statement))
