"""One way to hide the use of an SDK, and where it must be found all the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import pytest

from tests.support.scan.gitrepo import GitRepo

Files = Mapping[str, str | bytes | None]
Prepare = Callable[[GitRepo, pytest.MonkeyPatch], object]

UNREAD = "scan.not_analysed"
"""The rule of a place that could not be read: exit code 3, unless something else was found."""


@dataclass(frozen=True, kw_only=True)
class Case:
    """A repository; with `before`, a change on top of it."""

    id: str
    files: Files
    """Committed as the last commit."""
    rule: str = "scan.runtime"
    path: str | None
    """Where the finding must stand."""
    line: int | None = 1
    before: Files | None = None
    """The base commit's files: the run is then a run of the change (`--base`)."""
    prepare: Prepare | None = None
    """What is done to the repository, or to the process's surroundings, after the last commit."""
    arguments: tuple[str, ...] = field(default=())
