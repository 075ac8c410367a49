"""Which commit a work tree is, and whether it is exactly that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis.adapters.git.repository import GitRepository, open_repository


@dataclass(frozen=True, slots=True)
class TreeState:
    """A work tree."""

    root: Path
    commit: str | None
    """None before the first one."""
    uncommitted: bool
    """Whether any file differs from the commit, or is not in it; ignored files don't count."""


def tree_state(path: Path, without: Sequence[Path] = ()) -> TreeState:
    """The state of the work tree that a folder lies in, but for what lies below `without`.

    UsageError `core.no_repository`; CouldNotDecide where git does not answer.
    """
    found, _ = open_repository(path)
    repository = GitRepository(found.root)
    apart = tuple(f"{place.relative_to(found.root)}/" for place in without if place.is_relative_to(found.root))
    records = repository.run("status", "--porcelain", "-z", "--no-renames", "--untracked-files=all").split(b"\0")
    # a record is two letters, a space and the path (git-status(1), "Porcelain Format Version 1" with -z)
    changed = [name for record in records if (name := os.fsdecode(record[3:])) and not name.startswith(apart)]
    return TreeState(found.root, repository.head(), bool(changed))
