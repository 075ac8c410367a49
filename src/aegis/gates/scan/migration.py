"""Where a repository stands on its way off the SDKs: uses by provider and service."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from aegis.gates.scan.model import CLASSES, Use


def usage(uses: Iterable[Use]) -> list[dict[str, Any]]:
    """One row per provider and service: how many uses of each class, in how many files."""
    rows: dict[tuple[str, str], Counter[str]] = {}
    files: dict[tuple[str, str], set[str]] = {}
    for use in uses:
        key = (use.entry.provider, use.entry.service or "")
        rows.setdefault(key, Counter())[use.use_class] += 1
        files.setdefault(key, set()).add(use.path)
    return [
        {
            "provider": provider,
            "service": service or None,
            "files": len(files[provider, service]),
            "uses": {name: counts[name] for name in CLASSES if counts[name]},
        }
        for (provider, service), counts in sorted(rows.items())
    ]


def report(now: Sequence[Use], before: Sequence[Use] | None) -> str:
    """The rows as a table. `before`, the uses at the base, adds the trend since then."""
    rows = {_key(row): row for row in usage(now)}
    old = {_key(row): _total(row) for row in usage(before or ())}
    trend = before is not None
    lines = [_line("provider", "service", "files", "uses", "trend" if trend else "")]
    for provider, service in sorted(rows.keys() | old.keys()):
        row = rows.get((provider, service))
        files, count = (row["files"], _total(row)) if row else (0, 0)
        change = f"{count - old.get((provider, service), 0):+}" if trend else ""
        lines.append(_line(provider, service or "-", str(files), str(count), change))
    return "\n".join(lines) + "\n"


def _line(provider: str, service: str, files: str, uses: str, trend: str) -> str:
    return f"{provider:<10}{service:<28}{files:>7}{uses:>7}{trend:>7}".rstrip()


def _key(row: dict[str, Any]) -> tuple[str, str]:
    return row["provider"], row["service"] or ""


def _total(row: dict[str, Any]) -> int:
    return sum(row["uses"].values())
