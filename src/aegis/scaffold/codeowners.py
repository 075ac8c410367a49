"""CODEOWNERS: our own lines in a file of others, and who owns a path.

https://docs.github.com/repositories/managing-your-repositorys-settings-and-features/customizing-your-repository/about-code-owners
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

PLACES = (".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS")
"""Where GitHub looks, in this order; only the first that is there counts."""
BEGIN, END = "# aegis: begin (written by `aegis init`)", "# aegis: end"
_BLOCK = re.compile(rf"^{re.escape(BEGIN)}\n(?P<own>.*?)^{re.escape(END)}(?:\n|\Z)", re.MULTILINE | re.DOTALL)


def own_lines(text: str | None) -> str | None:
    """What stands between our marks; None where they are not there."""
    found = _BLOCK.search(text or "")
    return found["own"] if found else None


def with_own_lines(text: str | None, own: str | None) -> str | None:
    """The file with our lines at its end, where they count most: the last pattern that fits decides.

    Lines that follow ours stay behind them, since somebody put them there. None: nothing is left of the file.
    """
    text = text or ""
    block = f"{BEGIN}\n{own}{END}\n" if own is not None else ""
    found = _BLOCK.search(text)
    if found:
        joined = text[: found.start()] + block + text[found.end() :]
    else:
        gap = "" if not text else "\n" if text.endswith("\n") else "\n\n"
        joined = text + gap + block if block else text
    return joined if joined.strip() else None


def owners(text: str, path: str) -> tuple[str, ...]:
    """Who owns a path (without a slash before it): of the last line that fits, perhaps nobody."""
    for pattern, names in reversed(_rules(text)):
        if _expression(pattern).fullmatch(path):
            return names
    return ()


def _rules(text: str) -> list[tuple[str, tuple[str, ...]]]:
    rules = []
    for line in text.splitlines():
        words = _words(line)
        if words and not words[0].startswith("#"):
            rules.append((words[0], tuple(words[1:])))
    return rules


def _words(line: str) -> list[str]:
    """By spaces that no backslash stands before; a comment ends the line."""
    words = [word.replace("\\ ", " ") for word in re.findall(r"(?:\\.|[^\s\\])+", line)]
    end = next((i for i, word in enumerate(words) if word.startswith("#")), len(words))
    return words[:end]


@lru_cache(maxsize=256)
def _expression(pattern: str) -> re.Pattern[str]:
    """A pattern as .gitignore reads it, but for `!` and `[ ]`, which CODEOWNERS does not know."""
    if pattern.startswith("!") or "[" in pattern:
        return re.compile(r"(?!)")
    anchored = "/" in pattern.rstrip("/")
    body = pattern.strip("/")
    folder = pattern.endswith("/")
    parts = [_segment(segment) for segment in body.split("/")] if body else []
    text = "/".join(parts).replace("\0/", "(?:[^/]+/)*").replace("/\0", "(?:/.*)?").replace("\0", ".*")
    before = "" if anchored else "(?:.*/)?"
    # a name means a file or all that a folder of that name holds; `dir/*` means what lies in it, and no deeper
    after = "/.*" if folder else "" if body.endswith("*") and anchored else "(?:/.*)?"
    return re.compile(before + text + after, re.DOTALL)


def _segment(segment: str) -> str:
    if segment == "**":
        return "\0"
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(char, re.escape(char)) for char in segment)


def unowned(text: str, paths: Iterable[str]) -> list[str]:
    """Those that nobody owns."""
    return [path for path in paths if not owners(text, path)]
