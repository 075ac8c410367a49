"""The one glob dialect of every policy: which paths a pattern means.

A pattern is matched against the whole path, from the repository's root, case-sensitively:

`*`    any run of characters within one folder or file name, also an empty one
`?`    one character other than `/`
`**`   as a whole segment: any number of folders, also none; at the end: everything inside, at any depth
`a/`   the same as `a/**`

Everything else means itself: `app/[id]/page.ts` is that one file. Other than in .gitignore there are no negations, no
character classes, and a name without a slash is a file at the root, so that a pattern never means more than it says.

A path is matched in time proportional to its length times the pattern's: once the text between two wildcards was found,
it is not looked for again further on (atomic groups), which is right because the first place leaves most for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

WILDCARDS = frozenset("*?")


def problem(pattern: str) -> str | None:
    """Why this is no pattern of the dialect; None if it is one."""
    if not pattern or pattern.startswith("/"):
        return "it must be a path relative to the repository's root"
    if "\\" in pattern:
        return "folders are separated by `/`"
    if any(char < " " or char == "\x7f" for char in pattern):
        return "it holds a control character"
    segments = _segments(pattern)
    if any(segment in {"", ".", ".."} for segment in segments):
        return "a segment is empty, `.` or `..`"
    if any("**" in segment and segment != "**" for segment in segments):
        return "`**` must stand alone between slashes"
    return None


def matches(pattern: str, path: str) -> bool:
    """Whether a path (relative, with forward slashes) is meant by a pattern. A wrong pattern means nothing."""
    return _compiled(pattern).fullmatch(path) is not None


def matches_any(patterns: Sequence[str], path: str) -> bool:
    """Whether one of the patterns means the path."""
    return any(matches(pattern, path) for pattern in patterns)


def _segments(pattern: str) -> list[str]:
    return (pattern + "**" if pattern.endswith("/") else pattern).split("/")


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    if problem(pattern):
        return re.compile(r"(?!)")
    blocks: list[list[str]] = [[]]
    for segment in _segments(pattern):
        if segment == "**":
            blocks.append([])
        else:
            blocks[-1].append(_segment(segment))
    first, *later = blocks
    if not later:
        return re.compile("/".join(first), re.DOTALL)
    parts = ["".join(f"{segment}/" for segment in first)]
    parts += ["(?>(?:[^/]+/)*?" + "".join(f"{segment}/" for segment in block) + ")" for block in later[:-1] if block]
    parts.append("(?:[^/]+/)*" + ("/".join(later[-1]) or "[^/]+"))
    return re.compile("".join(parts), re.DOTALL)


def _segment(segment: str) -> str:
    """One name as an expression: each run of literal text is found once, the last one stands at the name's end."""
    first, *later = ("".join("[^/]" if char == "?" else re.escape(char) for char in run) for run in segment.split("*"))
    if not later:
        return first
    return first + "".join(f"(?>[^/]*?{run})" for run in later[:-1]) + f"[^/]*{later[-1]}"
