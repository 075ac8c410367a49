"""Which commit a work tree is, and whether it is exactly that."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis.adapters.git import GitRepository, open_repository


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
    inside = [os.path.relpath(place, found.root) for place in without if place.is_relative_to(found.root)]
    apart = [f":(exclude,top,literal){place}" for place in inside]
    changed = repository.run("status", "--porcelain", "-z", "--untracked-files=normal", "--", ":(top)", *apart)
    return TreeState(found.root, repository.head(), bool(changed))
