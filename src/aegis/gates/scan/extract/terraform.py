"""Terraform and OpenTofu: providers, and the commands that provisioners and external data sources run."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.gates.scan.extract._lines import moved
from aegis.gates.scan.extract._place import one_line
from aegis.gates.scan.extract.manifests import _json
from aegis.gates.scan.extract.manifests._entry import Entries
from aegis.gates.scan.extract.shell import text as shell
from aegis.gates.scan.model import Statement, Unreadable

_TOKEN = re.compile(
    r"(?P<comment>#[^\n]*|//[^\n]*|/\*[\s\S]*?(?:\*/|\Z))"
    r"|(?P<heredoc><<-?[ \t]*(?P<tag>[A-Za-z_][\w-]*)[ \t]*\r?\n)"
    r'|(?P<string>")'
    r"|(?P<name>[A-Za-z_][\w-]*)"
    r"|(?P<sign>[{}\[\]()=:,])"
    r"|(?P<newline>\n)"
    r"|(?P<other>[^\s\"#/<{}\[\]()=:,A-Za-z_]+|[\s\S])"
)
_NESTED = 50
"""Strings within templates within strings that are followed; real configurations stay below 5."""


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    offset: int


def _tokens(source: str) -> Iterator[_Token]:
    """HCL's tokens without comments and spaces: names, strings (templates left as they are), signs, line ends."""
    position = 0
    while position < len(source):
        found = _TOKEN.match(source, position)
        if found is None:
            return
        kind = found.lastgroup or "other"
        position = found.end()
        if kind == "string":
            end = _string_end(source, position)
            yield _Token("string", source[position:end], position)
            position = end + 1
        elif kind in ("heredoc", "tag"):
            body, position = _heredoc(source, position, found["tag"])
            yield _Token("string", body, found.end())
        elif kind in ("name", "sign", "newline"):
            yield _Token(kind, found[0], found.start())


def _string_end(source: str, position: int, nested: int = 0) -> int:
    """The offset of the quote that ends a string; strings inside `${ … }` do not end it."""
    if nested > _NESTED:
        return len(source)
    depth: list[int] = []
    while position < len(source):
        char = source[position]
        if char == "\\" and not depth:
            position += 2
        elif (char == '"' and not depth) or (char == "\n" and not depth):
            return position
        elif source.startswith(("${", "%{"), position) and source[position - 1] != char:
            depth.append(0)
            position += 2
        elif depth and char == '"':
            position = _string_end(source, position + 1, nested + 1) + 1
        elif depth and char in "{}":
            depth[-1] += 1 if char == "{" else -1
            if depth[-1] < 0:
                depth.pop()
            position += 1
        else:
            position += 1
    return len(source)


def _heredoc(source: str, position: int, tag: str) -> tuple[str, int]:
    """The body of a here-document and the offset after it."""
    end = re.compile(rf"(?m)^[ \t]*{re.escape(tag)}[ \t]*\r?$").search(source, position)
    if end is None:
        return source[position:], len(source)
    return source[position : end.start()], end.end()


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Providers and commands of a `.tf` file."""
    if not wanted.search(source):
        return []
    entries = Entries(source, wanted, "terraform")
    blocks: list[tuple[str, ...]] = []
    tokens = list(_tokens(source))
    if tokens and tokens[-1].kind == "string" and tokens[-1].offset + len(tokens[-1].text) >= len(source):
        entries.unreadable(tokens[-1].offset, "a string that is never closed")
    line: list[_Token] = []
    for index, token in enumerate(tokens):
        if token.kind == "newline" or (token.text == "," and token.kind == "sign"):
            line = []
        elif token.kind == "sign" and token.text == "{":
            blocks.append(_opened(entries, blocks, line))
            line = []
        elif token.kind == "sign" and token.text == "}":
            if blocks:
                blocks.pop()
            line = []
        else:
            if token.kind == "string" and len(line) > 1 and line[-1].text in ("=", ":") and line[-1].kind == "sign":
                _assigned(entries, blocks, line[-2].text, token)
            elif (
                token.text == "["
                and len(line) > 1
                and line[-2].text == "program"
                and blocks
                and blocks[-1][:2] == ("data", "external")
            ):
                _program(entries, tokens[index + 1 :], token)
            line.append(token)
    return entries.result()


def _opened(entries: Entries, blocks: list[tuple[str, ...]], line: list[_Token]) -> tuple[str, ...]:
    """The words before a `{`; a provider's block names a provider."""
    words = tuple(token.text for token in line if token.kind in ("name", "string"))
    if not blocks and words[:1] == ("provider",) and len(words) > 1:
        entries.add(line[1].offset, f"hashicorp/{words[1]}", f'provider "{words[1]}"')
    return words


def _assigned(entries: Entries, blocks: list[tuple[str, ...]], key: str, token: _Token) -> None:
    """`key = "string"` inside the blocks that give it a meaning."""
    if key == "source" and any(block[:1] == ("required_providers",) for block in blocks):
        entries.add(token.offset, _source(token.text), f'source = "{token.text}"')
    elif len(blocks) > 1 and blocks[-1][:1] == ("required_providers",):
        entries.add(token.offset, f"hashicorp/{key}", f'{key} = "{token.text}"')
    elif key == "command" and blocks[-1:] == [("provisioner", "local-exec")]:
        _shell(entries, token)


def _source(text: str) -> str:
    """A provider's source without its registry host (`registry.terraform.io/hashicorp/aws`)."""
    parts = text.split("/")
    return "/".join(parts[1:]) if len(parts) == 3 else f"hashicorp/{text}" if len(parts) == 1 else text


def _shell(entries: Entries, token: _Token) -> None:
    """The commands of a string."""
    text = re.sub(r'\\"', ' "', token.text)
    line, column = entries.places.at(token.offset)
    entries.found.extend(moved(shell.extract(text, entries.wanted), line, column))


def _program(entries: Entries, tokens: list[_Token], opening: _Token) -> None:
    """`program = ["aws", …]` of an external data source."""
    words: list[str] = []
    for token in tokens:
        if token.text == "]" and token.kind == "sign":
            break
        if token.kind == "string":
            words.append(token.text)
    line, column = entries.places.at(opening.offset)
    entries.found.extend(moved(shell.from_words(words, entries.wanted), line, column, one_line=True))


def tf_json(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Terraform's JSON syntax."""
    if not wanted.search(source):
        return []
    entries = Entries(source, wanted, "terraform")
    try:
        json.loads(source.lstrip("\ufeff"), strict=False)
    except (ValueError, RecursionError) as error:
        entries.unreadable(0, f"not valid JSON: {error}")
        return entries.result()
    for item in _json.items(source):
        path = item.path
        if item.value is None and len(path) == 2 and path[0] == "provider":
            entries.add(item.offset, f"hashicorp/{path[1]}", f'provider "{path[1]}"')
        elif item.value is not None and path[:2] == ("terraform", "required_providers"):
            if path[-1] == "source":
                entries.add(item.offset, _source(item.value), f'source = "{item.value}"')
            elif len(path) == 3:
                entries.add(item.offset, f"hashicorp/{path[2]}", f'{path[2]} = "{item.value}"')
        elif item.value is not None and path[-2:] == ("local-exec", "command"):
            line, column = entries.places.at(item.offset + 1)
            entries.found.extend(moved(shell.extract(item.value, wanted), line, column, one_line=True))
    return entries.result()


_LOCKED = re.compile(r'(?m)^provider[ \t]+"([^"\n]+)"[ \t]*\{')


def lock(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """.terraform.lock.hcl: the providers of the configuration and of its modules, so nobody marks them as direct."""
    entries = Entries(source, wanted, "terraform")
    for found in _LOCKED.finditer(source):
        entries.add(found.start(1), _source(found[1]), one_line(found[1]), direct=False)
    return entries.result()
