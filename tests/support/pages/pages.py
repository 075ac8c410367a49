"""What the documentation says, in a form that a test can hold against the program."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

SHELL = frozenset({"sh", "bash", "shell", "console"})
"""Languages of blocks that a reader types."""

_FENCE = re.compile(r"^(\s*)```(\S*)\s*$")
_MARK = re.compile(r"^\s*<!-- (run|run by|not run): (.+?) -->$")
_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Mark:
    """The comment on the line before a block of commands: who runs it, or why nobody does."""

    kind: str
    """`run` by a scene of the documentation's own tests, `run by` another test, or `not run`."""
    what: str
    """The scene's name, the test's path, the reason."""


@dataclass(frozen=True)
class Block:
    """A fenced block of code, without its indentation."""

    page: str
    line: int
    language: str
    text: str
    section: str
    """The heading above it."""
    mark: Mark | None = None

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def is_typed(self) -> bool:
        """Whether it holds commands, and is no example of scanned code."""
        return self.language in SHELL and not re.match(r"# (bad|good)\b", self.text)


@cache
def pages() -> tuple[str, ...]:
    """Every page that git tracks; the corpus of the tests is not documentation."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(page for page in listed.stdout.splitlines() if not page.startswith("tests/"))


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(block for page in pages() for block in read(page, text(page)))


def typed() -> tuple[Block, ...]:
    """Every block of commands."""
    return tuple(block for block in blocks() if block.is_typed)


@dataclass(frozen=True)
class File:
    """A block whose first line is the path of the file that it shows."""

    path: str
    text: str


def files(page: str) -> list[File]:
    """The files that a page shows whole, in its order."""
    found = [(re.match(r"# ([\w./-]+\.\w+)\n", block.text), block.text) for block in blocks() if block.page == page]
    return [File(first[1], text) for first, text in found if first]


def workflows(page: str) -> list[File]:
    """Those that are workflows."""
    return [file for file in files(page) if file.path.startswith(".github/workflows/")]


def commands(block: Block) -> list[str]:
    """What a reader types: of a `console` block the lines after `$`, of others every line; continued lines are one.

    The text of a file that is written (`<<'EOF'`) is no command.
    """
    text = re.sub(r"<<'(\w+)'\n.*?\n\1\n", "\n", block.text, flags=re.DOTALL)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    if block.language == "console":
        return [line.removeprefix("$ ") for line in lines if line.startswith("$ ")]
    return [line for line in lines if line and not line.startswith("#")]


def programs(command: str) -> list[list[str]]:
    """The words of each program of a command, without variables that are set before it, and what `$(…)` runs."""
    lexer = shlex.shlex(re.sub(r"\$\([^()]*\)", "X", command), posix=True, punctuation_chars=True)
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    for word in lexer:
        if word in {"&&", "||", "|", ";", "&"}:
            found.append([])
        elif found[-1] or not re.match(r"[A-Z_]+=", word):
            found[-1].append(word)
    return [words for words in found if words]


def prose(page: str) -> str:
    """The page without its fenced blocks, and without what it quotes (`>`): a recorded summary is not what it says."""
    kept, inside = [], False
    for line in text(page).splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside and not line.startswith(">"):
            kept.append(line)
    return "\n".join(kept)


def links(page: str) -> list[str]:
    return [target for target in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = [found[2] for line in prose(page).splitlines() if (found := _HEADING.match(line))]
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)


def read(page: str, content: str) -> Iterator[Block]:
    """The fenced blocks of a page's text."""
    section, language, indent, start, kept = "", "", "", 0, list[str]()
    mark: Mark | None = None
    for number, line in enumerate(content.splitlines(), start=1):
        fence = _FENCE.match(line)
        if start:
            if line.rstrip() == f"{indent}```":
                yield Block(page, start, language, "\n".join(kept) + "\n", section, mark)
                start, kept, mark = 0, [], None
            else:
                kept.append(line.removeprefix(indent))
        elif fence:
            indent, language, start = fence[1], fence[2], number
        elif heading := _HEADING.match(line):
            section = heading[2]
        elif marked := _MARK.match(line):
            mark = Mark(marked[1], marked[2])
        else:
            mark = None
    assert not start, f"{page}:{start}: the block has no end"
