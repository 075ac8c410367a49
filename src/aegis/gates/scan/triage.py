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
    harmless = re.compile("|".join(_harmless(catalogue)).encode(), re.IGNORECASE)
    return lambda text: harmless.match(text) is not None


def _harmless(catalogue: Catalogue) -> list[str]:
    packages = trie({entry.literal.partition(".")[0].removesuffix("*") for entry in catalogue.entries("python")})
    commands = trie(catalogue.command_roots, end=r"(?![\w.-])")
    schemes = trie({entry.literal for entry in catalogue.entries("scheme")}, end="://")
    started = rf"(?:{packages}|{commands}|{schemes})"
    # A string that begins like a name of the catalogue, or holds it as a word of a command or of code.
    telling_string = rf"[\"'`](?:[\w.+-]*[/:])?{started}|(?:[\s;|&(/=]|\\[nrt]){commands}\s"
    code_in_string = r"import|install|\bexec\b|\beval\b|[\"'`].*\\$|\\$"
    part_of_import = r"\s*[\w.]+(?:\s+as\s+\w+)?\s*[,;)]?\s*(?:#.*)?$"
    return [
        # A comment; but a long string can end in it, or a bare CR end it.
        r"\s*#[^\"'\r]*\r?$",
        # An import of one's own: nothing else on the line, and no package of the catalogue.
        rf"\s*from\s+(?!{packages})[\w.]+\s+import\s+[\w \t,()*]*\r?$",
        rf"\s*import\s+(?!{packages})[\w.]+(?:\s+as\s+\w+)?\s*\r?$",
        # No import, no code in a string, no string that begins like a name: an expression, prose, a label.
        rf"(?!.*(?:{code_in_string}|{telling_string}))(?!{part_of_import})(?!\s*{commands}\s)",
    ]
