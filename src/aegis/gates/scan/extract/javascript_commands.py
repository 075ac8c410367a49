"""Command lines that a script starts: `child_process`, execa, zx, Bun and Deno."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract._command_words import HOLE, commands, shell_commands
from aegis.gates.scan.extract.javascript_calls import LITERAL, argument, template
from aegis.gates.scan.extract.javascript_lexer import ScriptText
from aegis.gates.scan.model import Statement

_LINE = re.compile(
    r"(?<![\w$.#])(?:(?:child_?[pP]rocess\w*|cp|proc|shell|shelljs|sh|util|utils|\$)\s*+\.\s*+)?"
    r"(?P<name>exec(?:Sync|Async|P|Promise|Command\w*|aCommand(?:Sync)?)?|run(?:Command|Cmd|Shell|Sync)?\w{0,12}|sh|shell)\s*+\("
)
_SURE_LINE = re.compile(r"exec(?:Sync|Async|P|Promise|aCommand(?:Sync)?)?")
_WORDS = re.compile(
    r"(?<![\w$#])(?:spawn|execFile|execa|crossSpawn|xspawn|nanoexec|exeq)(?:Sync|Async|Node|P|Promise)?\s*+\(\s*+(?:\[\s*+)?(?=[\"'`])"
    r"|(?<![\w$.#])(?:Bun\s*+\.\s*+spawn(?:Sync)?|Deno\s*+\.\s*+Command|Deno\s*+\.\s*+run)\s*+\(\s*+(?:\{\s*+cmd\s*+:\s*+)?(?:\[\s*+)?(?=[\"'`])"
)
_TAGGED = re.compile(r"(?<![\w.])(?:\$|\$sync|sh|execa|execaSync|Bun\s*+\.\s*+\$)(?:\s*+\([^()]*+\))?\s*+(?=`)")
_NEXT = re.compile(r"\s*+,\s*+(?:\{\s*+args\s*+:\s*+)?(?:\[\s*+)?")
_SIMPLE = re.compile(r"[\w$.]++(?=\s*+[,)\]])")


def command_lines(code: ScriptText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Every command of a command line that a script surely or very likely starts."""
    for match in _LINE.finditer(code.masked):
        found = argument(code, match.end())
        if found is None:
            continue
        line = template(code, found.offset) if code.masked[found.offset] == "`" else found.value
        if _SURE_LINE.fullmatch(match["name"]) or " " in line.strip():
            yield from shell_commands(code, match.start(), line, wanted)
    for match in _TAGGED.finditer(code.masked):
        yield from shell_commands(code, match.start(), template(code, match.end()), wanted)
    for match in _WORDS.finditer(code.masked):
        words = _words(code, match.end())
        if len(words) == 1:
            yield from shell_commands(code, match.start(), words[0], wanted)
        elif words:
            yield from commands(code, match.start(), words, wanted)


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
