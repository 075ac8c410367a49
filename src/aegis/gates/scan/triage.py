"""A cheap second look at a candidate line of Python: can it be part of a use at all?

Most lines with a provider's token are prose, comments, names of one's own modules. Reading their files costs a hundred
times what this look costs. Whatever is not surely harmless stays a candidate. Names are looked up in sets: a regular
expression of all of them would take longer to compile than most repositories take to be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Final

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.trie import trie

_COMMENT: Final = rb"\s*#[^\"'\r]*\r?$"
"""But a long string can end in a comment, or a bare CR end it."""
_ONE_IMPORT: Final = (
    rb"\s*(?:from\s+(?!sh\s|plumbum\b)([\w.]+)\s+import\s+[\w \t,()*]*|import\s+([\w.]+)(?:\s+as\s+\w+)?\s*)\r?$"
)
_LOADS: Final = (
    # The words themselves, and not `imports`, `imported` or `installed`: those are prose. Or the line goes on.
    rb"import(?=[\w(])(?!(?:s|ed|er|ers|ing|ant)\b)|(?<![A-Za-z])install(?![A-Za-z_])|\b(?:exec|eval)\b(?!-)|\\\r?$"
    # Commands that a library gives as functions.
    rb"|(?<![\w.])(?:from\s+)?(?:sh|plumbum\.cmd|cmd)(?:\.\w|\s+import\b)"
)
_IMPORTS: Final = rb".*\b(?:from|import)\b|[\w.,;()\s]*(?:#.*)?$"
"""Names of an import, on its own line or on one that it goes on to."""
_NAME: Final = rb"(?<![\w.])[A-Za-z_]\w*"
_STRING: Final = rb"[\"'`](?:([\w.+-]+)(://|[/:])?|[/:])(?:([\w.+-]+)(:)?)?"
"""How a string begins: a word, or a word behind the first `/` or `:`."""
_RUNS: Final = re.compile(rb"[-_.]+")


def python_triage(catalogue: Catalogue) -> Callable[[bytes], bool]:
    """A function that says whether a line of Python can be passed over."""
    return _Triage(catalogue).harmless


class _Triage:
    """The catalogue's names as a line of Python can hold them, in bytes."""

    def __init__(self, catalogue: Catalogue) -> None:
        names = {entry.literal.partition(".")[0] for entry in catalogue.entries("python")}
        self._packages = _encoded(name.lower() for name in names if name[-1] != "*")
        self._begun = tuple(_encoded(name[:-1].lower() for name in names if name[-1] == "*"))
        self._distributions = frozenset(_normal(entry.literal.encode()) for entry in catalogue.entries("pypi"))
        self._schemes = _encoded(entry.literal for entry in catalogue.entries("scheme"))
        self._commands = _encoded(catalogue.command_roots)
        words = trie(catalogue.command_roots, end=r"(?![\w.:-])").encode()
        called = rb"^\s*" + words + rb"(?:[\s,)]|$)|(?:[\s;|&(/=]|\\[nrt])" + words + rb"[\s\"'`]"
        self._comment, self._one_import = re.compile(_COMMENT), re.compile(_ONE_IMPORT)
        self._loads = re.compile(_LOADS + rb"|" + called)
        self._imports, self._name, self._string = re.compile(_IMPORTS), re.compile(_NAME), re.compile(_STRING)

    def harmless(self, text: bytes) -> bool:
        """No import of the catalogue's, no code or command in a string, no string that begins like a name."""
        if self._comment.match(text):
            return True
        if self._loads.search(text):
            return False
        if found := self._one_import.match(text):
            return not self._is_package(found[1] or found[2])
        if any(map(self._tells, self._string.finditer(text))):
            return False
        return not (self._imports.match(text) and any(map(self._is_package, self._name.findall(text))))

    def _tells(self, string: re.Match[bytes]) -> bool:
        first, joint, second, ends = string.groups()
        if first and ((joint == b"://" and first.lower() in self._schemes) or self._is_name(first, joint == b":")):
            return True
        return bool(second) and self._is_name(second, bool(ends))

    def _is_name(self, word: bytes, is_label: bool) -> bool:
        """Whether it is a module, a distribution or a command, which `aws:` is not."""
        if self._is_package(word) or _normal(word) in self._distributions:
            return True
        stem, _, ending = word.partition(b".")
        return not is_label and (word in self._commands or (stem in self._commands and ending in (b"exe", b"cmd")))

    def _is_package(self, word: bytes) -> bool:
        known = word.lower()
        return known.partition(b".")[0] in self._packages or known.startswith(self._begun)


def _encoded(words: Iterable[str]) -> frozenset[bytes]:
    return frozenset(word.encode() for word in words)


def _normal(name: bytes) -> bytes:
    """PEP 503."""
    return _RUNS.sub(b"-", name).lower()
