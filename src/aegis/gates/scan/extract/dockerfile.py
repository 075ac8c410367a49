"""Dockerfiles and Containerfiles (https://docs.docker.com/reference/dockerfile/).

Images stand in `FROM`, `COPY --from=` and `RUN --mount=from=`; commands in `RUN`, `CMD`, `ENTRYPOINT`,
`HEALTHCHECK`, and in what `ONBUILD` puts off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from aegis.gates.scan.extract._lines import moved
from aegis.gates.scan.extract._place import Places, one_line
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_ESCAPE = re.compile(r"(?im)\A(?:[ \t]*#[ \t]*\w+[ \t]*=.*\n)*?[ \t]*#[ \t]*escape[ \t]*=[ \t]*([`\\])")
_INSTRUCTION = re.compile(r"[ \t]*([A-Za-z]+)(?:[ \t]|\\\n)+")
_HEREDOC = re.compile(r"<<(-?)(?:\"(\w+)\"|'(\w+)'|(\w+))")
_FLAG = re.compile(r"--([\w-]+)(?:=(\"[^\"]*\"|\S*))?[ \t]+")
_SHELL_WORDS = frozenset(("RUN", "CMD", "ENTRYPOINT", "HEALTHCHECK", "SHELL", "ONBUILD"))
_VARIABLE = re.compile(r"\$(?:\{(\w+)(?::?[-+]([^}]*))?\}|(\w+))")
_INTERPRETER = re.compile(r"(python|pypy|node|bun|deno)[\d.]*")
_MOUNT_FROM = re.compile(r"(?:^|,)from=([^,\s]+)")


@dataclass(slots=True)
class _Reading:
    """What is known while a Dockerfile is read."""

    source: str
    wanted: re.Pattern[str]
    places: Places
    arguments: dict[str, str] = field(default_factory=dict)
    stages: set[str] = field(default_factory=set)
    shell: list[str] = field(default_factory=list)
    """What `SHELL` set for the stage; empty for the default."""
    found: list[Statement | Unreadable] = field(default_factory=list)


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Every image and every command of a Dockerfile."""
    if not wanted.search(source):
        return []
    reading = _Reading(source, wanted, Places(source))
    for offset, text in _instructions(source):
        _instruction(reading, offset, text)
    return sorted(dict.fromkeys(reading.found), key=lambda item: (item.line, getattr(item, "column", 0)))


def _instructions(source: str) -> Iterator[tuple[int, str]]:
    """Each instruction with its continued lines and here-documents, and its offset.

    Its text is as long as the source's: comments between continued lines are blanked, so that places stay.
    """
    directive = _ESCAPE.match(source)
    escape = directive[1] if directive else "\\"
    lines = source.splitlines(keepends=True)
    offset, index = 0, 0
    while index < len(lines):
        start = offset
        parts: list[str] = []
        going = True
        while going and index < len(lines):
            line = lines[index]
            body = line.rstrip()
            comment = body.lstrip().startswith("#")
            if comment and not parts:
                parts.append(re.sub(r"[^\r\n]", " ", line))
                going = False
            elif comment or (parts and not body):
                parts.append(_continued(line))
            elif body.endswith(escape):
                parts.append(body[:-1] + _continued(line[len(body) - 1 :]))
            else:
                parts.append(line)
                going = False
            offset += len(line)
            index += 1
        text = "".join(parts)
        for heredoc in (
            _HEREDOC.finditer(text) if re.match(r"\s*(?:RUN|COPY|ADD|ONBUILD)\b", text, re.IGNORECASE) else ()
        ):
            delimiter = heredoc[2] or heredoc[3] or heredoc[4]
            while index < len(lines):
                line = lines[index]
                text += line
                offset += len(line)
                index += 1
                if (line.lstrip("\t") if heredoc[1] else line).rstrip("\r\n") == delimiter:
                    break
        yield start, text


def _continued(line: str) -> str:
    """The same length of nothing, going on in the next line as the shell writes it."""
    return " " * (len(line) - 2) + "\\\n" if line.endswith("\n") and len(line) > 1 else " " * len(line)


def _flat(text: str) -> str:
    """Text on one line, as long as it was."""
    return text.replace("\\\n", "  ")


def _instruction(reading: _Reading, offset: int, text: str) -> None:
    """One instruction."""
    found = _INSTRUCTION.match(text)
    if not found:
        return
    word, rest = found[1].upper(), text[found.end() :]
    if word not in _SHELL_WORDS:
        rest = _flat(rest)
    start = offset + found.end()
    if word == "ONBUILD":
        _instruction(reading, start, rest)
    elif word == "ARG":
        _argument(reading, rest)
    elif word == "FROM":
        _from(reading, start, rest)
    elif word in ("COPY", "ADD"):
        for name, value, _ in _flags(rest)[0]:
            if name == "from":
                _image(reading, start, value, text)
    elif word in _SHELL_WORDS:
        if word == "SHELL":
            reading.shell = _exec_form(rest) or []
        _run(reading, start, rest, text, word)


def _flags(rest: str) -> tuple[list[tuple[str, str, int]], int]:
    """The flags at an instruction's start and the offset after them."""
    flags, position = [], len(rest) - len(rest.lstrip())
    while found := _FLAG.match(rest, position):
        flags.append((found[1], (found[2] or "").strip('"'), found.start()))
        position = found.end() + len(rest[found.end() :]) - len(rest[found.end() :].lstrip())
    return flags, position


def _argument(reading: _Reading, rest: str) -> None:
    """Defaults of build arguments, for the images that are named by them."""
    for found in re.finditer(r"(\w+)=(\"[^\"]*\"|'[^']*'|\S*)", rest):
        reading.arguments.setdefault(found[1], found[2].strip("\"'"))


def _expanded(reading: _Reading, text: str) -> str:
    """`text` with build arguments put in; unknown ones stay."""

    def value(found: re.Match[str]) -> str:
        return reading.arguments.get(found[1] or found[3], found[2] if found[2] is not None else found[0])

    return _VARIABLE.sub(value, text)


def _from(reading: _Reading, start: int, rest: str) -> None:
    """`FROM [--platform=…] image [AS stage]`."""
    reading.shell = []
    _, position = _flags(rest)
    words = rest[position:].split()
    if not words:
        return
    if words[0].lower() not in reading.stages:
        _image(reading, start + position, words[0], "FROM " + rest)
    if len(words) > 2 and words[1].lower() == "as":
        reading.stages.add(words[2].lower())


def _image(reading: _Reading, offset: int, reference: str, text: str) -> None:
    """An image, unless it is a stage of this file or a number."""
    name = _expanded(reading, reference.strip("\"'"))
    if name.lower() in reading.stages or name.isdigit() or not reading.wanted.search(name):
        return
    line, column = reading.places.at(offset)
    reading.found.append(Statement(line, column, "image", "image", name, one_line(text)))


def _run(reading: _Reading, start: int, rest: str, text: str, word: str) -> None:
    """A command in shell form, exec form or as a here-document."""
    flags, position = _flags(_flat(rest))
    for name, value, _ in flags:
        mount = _MOUNT_FROM.search(value) if name == "mount" else None
        if mount:
            _image(reading, start, mount[1], text)
    body = rest[position:]
    if word == "HEALTHCHECK":
        command = re.match(r"CMD\s+", body, re.IGNORECASE)
        if not command:
            return
        position += command.end()
        body = rest[position:]
    if not reading.wanted.search(body):
        return
    line, column = reading.places.at(start + position)
    heredoc = _HEREDOC.match(body)
    if heredoc:
        reading.found.extend(_heredocs(reading, body, line))
        return
    words = _exec_form(body)
    if words is not None:
        found = shell.from_words(words, reading.wanted)
        reading.found.extend(moved(found, line, column, one_line=True))
    elif language := _language(reading.shell):
        reading.found.extend(moved(shell.embedded(language, body, reading.wanted), line, column))
    else:
        reading.found.extend(moved(shell.extract(body, reading.wanted), line, column))


def _language(words: list[str]) -> str | None:
    """What the program of a `SHELL` instruction reads, if that is no shell."""
    interpreter = _INTERPRETER.fullmatch(words[0].rpartition("/")[2]) if words else None
    if not interpreter:
        return None
    return "javascript" if interpreter[1] in ("node", "bun", "deno") else "python"


def _heredocs(reading: _Reading, body: str, line: int) -> Iterator[Statement | Unreadable]:
    """`RUN <<EOF`: the body is a script of the default shell, or of its own first line's interpreter."""
    first, _, script = body.partition("\n")
    script = script[: script.rstrip("\r\n").rfind("\n") + 1]
    interpreter = re.match(r"#!.*?\b(python|node|perl|ruby)", script)
    if interpreter and interpreter[1] in ("python", "node"):
        language = "python" if interpreter[1] == "python" else "javascript"
        yield from moved(shell.embedded(language, script, reading.wanted), line + 1)
    elif not interpreter:
        fed = first[_HEREDOC.match(first).end() :].strip() if _HEREDOC.match(first) else ""  # type: ignore[union-attr] # just matched
        yield from (
            moved(shell.extract(script, reading.wanted), line + 1)
            if not fed
            else moved(shell.extract(f"{fed} {body}", reading.wanted), line)
        )


def _exec_form(body: str) -> list[str] | None:
    """The words of `["program", "argument"]`; None if it is not that."""
    if not body.lstrip().startswith("["):
        return None
    try:
        words = json.loads(_flat(body))
    except (ValueError, RecursionError):
        return None
    return words if isinstance(words, list) and all(isinstance(word, str) for word in words) else None
