"""What writing anew does to each file: whose words stand there, and what becomes of them.

Three texts decide: the one that we wrote last time, the one that is there now, and the one that we would write today.
An edit of a person's is never lost: where only one side changed, that change counts; where both did, they are merged;
where that cannot be done, nothing at all is written.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

Merge = Callable[[str, str, str], str | None]
"""Of the edited text, the one written before, and the new one; None where both changed the same lines."""


class State(StrEnum):
    """What becomes of a file."""

    CREATED = "created"
    UPDATED = "updated"
    MERGED = "merged"
    REMOVED = "removed"
    UNCHANGED = "unchanged"
    EDITED = "edited"
    """A person changed it, and we have nothing new."""
    KEPT = "kept"
    """The owner said that it is his."""
    DELETED = "deleted"
    """A person deleted it; it stays away."""
    LEFT = "left"
    """No longer ours, and edited: for its owner to delete."""
    EXISTS = "exists"
    """Another file is there that we never wrote."""
    CONFLICT = "conflict"


REFUSED = frozenset({State.EXISTS, State.CONFLICT})
STALE = frozenset({State.CREATED, State.UPDATED, State.MERGED, State.REMOVED, State.DELETED}) | REFUSED
"""What `--check` minds."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file."""

    path: str
    state: State
    before: str | None
    """As it is; None where it is not there."""
    after: str | None
    """As it will be; None where it will not be there."""
    written: str | None
    """Our own text of it, to be remembered; None: we have no part in it."""

    def diff(self) -> str:
        """Unified, empty where nothing changes."""
        before = (self.before or "").splitlines(keepends=True)
        after = (self.after or "").splitlines(keepends=True)
        old = f"a/{self.path}" if self.before is not None else "/dev/null"
        new = f"b/{self.path}" if self.after is not None else "/dev/null"
        lines = difflib.unified_diff(before, after, old, new)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def changes(
    new: Mapping[str, str],
    written: Mapping[str, str],
    present: Mapping[str, str],
    merge: Merge,
    *,
    overwrite: Collection[str] = (),
    keep: Collection[str] = (),
) -> Iterator[Change]:
    """Each file, in order of path. `new`: to be written; `written`: last time; `present`: what is there of them."""
    for path in sorted({*new, *written}):
        yield _change(path, new.get(path), written.get(path), present.get(path), merge, path in overwrite, path in keep)


def _change(
    path: str, new: str | None, base: str | None, mine: str | None, merge: Merge, overwrite: bool, keep: bool
) -> Change:
    """The one file's."""
    if new is None:
        if mine is None or mine == base:
            return Change(path, State.REMOVED if mine is not None else State.UNCHANGED, mine, None, None)
        return Change(path, State.LEFT, mine, mine, None)
    if keep:
        return Change(path, State.KEPT, mine, mine, None)
    if mine == new:
        return Change(path, State.UNCHANGED, mine, mine, new)
    if overwrite or (mine is None and base is None):
        return Change(path, State.UPDATED if mine is not None else State.CREATED, mine, new, new)
    if mine is None:
        return Change(path, State.DELETED, None, None, base)
    if base is None:
        return Change(path, State.EXISTS, mine, new, None)
    if mine == base:
        return Change(path, State.UPDATED, mine, new, new)
    if new == base:
        return Change(path, State.EDITED, mine, mine, base)
    merged = merge(mine, base, new)
    if merged is None:
        return Change(path, State.CONFLICT, mine, new, base)
    return Change(path, State.MERGED if merged != mine else State.EDITED, mine, merged, new)
