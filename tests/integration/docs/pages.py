"""What the documentation says, in a form that a test can hold against the program."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]

_FENCE = re.compile(r"^```(\S*)\s*$")
_HEADING = re.compile(r"^(#{1,6}) (.+?)\s*$")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A fenced block of code."""

    page: str
    line: int
    language: str
    text: str
    section: str
    """The heading above it."""

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@cache
def pages() -> tuple[str, ...]:
    """Every page that git tracks; the corpus of the tests is not documentation."""
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, text=True, check=True)
    return tuple(page for page in listed.stdout.splitlines() if not page.startswith("tests/"))


def text(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


@cache
def blocks() -> tuple[Block, ...]:
    return tuple(block for page in pages() for block in _blocks(page))


def commands() -> list[tuple[str, str]]:
    """Place and words of every command of a `console` block."""
    return [
        (block.place, line.removeprefix("$ "))
        for block in blocks()
        if block.language == "console"
        for line in block.text.splitlines()
        if line.startswith("$ ")
    ]


def prose(page: str) -> str:
    """The page without its fenced blocks."""
    kept, inside = [], False
    for line in text(page).splitlines():
        if _FENCE.match(line):
            inside = not inside
        elif not inside:
            kept.append(line)
    return "\n".join(kept)


def links(page: str) -> list[str]:
    return [target for target in _LINK.findall(prose(page)) if not re.match(r"[a-z]+:", target)]


@cache
def anchors(page: str) -> frozenset[str]:
    """The anchors that GitHub gives to a page's headings."""
    titles = [found[2] for line in prose(page).splitlines() if (found := _HEADING.match(line))]
    return frozenset(re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles)


def _blocks(page: str) -> Iterator[Block]:
    section, language, start, kept = "", "", 0, list[str]()
    for number, line in enumerate(text(page).splitlines(), start=1):
        fence = _FENCE.match(line)
        if start:
            if line.rstrip() == "```":
                yield Block(page, start, language, "\n".join(kept) + "\n", section)
                start, kept = 0, []
            else:
                kept.append(line)
        elif fence:
            language, start = fence[1], number
        elif heading := _HEADING.match(line):
            section = heading[2]
    assert not start, f"{page}:{start}: the block has no end"
