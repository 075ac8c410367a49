"""Where a use could stand at all: one `git grep` over what git tracks, and a cheap second look at each line.

The pattern asks for the catalogue's root tokens, and for every way to write a token that the file's bytes do not
show: letters that Python folds (NFKC), escapes in a module's name, encodings that are not ASCII's superset, and LFS
pointers that stand for a content which is not here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aegis.core.ports.repository import Line
from aegis.gates.scan.catalogue import Catalogue

_LOADS: Final = r"(?:import|from|require|forName|loadClass|find_spec|resolve_name|export)"
_HIDDEN: Final = (
    rf"\b{_LOADS}\b.*[^\x00-\x7F]",  # letters that NFKC folds, as Python does (PEP 3131)
    rf"\b{_LOADS}\b.*\\(?:u|x|N|[0-7])",  # escapes within a module's name
    r"\\u+00",  # Java decodes these anywhere, even in a keyword (JLS 3.3)
    # PEP 263: an encoding in which the bytes of a token are not its ASCII letters.
    r"^[ \t\f]*#.*coding[:=][ \t]*(?!utf-?8|latin|ascii|us-ascii|iso-?8859|cp125|koi8|euc|gb|big5|shift|windows)",
    r"^(?:\xEF\xBB\xBF)?(?:\xFF\xFE|\xFE\xFF)",  # UTF-16
    r"^version https://git-lfs\.github\.com/spec/",
)
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"

@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that has to be read, down to its last candidate line."""

    path: str
    last_line: int | None
    """None: read all of it."""


def prefilter(catalogue: Catalogue) -> str:
    """The pattern (PCRE, bytes) that every use's line matches."""
    roots = "|".join(re.escape(root) for root in catalogue.roots)
    commands = "|".join(re.escape(root) for root in catalogue.command_roots)
    named = rf"(?<![A-Za-z0-9])(?i:{roots})"
    called = rf"(?<![\w.-])(?:{commands})(?:\.(?:exe|cmd))?(?=[\s\"'\\,`)\]]|$)"
    return "|".join((named, called, *_HIDDEN))


def wanted_names(catalogue: Catalogue) -> re.Pattern[str]:
    """What an extractor looks for in a name. It may say yes too often: the catalogue has the last word."""
    tokens = "|".join(re.escape(root) for root in (*catalogue.roots, *catalogue.command_roots))
    return re.compile(rf"(?<![A-Za-z0-9])(?:{tokens})|^(?:{_schemes(catalogue)})$", re.IGNORECASE)


def _schemes(catalogue: Catalogue) -> str:
    return "|".join(re.escape(entry.literal) for entry in catalogue.entries("scheme")) or "(?!)"


def candidates(lines: Iterable[Line], catalogue: Catalogue) -> list[Candidate]:
    """The files that must be read, from the lines that `prefilter` found."""
    noise = _python_noise(catalogue)
    last: dict[str, int | None] = {}
    for line in lines:
        if line.truncated or _HIDDEN_BYTES.search(line.text):
            last[line.path] = None
        elif line.path.endswith(".py") and noise.match(line.text):
            continue
        elif line.path not in last:
            last[line.path] = line.number
        elif (known := last[line.path]) is not None:
            last[line.path] = max(known, line.number)
    return [Candidate(path, number) for path, number in sorted(last.items())]


def _python_noise(catalogue: Catalogue) -> re.Pattern[bytes]:
    """Python lines that are no part of an import, a string or a command: comments, expressions, prose."""
    commands = "|".join(re.escape(root) for root in catalogue.command_roots)
    part_of_import = r"\s*[\w.]+(?:\s+as\s+\w+)?\s*[,;)]?\s*$"
    telling = rf".*(?:import|from|[\"'`\\])|{part_of_import}|\s*(?:sudo\s+)?(?:{commands})\s"
    return re.compile(rf"\s*#|(?!{telling})".encode())


_HIDDEN_BYTES: Final = re.compile("|".join(_HIDDEN).encode("latin-1"))
