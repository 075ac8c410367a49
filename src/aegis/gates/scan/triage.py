"""A cheap second look at a candidate line of Python: can it be part of a use at all?

Most lines with a provider's token are prose, comments, names of one's own modules. Reading their files costs a hundred
times what this look costs. Whatever is not surely harmless stays a candidate.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from aegis.gates.scan.catalogue import Catalogue
from aegis.gates.scan.trie import trie


def python_triage(catalogue: Catalogue) -> Callable[[bytes], bool]:
    """A function that says whether a line of Python can be passed over."""
    harmless = re.compile("|".join(_harmless(catalogue)).encode())
    return lambda text: harmless.match(text) is not None


def _harmless(catalogue: Catalogue) -> list[str]:
    names = {entry.literal.partition(".")[0] for entry in catalogue.entries("python")}
    whole, begun = (name for name in names if name[-1] != "*"), (name[:-1] for name in names if name[-1] == "*")
    package = rf"(?:{trie(whole, end='(?![0-9A-Za-z_])')}|{trie(begun)})"
    distributions = trie((entry.literal for entry in catalogue.entries("pypi")), end="(?![0-9A-Za-z])")
    distribution = distributions.replace(r"\-", "[-_.]+")  # PEP 503
    command = trie(catalogue.command_roots, end=r"(?![\w.:-])")
    scheme = trie({entry.literal for entry in catalogue.entries("scheme")}, end="://")
    # A string that begins like a name of the catalogue, or holds it as a word of a command.
    telling_string = rf"[\"'`](?:[\w.+-]*[/:])?(?:(?i:{package}|{distribution}|{scheme})|{command})"
    word_of_command = rf"(?:[\s;|&(/=]|\\[nrt]){command}[\s\"'`]"
    # The words themselves, and not `imports`, `imported` or `installed`: those are prose.
    loader = r"import(?=[\w(])(?!(?:s|ed|er|ers|ing|ant)\b)|(?<![A-Za-z])install(?![A-Za-z_])|\b(?:exec|eval)\b(?!-)"
    goes_on = r"\\\r?$"
    return [
        # A comment; but a long string can end in it, or a bare CR end it.
        r"\s*#[^\"'\r]*\r?$",
        # An import of one's own: nothing else on the line, and no package of the catalogue.
        rf"\s*from\s+(?!{package})[\w.]+\s+import\s+[\w \t,()*]*\r?$",
        rf"\s*import\s+(?!{package})[\w.]+(?:\s+as\s+\w+)?\s*\r?$",
        # No import of the catalogue's, on this line or going on from the one before; no code or command in a string, no
        # string that begins like a name: an expression, prose, a label.
        (
            rf"(?!.*(?:{loader}|{telling_string}|{word_of_command}|{goes_on}))"
            rf"(?!(?=.*\b(?:from|import)\b|[\w.,;()\s]*(?:#.*)?$).*(?<![\w.]){package})(?!\s*{command}\s)"
        ),
    ]
