"""`docs/reasons.md`: the registry of reason codes as a page."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby

from aegis.core.codes import CODES, Code


def render(codes: Mapping[str, Code] = CODES) -> str:
    """The page: a chapter a gate, a section a code, in the registry's order."""
    lines = [
        "# Reasons",
        "",
        "Every code that a finding, a verdict or an error can carry. This page is generated from `aegis.core.codes`;",
        "`make docs` writes it anew.",
        "",
    ]
    for gate, members in groupby(codes.values(), key=lambda code: code.gate):
        lines += [f"## {gate}", ""]
        for code in members:
            lines += [f"### {code.id}", "", f"**{code.title}.** {code.why}", "", f"What to do: {code.remedy}", ""]
    return "\n".join(lines).rstrip("\n") + "\n"
