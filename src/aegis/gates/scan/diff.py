"""What a change adds: the uses of its head without those of its base.

Both sides are counted by content over all changed files together, so a statement that only moved, within a file or to
another one, is not new.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from aegis.core.ports.repository import Change
from aegis.gates.scan.fingerprint import content_fingerprint
from aegis.gates.scan.model import Use


@dataclass(frozen=True, slots=True)
class Difference:
    """A change's uses."""

    new: tuple[Use, ...]
    """Of the head and not of the base."""
    kept: tuple[Use, ...]
    """Of the head and of the base, wherever they stood there."""
    gone: tuple[Use, ...]
    """Of the base and not of the head."""


def compare(head: Iterable[Use], base: Iterable[Use], changes: Iterable[Change] = ()) -> Difference:
    """Take the base's uses from the head's.

    Both must hold only what the policy in force does not allow, judged with the same policy: an allowed use that leaves
    its adapter for another file is new there, and must not be outweighed by the one that was allowed.

    Of several equal uses those that stand in the file that had them before are the kept ones, and among those of one
    file the first; so the one that is reported stands where something was added, as far as that can be known.
    """
    renamed = {change.old_path: change.path for change in changes if change.old_path is not None}
    old: defaultdict[str, list[Use]] = defaultdict(list)
    for use in _ordered(base):
        old[content_fingerprint(use)].append(use)
    now: defaultdict[str, list[Use]] = defaultdict(list)
    for use in _ordered(head):
        now[content_fingerprint(use)].append(use)
    new: list[Use] = []
    kept: list[Use] = []
    gone: list[Use] = []
    for fingerprint in now.keys() | old.keys():
        places = Counter(renamed.get(use.path, use.path) for use in old[fingerprint])
        stayed, left = _settle(now[fingerprint], places)
        moved = min(len(left), len(old[fingerprint]) - len(stayed))
        kept += [*stayed, *left[:moved]]
        new += left[moved:]
        gone += _unmatched(old[fingerprint], stayed, renamed)[moved:]
    return Difference(tuple(_ordered(new)), tuple(_ordered(kept)), tuple(_ordered(gone)))


def _settle(uses: Sequence[Use], places: Counter[str]) -> tuple[list[Use], list[Use]]:
    """Those that stand where an equal one stood, and the others. `places` counts how many each file had."""
    room = places.copy()
    stayed: list[Use] = []
    left: list[Use] = []
    for use in uses:
        if room[use.path] > 0:
            room[use.path] -= 1
            stayed.append(use)
        else:
            left.append(use)
    return stayed, left


def _unmatched(old: Sequence[Use], stayed: Sequence[Use], renamed: Mapping[str, str]) -> list[Use]:
    """The base's uses that none of those that stayed stands for."""
    room = Counter(use.path for use in stayed)
    found: list[Use] = []
    for use in old:
        place = renamed.get(use.path, use.path)
        if room[place] > 0:
            room[place] -= 1
        else:
            found.append(use)
    return found


def _ordered(uses: Iterable[Use]) -> list[Use]:
    return sorted(uses, key=_position)


def _position(use: Use) -> tuple[str, int, int, str, str, str]:
    """Reading order; what stands at one place in an order of its own, so that every run tells the same."""
    said = use.statement
    return use.path, said.line, said.column, said.text, use.entry.provider, use.use_class
