"""The scripts in Vue, Svelte and Astro components, everything else blanked."""

from __future__ import annotations

import re

from aegis.gates.scan.extract._code import blank

_MARKUP = re.compile(r"\ufeff?\s*+(?:<[A-Za-z!]|\{[#@]|---[ \t]*\r?\n)")
_FRONT_MATTER = re.compile(r"\ufeff?\s*+---[ \t]*\r?\n(.*?)^---[ \t]*\r?$", re.DOTALL | re.MULTILINE)
_SCRIPT = re.compile(r"<!--.*?-->|<script\b[^>]*>(?P<code>.*?)(?:</script\s*>|\Z)", re.DOTALL | re.IGNORECASE)
LOADS = re.compile(r"(?<![\w$.])(?:import|require)\s*\(\s*([\"'`])([^\"'`\n]+)\1")
"""A module loaded in an expression of the markup."""


def is_markup(source: str) -> bool:
    """Whether the file looks like a component: it starts with markup and has a script."""
    return _MARKUP.match(source) is not None and bool(scripts(source))


def scripts(source: str) -> list[tuple[int, int]]:
    """Where the scripts are."""
    front = _FRONT_MATTER.match(source)
    spans = [front.span(1)] if front else []
    found = _SCRIPT.finditer(source, front.end() if front else 0)
    return spans + [match.span("code") for match in found if match["code"] is not None]


def split(source: str) -> tuple[str, str]:
    """The scripts without the markup, and the markup without the scripts, each as long as the source."""
    inside: list[str] = []
    outside: list[str] = []
    position = 0
    for start, end in scripts(source):
        inside += [blank(source[position:start]), source[start:end]]
        outside += [source[position:start], blank(source[start:end])]
        position = end
    inside.append(blank(source[position:]))
    outside.append(source[position:])
    return "".join(inside), "".join(outside)
