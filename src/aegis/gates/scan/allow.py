"""The allow list: where a provider's SDK belongs.

An entry that matches nothing is only told, never a finding: it says how the repository is meant to be built, and may
come before the adapter that it is for. (A suppression says that something is wrong for a time, so it must match.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aegis.core import globs
from aegis.core.errors import UsageError
from aegis.core.policy import Allow
from aegis.gates.scan.model import Class, Use


@dataclass(frozen=True, slots=True)
class Allowed:
    """The uses, parted by the allow list."""

    remaining: tuple[Use, ...]
    allowed: tuple[tuple[Use, Allow], ...]
    unused: tuple[Allow, ...]
    """Entries that allowed none of these uses."""


def apply_allow(uses: Iterable[Use], entries: Sequence[Allow]) -> Allowed:
    """Part the uses. The first entry that matches a use is the one that allows it."""
    remaining: list[Use] = []
    allowed: list[tuple[Use, Allow]] = []
    for use in uses:
        entry = allowing(use, entries)
        if entry is None:
            remaining.append(use)
        else:
            allowed.append((use, entry))
    used = {entry for _, entry in allowed}
    return Allowed(tuple(remaining), tuple(allowed), tuple(entry for entry in entries if entry not in used))


def allowing(use: Use, entries: Sequence[Allow]) -> Allow | None:
    """The first entry that allows a use: its provider, its path, and its class where classes are named."""
    return allowing_at(use.path, use.entry.provider, use.use_class, entries)


def allowing_at(path: str, provider: str, use_class: Class, entries: Sequence[Allow]) -> Allow | None:
    """The first entry that would allow a use of this kind in this place."""
    for entry in entries:
        right_class = not entry.classes or use_class in entry.classes
        if right_class and entry.provider == provider and globs.matches(entry.path, path):
            return entry
    return None


def check_allow(entries: Sequence[Allow], providers: Iterable[str], *, file: str) -> None:
    """Refuse an entry that could never mean what its author believes. Raises UsageError."""
    known = sorted(providers)
    for number, entry in enumerate(entries):
        place = f"{file}: scan.allow[{number}]"
        if wrong := globs.problem(entry.path):
            raise _invalid(f"{place}.path: got {entry.path!r}: {wrong}", "a path pattern such as `src/adapters/**`")
        if entry.provider not in known:
            raise UsageError(
                "scan.unknown_provider",
                f"{place}.provider: got {entry.provider!r}",
                expected=f"one of {', '.join(known)}",
                remedy="correct the entry",
            )
        if not entry.reason.strip():
            raise _invalid(f"{place}.reason: got {entry.reason!r}", "why the SDK belongs there")


def _invalid(problem: str, expected: str) -> UsageError:
    return UsageError("core.policy_invalid", problem, expected=expected, remedy="correct the entry")
