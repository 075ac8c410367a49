"""What a Java or Kotlin file names: imports, fully qualified names in code, class names in strings, command lines."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis.gates.scan.extract._code import CodeText
from aegis.gates.scan.extract._code_names import in_order, schemes
from aegis.gates.scan.extract.jvm import java_mask, kotlin_mask
from aegis.gates.scan.extract.shell.command_words import HOLE, commands, shell_commands
from aegis.gates.scan.model import Statement, Unreadable

_ANNOTATION = r"@\s*+[\w$]++(?:\s*+\.\s*+[\w$]++)*+(?:\([^()]*+\))?+\s*+"
_DOT = rf"\s*+\.\s*+(?:{_ANNOTATION})*+"
_NAME = rf"[^\W\d][\w$]*+(?:{_DOT}[^\W\d][\w$]*+)*+"
_IMPORT = re.compile(
    rf"(?<![\w$.])import\s++(?:(?P<static>static)\s++|module\s++(?!\.))?(?P<name>{_NAME})(?P<star>\s*+\.\s*+\*)?"
)
_CHAIN = re.compile(rf"(?<![\w$.])[a-z_][\w$]*+(?:{_DOT}[^\W\d][\w$]*+)++")
_DOTS = re.compile(_DOT)
_KOTLIN = re.compile(
    r"^[ \t]*+(?:import|package)[ \t]++[\w.`*]++(?:[ \t]++as[ \t]++\w++)?[ \t]*+\r?$|\bfun\b[^;{]{0,200}\{",
    re.MULTILINE,
)
_JAVA = re.compile(r"^[ \t]*+(?:import|package)[ \t][\w.$ \t*]++;", re.MULTILINE)

_CLASS_NAME = re.compile(r"\[*L?((?:[^\W\d][\w$]*[./])+(?:[^\W\d][\w$]*)?);?")
_TYPE = re.compile(r"[.$][A-Z]")
_LOADER = re.compile(r"(?:forName|(?:load|find|define|resolve)\w*[Cc]lass\w*|loadLibrary)\s*\((?:[\w$.]+\s*=)?\s*\Z")
_LOOK_BEHIND = 80
"""Characters before a string in which a loader's call is looked for."""
_SUM = re.compile(r"\"++(?:\s*+\+\s*+\"++)*+")
_QUOTES = re.compile(r"\"++")

_RUNS = re.compile(
    r"(?<![\w$])(?:ProcessBuilder|exec|command)\s*+\(\s*+"
    r"(?P<list>(?:(?:[\w$]+\s*+\.\s*+)*(?:of|asList|listOf|mutableListOf|arrayOf)\s*+\(|new\s++String\s*+\[\s*+\]\s*+\{)\s*+)?+(?=\")"
)
_SIMPLE = re.compile(r"[\w$.]++(?:\([^()\"]*+\))?+(?=\s*+[,)}])")
_COMMA = re.compile(r"\s*+,\s*+")


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a file that names something wanted, by the language that it looks like."""
    read = kotlin if _JAVA.search(source) is None and _KOTLIN.search(source) else java
    return read(source, wanted, last_line)


def java(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a Java file that names something wanted. Never raises."""
    return _statements(java_mask.mask(source, wanted, last_line), wanted)


def kotlin(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a Kotlin file that names something wanted. Never raises."""
    return _statements(kotlin_mask.mask(source, wanted, last_line), wanted)


def _statements(code: CodeText, wanted: re.Pattern[str]) -> list[Statement | Unreadable]:
    found: list[Statement | Unreadable] = list(code.unreadable)
    found.extend(_imports_and_names(code, wanted))
    found.extend(_class_names(code, wanted))
    found.extend(_commands(code, wanted))
    found.extend(schemes(code, wanted))
    return sorted(found, key=in_order)


def _imports_and_names(code: CodeText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    imported: list[tuple[int, int]] = []
    for match in _IMPORT.finditer(code.masked):
        imported.append(match.span())
        name = _DOTS.sub(".", match["name"])
        if wanted.search(name):
            text = f"import {'static ' if match['static'] else ''}{name}{'.*' if match['star'] else ''};"
            yield Statement(*code.at(match.start()), "java", "import", name, text)
    start = 0
    for begin, end in [*imported, (len(code.masked), 0)]:
        for chain in _CHAIN.finditer(code.masked, start, begin):
            name = _type_of(_DOTS.sub(".", chain[0]))
            if wanted.search(name):
                yield Statement(*code.at(chain.start()), "java", "reference", name, f"import {name};")
        start = end


def _type_of(dotted: str) -> str:
    """A chain of names up to its first type; what follows are the type's members."""
    words = dotted.split(".")
    ends = (index for index, word in enumerate(words, 1) if word[0].isupper())
    return ".".join(words[: next(ends, len(words))])


def _class_names(code: CodeText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    """Strings that are the name of a class, or begin one in a loader's call."""
    for match in _SUM.finditer(code.masked):
        value = _sum(code, match)
        if not wanted.search(value.replace("/", ".")):
            continue
        named = _CLASS_NAME.match(value)
        loaded = _LOADER.search(code.masked, max(0, match.start() - _LOOK_BEHIND), match.start()) is not None
        if named is None or not (loaded or (named.end() == len(value) and _TYPE.search(named[1].replace("/", ".")))):
            continue
        name = named[1].replace("/", ".").rstrip(".")
        if wanted.search(name):
            yield Statement(*code.at(match.start()), "java", "dynamic", name, f"import {name};")


def _sum(code: CodeText, match: re.Match[str]) -> str:
    """The value of literals joined by `+`."""
    quotes = _QUOTES.finditer(code.masked, match.start(), match.end())
    return "".join(code.value(one.start()) or "" for one in quotes)


def _commands(code: CodeText, wanted: re.Pattern[str]) -> Iterator[Statement]:
    for call in _RUNS.finditer(code.masked):
        words = _words(code, call.end())
        if len(words) == 1 and not call["list"] and "exec" in call[0]:
            yield from shell_commands(code, call.start(), words[0], wanted)
        elif words:
            yield from commands(code, call.start(), words, wanted)


def _words(code: CodeText, position: int) -> list[str]:
    """The arguments from a position on: literals, and a hole for anything else that is simple."""
    words: list[str] = []
    while True:
        if literal := _SUM.match(code.masked, position):
            words.append(_sum(code, literal))
            position = literal.end()
        elif simple := _SIMPLE.match(code.masked, position):
            words.append(HOLE)
            position = simple.end()
        else:
            return words
        comma = _COMMA.match(code.masked, position)
        if comma is None:
            return words
        position = comma.end()
