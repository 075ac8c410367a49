"""What a Go file names: import specs, command lines, URL schemes.

Lexical rules: https://go.dev/ref/spec#Lexical_elements. Every file counts, whatever its build constraints say: a gate
that followed them would have to choose a platform.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract._code import CodeText, Masker
from aegis.gates.scan.extract._code_names import in_order, schemes, statement_of
from aegis.gates.scan.extract.shell.command_words import HOLE, commands, shell_commands
from aegis.gates.scan.model import Statement, Unreadable

# Each alternative starts with a literal, so that `re` can skip to the next candidate. The empty group at the end of an
# alternative is what does not end: the alternatives before it are possessive, so it is tried once a place.
_TOKEN = re.compile(
    r"""
    /(?: /[^\n]*+ | \*(?:[^*]++|\*(?!/))*+(?:\*/|(?P<comment>)) )
    | "(?:[^"\\\n]++|\\[^\n])*+(?:"|(?P<line>))
    | `[^`]*+(?:`|(?P<raw>))
    | '(?:\\[^\n][0-9A-Fa-f]*|[^'\\\n])'
    """,
    re.VERBOSE,
)
_MASKER = Masker(
    _TOKEN,
    {"comment": "comment", "line": "string", "raw": "raw string"},
    safe_end=re.compile(r"\n(?=[A-Za-z}])"),  # gofmt or not, a line that starts so is outside any bracket in practice
)
_IMPORT = re.compile(r"(?<![\w.])import(?![\w])\s*+(?:(\()|(?:[^\W\d]\w*+|\.)?\s*+\"++|(?:[^\W\d]\w*+|\.)?\s*+`++)")
_SPEC = re.compile(r"(?:(?:[^\W\d]\w*+|\.)\s*+)?(\"++|`++)")
_ALIAS = re.compile(r"[^\W\d]\w*|\.")
_OTHER_PATHS = frozenset({"os/exec", "syscall", "os", "golang.org/x/sys/execabs", "github.com/cli/safeexec"})
_CALL = re.compile(
    r"(?<!\w)(?:([^\W\d]\w*+)\s*+\.\s*+|(?<!\.))"
    r"(Command|CommandContext|LookPath|Exec|ForkExec|StartProcess)\s*+\(\s*+"
)
_CONTEXT = re.compile(r"[^\"`,;{}]*+,\s*+")
_GENERATE = re.compile(r"^//go:generate[ \t]+(?:-command[ \t]+\S+[ \t]+)?([^\r\n]*)", re.MULTILINE)
_ARGUMENT = re.compile(r"(?:\"++|`++)")
_SIMPLE = re.compile(r"[\w.]++(?:\([^()]*+\))?+(?:\.\.\.)?")
_NEXT = re.compile(r"\s*+,\s*+(?:\[\]string\{\s*+)?")


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a Go file that names something wanted. Never raises."""
    code = _MASKER.mask(source, wanted, last_line)
    found: list[Statement | Unreadable] = list(code.unreadable)
    runners = {"exec"}
    for offset, path, alias in _imports(code):
        if path in _OTHER_PATHS:
            runners.add(alias or path.rpartition("/")[2])
        if wanted.search(path):
            found.extend(statement_of(code, offset, "go", "import", path, 'import "{}"'))
    found.extend(_commands(code, runners, wanted))
    found.extend(_generated(code, wanted))
    found.extend(schemes(code, wanted))
    return sorted(found, key=in_order)


def _imports(code: CodeText) -> Iterator[tuple[int, str, str | None]]:
    """Offset, path and alias of each import spec."""
    for match in _IMPORT.finditer(code.masked):
        if match[1] is None:
            spec = _SPEC.search(code.masked, match.start() + len("import"), match.end())
            yield from _spec(code, spec)
            continue
        end = code.masked.find(")", match.end())
        for spec in _SPEC.finditer(code.masked, match.end(), end if end >= 0 else len(code.masked)):
            yield from _spec(code, spec)


def _spec(code: CodeText, spec: re.Match[str] | None) -> Iterator[tuple[int, str, str | None]]:
    if spec is not None and (value := _value(code, spec.start(1))) is not None:
        alias = _ALIAS.match(code.masked, spec.start())
        yield spec.start(), value, alias[0] if alias else None


def _value(code: CodeText, offset: int) -> str | None:
    """The value of the string that starts at an offset."""
    token = code.strings.get(offset)
    if token is not None and code.text[offset] == "`":
        return code.text[token.body : token.body_end].replace("\r", "")
    return code.value(offset)


def _commands(code: CodeText, runners: set[str], wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Command lines of `exec.Command("aws", "s3", …)` and its relatives."""
    for call in _CALL.finditer(code.masked):
        if (call[1] or ".") not in runners:  # `import . "os/exec"`
            continue
        position = call.end()
        if call[2] == "CommandContext" and (context := _CONTEXT.match(code.masked, position)):
            position = context.end()
        words = _words(code, position)
        if words and words[0] != HOLE:
            yield from commands(code, call.start(), words, wanted)


def _generated(code: CodeText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Commands of `//go:generate` lines, which Go finds by their first characters alone."""
    if "//go:generate" in code.text:
        for match in _GENERATE.finditer(code.text, 0, len(code.masked)):
            yield from shell_commands(code, match.start(), match[1], wanted)


def _words(code: CodeText, position: int) -> list[str]:
    """The arguments from a position on: literals, and a hole for anything else that is simple."""
    words: list[str] = []
    while True:
        if literal := _ARGUMENT.match(code.masked, position):
            words.append(_value(code, position) or HOLE)
            position = literal.end()
        elif simple := _SIMPLE.match(code.masked, position):
            words.append(HOLE)
            position = simple.end()
        else:
            return words
        following = _NEXT.match(code.masked, position)
        if following is None:
            return words
        position = following.end()
