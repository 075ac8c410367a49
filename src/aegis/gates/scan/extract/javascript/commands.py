"""Command lines that a script starts: `child_process`, execa, zx, Bun and Deno."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract.javascript.calls import LITERAL, argument, template
from aegis.gates.scan.extract.javascript.lexer import ScriptText
from aegis.gates.scan.extract.javascript.words import alone, find_all, patterns
from aegis.gates.scan.extract.shell.command_words import HOLE, commands, shell_commands
from aegis.gates.scan.model import Statement

_EXEC = r"(?:Sync|Async|P|Promise|Command\w*|aCommand(?:Sync)?)?"
_RUN = r"(?:Command|Cmd|Shell|Sync)?\w{0,12}"
_OF_MODULE = rf"\s*+\.\s*+(?P<name>exec{_EXEC}|run{_RUN}|sh|shell)\s*+\("
_LOADED = r"\s*+\(\s*+(?P<module>\"++|'++|`++)\s*+\)(?:\s*+\))?"
_RUNNERS = re.compile(r"(?:node:)?child_process|shelljs|zx|execa|cross-spawn")
_LINE = patterns(
    rf"(?P<name>{alone('exec')}{_EXEC})\s*+\(",
    rf"(?P<name>{alone('run')}{_RUN})\s*+\(",
    rf"(?P<name>{alone('sh')}(?:ell)?)\s*+\(",
    rf"{alone('sh')}(?:ell(?:js)?)?{_OF_MODULE}",
    rf"{alone('child')}_?[pP]rocess\w*{_OF_MODULE}",
    rf"{alone('cp')}{_OF_MODULE}",
    rf"{alone('proc')}{_OF_MODULE}",
    rf"{alone('util')}s?{_OF_MODULE}",
    rf"{alone('$')}{_OF_MODULE}",
    rf"{alone('require')}{_LOADED}{_OF_MODULE}",
    rf"{alone('import')}{_LOADED}{_OF_MODULE}",
)
_SURE_LINE = re.compile(r"exec(?:Sync|Async|P|Promise|aCommand(?:Sync)?)?")
_NOT_IN_NAME = r"\w$#"
_FIRST_WORD = r"(?:Sync|Async|Node|P|Promise)?\s*+\(\s*+(?:\[\s*+)?(?=[\"'`])"
_FIRST_OF_OPTIONS = r"\s*+\(\s*+(?:\{\s*+cmd\s*+:\s*+)?(?:\[\s*+)?(?=[\"'`])"
_WORDS = patterns(
    *(
        alone(word, _NOT_IN_NAME) + _FIRST_WORD
        for word in ("spawn", "execFile", "execa", "crossSpawn", "xspawn", "nanoexec", "exeq")
    ),
    rf"{alone('Bun')}\s*+\.\s*+spawn(?:Sync)?{_FIRST_OF_OPTIONS}",
    rf"{alone('Deno')}\s*+\.\s*+(?:Command|run){_FIRST_OF_OPTIONS}",
)
_TAGS = r"(?:\s*+\([^()]*+\))?\s*+(?=`)"
_BEHIND_NAME = r"\w."
_TAGGED = patterns(
    rf"{alone('$', _BEHIND_NAME)}(?:sync)?{_TAGS}",
    rf"{alone('sh', _BEHIND_NAME)}{_TAGS}",
    rf"{alone('execa', _BEHIND_NAME)}(?:Sync)?{_TAGS}",
    rf"{alone('Bun', _BEHIND_NAME)}\s*+\.\s*+\${_TAGS}",
)
_STARTER = r"(?<![\w$])(?P<name>exec(?:File)?(?:Sync)?|spawn(?:Sync)?)\s*+"
_RENAMED = (
    re.compile(rf"{_STARTER}(?:as\s++|:\s*+)(?P<alias>[\w$]++)"),
    re.compile(rf"(?<![\w$.])(?P<alias>[\w$]++)\s*+=[^;={{}}\n]{{1,120}}?{_STARTER}\)?\s*+(?=[;,\n]|\Z)"),
)
"""`import { exec as e }`, `const { exec: e } =`, `const e = promisify(cp.exec)`."""
_CALL_OF_ANY = re.compile(r"(?<![\w$#.])([\w$]++)\s*+\(\s*+(?=[\"'`])")
_NEXT = re.compile(r"\s*+,\s*+(?:\{\s*+args\s*+:\s*+)?(?:\[\s*+)?")
_SIMPLE = re.compile(r"[\w$.]++(?=\s*+[,)\]])")


def command_lines(code: ScriptText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Every command of a command line that a script surely or very likely starts."""
    for match in find_all(_LINE, code.masked):
        found = argument(code, match.end())
        if found is None or not _is_of_runner(code, match):
            continue
        line = template(code, found.offset) if code.masked[found.offset] == "`" else found.value
        if _SURE_LINE.fullmatch(match["name"]) or " " in line.strip():
            yield from shell_commands(code, match.start(), line, wanted)
    for match in find_all(_TAGGED, code.masked):
        yield from shell_commands(code, match.start(), template(code, match.end()), wanted)
    for match in find_all(_WORDS, code.masked):
        yield from _started(code, match.start(), match.end(), wanted)
    renamed = _renamed(code)
    for match in _CALL_OF_ANY.finditer(code.masked) if renamed else ():
        if match[1] in renamed:
            yield from _started(code, match.start(), match.end(), wanted)


def _renamed(code: ScriptText) -> frozenset[str]:
    """Other names of `child_process`'s functions."""
    if "child_process" not in code.text:
        return frozenset()
    return frozenset(match["alias"] for pattern in _RENAMED for match in pattern.finditer(code.masked))


def _started(code: ScriptText, start: int, first: int, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """The command of a call whose first argument, a line or a program, stands at `first`."""
    words = _words(code, first)
    if len(words) == 1:
        yield from shell_commands(code, start, words[0], wanted)
    elif words:
        yield from commands(code, start, words, wanted)


def _is_of_runner(code: ScriptText, match: re.Match[str]) -> bool:
    """Whether the module that a call loads and uses at once starts processes: `require("child_process").exec(…)`."""
    if "module" not in match.re.groupindex:
        return True
    return _RUNNERS.fullmatch(code.value(match.start("module")) or "") is not None


def _words(code: ScriptText, position: int) -> list[str]:
    words: list[str] = []
    while True:
        literal = LITERAL.match(code.masked, position)
        token = code.strings.get(position) if literal else None
        if token is not None:
            words.append(code.value(position) or "" if token.whole else HOLE)
            position = token.end
        elif simple := _SIMPLE.match(code.masked, position):
            words.append(HOLE)
            position = simple.end()
        else:
            return words
        following = _NEXT.match(code.masked, position)
        if following is None:
            return words
        position = following.end()
