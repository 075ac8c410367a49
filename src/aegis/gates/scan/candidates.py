"""Where a use could stand at all: one `git grep` over what git tracks, and a cheap second look at each line.

The pattern asks for the catalogue's root tokens, and for every way to write a token that the file's bytes do not
show: letters that Python folds (NFKC), escapes, joined strings, encodings that are not ASCII's superset, and LFS
pointers that stand for a content which is not here.
"""

from __future__ import annotations

import functools
import re
import sys
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aegis.core.ports.repository import Line
from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.triage import python_triage
from aegis.gates.scan.trie import trie

_COMPATIBLE: Final = (
    # Letters that Python takes for ASCII ones (NFKC, PEP 3131): the UTF-8 of every character that folds to one. Some
    # more match; the second look at the line sorts them out.
    r"\xC2[\xAA\xBA]|\xC4[\xB2\xB3\xBF]|\xC5[\x80\x89\xBF]|\xC7[\x84-\x8C\xB1-\xB3]|\xCA[\xB0-\xB8]|\xCB[\xA1-\xA3]"
    r"|\xE1(?:[\xB4\xB5].|\xB6[\x9C\xA0\xBB]|\xBA\x9A)|\xE2(?:\x81[\xB1\xBF]|\x82[\x90-\x9C]|\x84[\x82-\xB9]"
    r"|\x85[\x85-\xBF]|\xB1[\xBC\xBD])|\xEA\x9F[\xB2-\xB4]|\xEF(?:\xAC[\x80-\x86]|\xB8[\xB3\xB4]|\xB9[\x8D-\x8F]"
    r"|\xBC[\x90-\x99\xA1-\xBA\xBF]|\xBD[\x81-\x9A])|\xF0(?:\x90\x9E\xA5|\x9D[\x90-\x9F]|\x9F\xAF[\xB0-\xB9])"
    # The same in Latin-1 and its relatives, where such a byte follows no other byte above ASCII.
    r"|(?<![\x80-\xFF])[\xAA\xBA]"
)
_FOLDED: Final = (
    _COMPATIBLE,
    # Escapes of ASCII letters, digits and `-./@_` in strings. Java decodes `\u0061` anywhere (JLS 3.3).
    r"\\(?:x[2-7][0-9A-Fa-f]|u+(?:00|\{0*)[2-7][0-9A-Fa-f]|U0000|N\{|0?[56][0-7]|1[0-7][0-7])",
    # Strings that are joined: `"bo" + "to3"`, `"bo" "to3"`.
    r"[\"'`](?<=[\w@./-].)[ \t]*+(?:\+[ \t]*+)?[rRbBuUfF]?[\"'`][\w@./-]",
    r"\x00[!-~]\x00[!-~]\x00",  # UTF-16 without a mark
)
"""Where a token may stand without its letters; `_unfolded` tells whether one does."""
_OPAQUE: Final = (
    # PEP 263: an encoding in which the bytes of a token are not its ASCII letters.
    r"coding[:=][ \t]*+(?!(?i:utf-?8|latin|ascii|us-ascii|iso-?8859|cp125|windows-125))",
    r"\xFF\xFE|\xFE\xFF",  # UTF-16
    r"version https://git-lfs\.github\.com/spec/",
    r"bun-lockfile-format-v",  # Bun's binary lock: names stand in it without anything between them
    r"\\(?<=[\w@./-].)\r?$",  # a string that goes on in the next line may go on within a token
)
"""Where a line may say nothing about the others of its file, so that all of it must be read."""
_IS_OPAQUE: Final = (
    rb"[^\r\n]*#.*"
    + _OPAQUE[0].encode()
    + rb"|(?:\xEF\xBB\xBF)?(?:\xFF\xFE|\xFE\xFF)|"
    + b"|".join(each.encode() for each in _OPAQUE[2:4])
    + rb"|.*\b(?:import|from|require|import_module|__import__|forName)\b[^\"'`]*[\"'`][^\"'`]*\\\r?$"
)
_PART_OF_NAME: Final = rb"\s*[\w.-]+\\\r?$"
_WORD_START: Final = r"(?<!(?<!\\)[A-Za-z0-9])"
LFS_POINTER: Final = b"version https://git-lfs.github.com/spec/"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that has to be read, down to its last candidate line."""

    path: str
    last_line: int | None
    """None: read all of it."""


def prefilters(catalogue: Catalogue) -> tuple[str, str]:
    """The patterns (PCRE, bytes), one of which every use's line matches: what says so, and what may hide it.

    Each alternative starts with a character of its own, so that the matcher skips to the next place where one may
    begin. The two are searched for one after the other, because together they would start with almost any character.
    """
    return _plain(catalogue), "|".join((*_FOLDED, *_OPAQUE))


@functools.cache
def _plain(catalogue: Catalogue) -> str:
    """Roots, at the start of a word or behind an escape like that of a line feed; commands as a whole word; schemes.

    Case is for the catalogue to judge.
    """
    commands = [root for root in catalogue.command_roots if not root.lower().startswith(catalogue.roots)]
    called = trie(commands, end=r"(?:\.(?:exe|cmd))?(?=[\s\"'\\,`)\]]|$)")
    schemes = trie((entry.literal for entry in catalogue.entries("scheme")), end="://")
    attributes = rf"sh\.{trie(commands)}(?!\w)"  # a library that gives commands as its functions
    return rf"{_WORD_START}(?i:{trie(catalogue.roots)}|{called}|{schemes}|{attributes})"


def wanted_names(catalogue: Catalogue) -> re.Pattern[str]:
    """What an extractor looks for in a name. It may say yes too often: the catalogue has the last word."""
    tokens = trie(root.lower() for root in (*catalogue.roots, *catalogue.command_roots))
    return re.compile(rf"{_WORD_START}(?:{tokens})|^(?:{_schemes(catalogue)})$", re.IGNORECASE)


def _schemes(catalogue: Catalogue) -> str:
    return "|".join(re.escape(entry.literal) for entry in catalogue.entries("scheme")) or "(?!)"


def candidates(lines: Iterable[Line], catalogue: Catalogue) -> list[Candidate]:
    """The files that must be read, from the lines that `prefilters` found."""
    harmless, token, opaque = python_triage(catalogue), _token(catalogue), _compiled(_IS_OPAQUE)
    last: dict[str, int | None] = {}
    for line in lines:
        known = last.get(line.path, 0)
        if known is None:
            continue
        odd = _is_odd(line.text)
        if line.truncated or opaque.match(line.text) or _goes_on_in_a_name(line):
            last[line.path] = None
        elif odd and not token.search(line.text):
            if token.search(_unfolded(line.text)):
                last[line.path] = None
        elif not (_is_module(line.path) and harmless(line.text) and not (odd and not harmless(_unfolded(line.text)))):
            last[line.path] = max(known, line.number)
    return [Candidate(path, number) for path, number in sorted(last.items())]


def _goes_on_in_a_name(line: Line) -> bool:
    """Whether a requirement's name goes on in the next line, as pip joins them."""
    return line.path.endswith((".txt", ".in", ".pip")) and _compiled(_PART_OF_NAME).match(line.text) is not None


def _is_module(path: str) -> bool:
    """Whether only Python reads the file: `setup.py` is a manifest, too."""
    return path.endswith(".py") and not path.endswith("setup.py")


def _is_odd(text: bytes) -> bool:
    """Whether the line may say more than its bytes show."""
    return _compiled(_ODD).search(text) is not None or (
        not text.isascii() and _compiled(_COMPATIBLE.encode()).search(text) is not None
    )


@functools.cache
def _compiled(pattern: bytes) -> re.Pattern[bytes]:
    """Compiled when the first line comes: most changes have none."""
    return re.compile(pattern)


def _unfolded(text: bytes) -> bytes:
    """A line with its letters shown: as its language reads it, whichever that is."""
    try:
        shown = text.replace(b"\0", b"").decode("utf-8")
    except UnicodeDecodeError:
        shown = text.replace(b"\0", b"").decode("latin-1")
    shown = unicodedata.normalize("NFKC", _ESCAPE.sub(_escaped, shown))
    return _JOINT.sub("", shown).encode("utf-8", "replace")


def _escaped(match: re.Match[str]) -> str:
    if match["name"]:
        try:
            return unicodedata.lookup(match["name"])
        except KeyError:
            return match[0]
    number = int(match["hex"], 16) if match["hex"] else int(match["octal"], 8)
    return chr(number) if number <= sys.maxunicode else match[0]


@functools.lru_cache(maxsize=1)
def _token(catalogue: Catalogue) -> re.Pattern[bytes]:
    """What `prefilters` ask for in plain letters."""
    return re.compile(_plain(catalogue).encode())


_ODD: Final = "|".join((*_FOLDED[1:], *_OPAQUE)).encode()
_ESCAPE: Final = re.compile(
    r"\\(?:(?:x|U|u+\{?)(?P<hex>(?<=x)[0-9A-Fa-f]{2}|(?<=u)[0-9A-Fa-f]{4}|(?<=\{)[0-9A-Fa-f]+(?=\})|(?<=U)[0-9A-Fa-f]{8})\}?"
    r"|N\{(?P<name>[^}]+)\}|(?P<octal>[0-7]{2,3}))"
)
_JOINT: Final = re.compile(r"(?<=[\w@./-])[\"'`]\s*(?:\+\s*)?[rRbBuUfF]?[\"'`](?=[\w@./-])")
