"""How JavaScript and TypeScript name modules: static imports, loading calls, types, mocks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from aegis.gates.scan.extract._code_names import statement_of
from aegis.gates.scan.extract.javascript.calls import Argument, argument, end_of_call, literals
from aegis.gates.scan.extract.javascript.lexer import ScriptText
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.extract.javascript.words import alone, find_all, patterns, search_any
from aegis.gates.scan.model import Form, Statement

_ID = r"[\w$\x80-\U0010ffff]++"
_STRING = r"(?P<from>\"++|'++)"
_NOT_IN_NAME = r"\w$#"
_BEHIND_NAME = r"\w$."

_IMPORT = re.compile(
    rf"""{alone("import")}(?![\w$])\s*+(?:
        {_STRING}
        | (?P<type>(?:type|typeof)(?![\w$])\s*+(?!from\s*+["']|,))?
          (?:(?:defer|source|module)\s++(?=[\w$*{{])(?!from\s*+["']))?
          (?:(?!from\s*+["']){_ID}\s*+(?:,\s*+)?)? (?:(?P<names>\{{[^{{}}]*+\}})\s*+|\*\s*+as\s++{_ID}\s*+)?
          from\s*+(?P<from_clause>\"++|'++)
        | (?P<type_equals>type\s++)?{_ID}\s*+=\s*+require\s*+\(\s*+(?P<equals>\"++|'++)
    )""",
    re.VERBOSE,
)
_EXPORT = re.compile(
    rf"""{alone("export")}\s*+(?P<type>type\s*+)?(?:\*\s*+(?:as\s*+(?:{_ID}|\"++|'++)\s*+)?|(?P<names>\{{[^{{}}]*+\}})\s*+)
        from\s*+(?P<from_clause>\"++|'++)""",
    re.VERBOSE,
)
_DECLARED = re.compile(rf"{alone('declare')}\s++module\s++{_STRING}")
_REFERENCE = re.compile(r"^[ \t]*///[ \t]*<reference\s+types\s*=\s*[\"']([^\"'\n]+)[\"']", re.MULTILINE)

_ASSIGNED = re.compile(
    r"=\s*+(?:await\s++)?(?:[\w$]+\s*+\.\s*+)*(?:createRequire\s*+\(|require\s*+(?:\.\s*+bind\s*+\(|[;,)\n]|\Z))"
)
_NAME_ASSIGNED = re.compile(r"(?<![\w$])([\w$]++)\s*+(?::[^=;\n]{0,80})?=")
_MADE = re.compile(r"(?<![\w$])([\w$]++)\s*+=\s*+([\w$]++)\s*+\(")
_RENAMED = re.compile(r"createRequire\s++as\s++([\w$]++)")
_HANDED_ON = patterns(r"createRequire\s*+\(", r"require\s*+(?:\.\s*+bind\s*+\(|[;,)\n]|\Z)")
"""How every match of `_ASSIGNED` ends; most files have none of it."""
_CALL = r"\s*+(?:\?\.\s*+)?\("
_CALLED = (
    r"(?:\s*+\))?+(?:\s*+\.\s*+(?:call|apply)\s*+\([^,()]*+,"
    r"|(?:\s*+\.\s*+bind\s*+\([^()]*+\))?+\s*+(?:<[^;(){}]{0,200}>\s*+)?(?:\?\.\s*+)?\()"
)
_MADE_AND_CALLED = r"\s*+\([^()]*+(?:\([^()]*+\)[^()]*+)*+\)\s*+\("
_ANY_NAME = re.compile(r"(?<![\w$#])[\w$]++(?=\s*+[(.<?)])")
_CALL_OF_NAME = re.compile(rf"[\w$]++{_CALLED}")
_CALL_OF_MADE = re.compile(rf"[\w$]++{_MADE_AND_CALLED}")
_MANY_NAMES = 20
_IMPORT_CALL = patterns(rf"{alone('import')}\s*+(?:\.\s*+(?:defer|source)\s*+)?\(")
_RESOLVE = patterns(
    rf"{alone('require', _NOT_IN_NAME)}\s*+\.\s*+resolve(?:\s*+\.\s*+\w++)?{_CALL}",
    rf"{alone('import', _NOT_IN_NAME)}\s*+\.\s*+meta\s*+\.\s*+resolve{_CALL}",
    rf"{alone('System', _NOT_IN_NAME)}\s*+\.\s*+import{_CALL}",
    rf"{alone('importScripts', _NOT_IN_NAME)}{_CALL}",
    rf"{alone('_load', _NOT_IN_NAME)}{_CALL}",
)
_BY_SUBSCRIPT = re.compile(rf"\[\s*+([\"'`])require\1\s*+\]{_CALL}")
_ARRAY = r"\s*+\(\s*+(?:(?:\"++|'++)\s*+,\s*+)?\[([^\[\]]*+)\]"
_LIST = patterns(
    rf"{alone('define')}{_ARRAY}",
    rf"{alone('require')}(?:js)?{_ARRAY}",
    rf"{alone('System')}\s*+\.\s*+register{_ARRAY}",
)
_MOCKS_SOMETHING = patterns(
    r"mock(?:Module|Require|\s*+\.\s*+module)?\s*+[<(]",
    r"Mock(?:FromModule)?\s*+[<(]",
    r"Actual\s*+[<(]",
    r"registerSubstitute\s*+[<(]",
    r"replaceEsm\s*+[<(]",
    r"td\s*+\.\s*+replace\s*+[<(]",
)
"""What every match of `_MOCK` has; most files have none of it, and `_MOCK` is slow."""
_MOCK = re.compile(
    r"(?:\.\s*+(?:mock|doMock|unmock|dontMock|deepUnmock|mockModule|unstable_mockModule|unstable_unmockModule|setMock"
    r"|requireActual|requireMock|importActual|importMock|createMockFromModule|genMockFromModule|registerMock"
    r"|registerSubstitute|replaceEsm)|(?<![\w$.])(?:mock\s*+\.\s*+module|td\s*+\.\s*+replace|mockRequire))"
    r"\s*+(?:<[^;{}]{0,300}?>\s*+)?\("
)
_MOCK_TABLE = patterns(
    *(
        rf"{alone(word, _BEHIND_NAME)}(?:\s*+\.\s*+\w++(?:\s*+\(\s*+\))?)*+\s*+\("
        for word in ("proxyquire", "esmock", "rewiremock", "quibble")
    )
)
_OF_PROMISE = frozenset(("then", "catch", "finally"))
_MEMBER = re.compile(r"\s*+\.\s*+([\w$]++)")
_TYPE_BEFORE = re.compile(
    r"(?:(?<![\w$.])(?:typeof|as|extends|keyof|implements|is|satisfies|infer)|(?<![|&])[|&])\s*\Z"
)
_TYPE_ALIAS = re.compile(r"(?<![\w$.])type\s+[\w$]+\s*(?:<[^=]*>)?\s*=\s*\Z")
_LOOK_BEHIND = 200
"""Characters before an `import(…)` in which the words are looked for that make it a type."""


@dataclass
class Modules:
    """The modules that one script names."""

    code: ScriptText
    wanted: re.Pattern[str]
    told: set[int] = field(default_factory=set)
    """Literals that a statement was made of: a mock's `import("x")` is no second use."""

    def statements(self) -> Iterator[Statement]:
        """Every statement that names a wanted module. Order matters: what is told first is what a literal counts as."""
        yield from self._clauses(_IMPORT)
        yield from self._clauses(_EXPORT)
        yield from self._types()
        yield from self._mocks()
        yield from self._calls(find_all(_RESOLVE, self.code.masked), lambda _: "dynamic")
        yield from self._calls(self._by_subscript(), lambda _: "dynamic")
        yield from self._calls(find_all(_IMPORT_CALL, self.code.masked), self._form_of_import_call)
        yield from self._calls(self._required(), lambda one: "import" if one.is_literal else "dynamic")
        for match in find_all(_LIST, self.code.masked):
            for offset, value in literals(self.code, *match.span(1)):
                yield from self._one(match.start(), offset, value, "import")

    def _one(self, place: int, literal: int, specifier: str, form: Form) -> Iterator[Statement]:
        name = package_path(specifier)
        if literal not in self.told and self.wanted.search(name):
            self.told.add(literal)
            yield from statement_of(self.code, place, "npm", form, name, 'import "{}";')

    def _clauses(self, pattern: re.Pattern[str]) -> Iterator[Statement]:
        for match in pattern.finditer(self.code.masked):
            groups = match.groupdict()
            group = next(name for name in ("from", "from_clause", "equals") if groups.get(name) is not None)
            literal = match.start(group)
            value = self.code.value(literal)
            if value is not None:
                only_types = groups.get("type") or groups.get("type_equals") or _all_types(groups.get("names"))
                yield from self._one(match.start(), literal, value, "type-only" if only_types else "import")

    def _types(self) -> Iterator[Statement]:
        for match in _DECLARED.finditer(self.code.masked):
            value = self.code.value(match.start("from"))
            yield from self._one(match.start(), match.start("from"), value or "", "type-only")
        if "<reference" not in self.code.text:
            return
        for match in _REFERENCE.finditer(self.code.text, 0, len(self.code.masked)):
            offset = self.code.text.index("/", match.start())
            if self.code.masked[offset] == " ":
                yield from self._one(offset, offset, match[1], "type-only")

    def _mocks(self) -> Iterator[Statement]:
        for match in _MOCK.finditer(self.code.masked) if search_any(_MOCKS_SOMETHING, self.code.masked) else ():
            inner = _IMPORT_CALL[0].match(self.code.masked, match.end())
            found = argument(self.code, inner.end() if inner else match.end())
            if found:
                yield from self._one(self._start_of(match), found.offset, found.value, "mock")
        for match in find_all(_MOCK_TABLE, self.code.masked):
            for offset, value in literals(self.code, match.end(), end_of_call(self.code, match.end())):
                yield from self._one(offset, offset, value, "mock")

    def _start_of(self, match: re.Match[str]) -> int:
        """Where `jest` stands in `jest.mock(`."""
        before = re.search(r"[\w$]+\s*\Z", self.code.masked[max(0, match.start() - 40) : match.start()])
        return match.start() - len(before[0]) if before and match[0].startswith(".") else match.start()

    def _calls(self, calls: Iterator[re.Match[str]], form_of: Callable[[Argument], Form]) -> Iterator[Statement]:
        """Modules that calls load: `require("aws-sdk")`, `require(old ? "aws-sdk" : "@aws-sdk/client-s3")`."""
        read_to = 0  # an open call's literals are also those of every call inside: ask once about each
        for match in calls:
            found = argument(self.code, match.end())
            if found is not None and (found.whole or found.value):
                yield from self._one(match.start(), found.offset, found.value, form_of(found))
                if found.whole:
                    continue
            end = end_of_call(self.code, match.end())
            for offset, value in literals(self.code, max(match.end(), read_to), end):
                yield from self._one(match.start(), offset, value, "dynamic")
            read_to = max(read_to, end)

    def _by_subscript(self) -> Iterator[re.Match[str]]:
        """`module["require"](…)`, which stands in the text alone."""
        for match in _BY_SUBSCRIPT.finditer(self.code.text, 0, len(self.code.masked)):
            if self.code.masked[match.start()] == "[":
                yield match

    def _required(self) -> Iterator[re.Match[str]]:
        """Calls of `require`, of what it is also called here, and of what `createRequire` returns."""
        masked = self.code.masked
        makers = {"createRequire", *(match[1] for match in _RENAMED.finditer(masked))}
        names = {"require"}
        if search_any(_HANDED_ON, masked):
            names.update(self._aliases())
        if len(makers) > 1:
            names.update(match[1] for match in _MADE.finditer(masked) if match[2] in makers)
        if len(names) + len(makers) > _MANY_NAMES:
            return self._required_by_many(names, makers)
        calls = (rf"{alone(name, _NOT_IN_NAME)}(?![\w$]){_CALLED}" for name in sorted(names))
        made = (rf"{alone(name, _NOT_IN_NAME)}{_MADE_AND_CALLED}" for name in sorted(makers))
        return find_all(patterns(*calls, *made), masked)

    def _aliases(self) -> Iterator[str]:
        """Names to which `require` is assigned, or what `createRequire` returns."""
        masked = self.code.masked
        for assigned in _ASSIGNED.finditer(masked):
            since = masked.rfind("=", 0, assigned.start()) + 1
            if named := _NAME_ASSIGNED.search(masked, since, assigned.start() + 1):
                yield named[1]

    def _required_by_many(self, names: set[str], makers: set[str]) -> Iterator[re.Match[str]]:
        """Calls of so many names that a pattern for each would take a time that is quadratic."""
        for match in _ANY_NAME.finditer(self.code.masked):
            called = _CALL_OF_NAME.match(self.code.masked, match.start()) if match[0] in names else None
            if called is None and match[0] in makers:
                called = _CALL_OF_MADE.match(self.code.masked, match.start())
            if called is not None:
                yield called

    def _form_of_import_call(self, found: Argument) -> Form:
        masked = self.code.masked
        start = masked.rfind("import", 0, found.offset)
        before = masked[max(0, start - _LOOK_BEHIND) : start]
        member = _MEMBER.match(masked, end_of_call(self.code, found.offset))
        if member is not None and member[1] not in _OF_PROMISE:
            # A promise has no other members, so this is `import("x").Type`.
            return "type-only"
        if _TYPE_BEFORE.search(before) or _TYPE_ALIAS.search(before):
            return "type-only"
        return "import" if found.is_literal else "dynamic"


def _all_types(names: str | None) -> bool:
    """Whether each name of `{ type A, type B }` is a type; `{}` is not a list of types but a plain import."""
    if not names:
        return False
    inside = [name.split() for name in names[1:-1].split(",") if name.strip()]
    return bool(inside) and all(_is_type(words) for words in inside)


def _is_type(words: list[str]) -> bool:
    """Whether `type A`, `type A as B`; `type` and `type as A` import a value that is called type."""
    return len(words) > 1 and words[0] in {"type", "typeof"} and not (words[1] == "as" and len(words) == 3)
