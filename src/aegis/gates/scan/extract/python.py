"""What a Python file names: imports, and names inside strings and commands."""

from __future__ import annotations

import re

from aegis.gates.scan.extract.python_imports import imports
from aegis.gates.scan.extract.python_mask import mask
from aegis.gates.scan.model import Statement, Unreadable


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a Python file that names something wanted. Never raises."""
    masked = mask(source.removeprefix("\ufeff"), last_line)
    found: list[Statement | Unreadable] = list(masked.unreadable)
    for item in imports(masked):
        if isinstance(item, Unreadable):
            found.append(item)
        elif wanted.search(item.dotted):
            found.append(
                Statement(
                    masked.line(item.offset), masked.column(item.offset), "python", "import", item.dotted, item.text
                )
            )
    return sorted(found, key=lambda one: one.line)
