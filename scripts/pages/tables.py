"""Markdown tables for generated pages."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def cell(text: str) -> str:
    """One line that ends no cell."""
    return " ".join(text.split()).replace("|", "\\|")


def code(text: str) -> str:
    """As code, where there is any."""
    return f"`{cell(text)}`" if text.strip() else ""


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Its lines; none without rows."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(header)} |", f"|{'---|' * len(header)}", *lines, ""] if lines else []
