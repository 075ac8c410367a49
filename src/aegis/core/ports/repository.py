"""What the gates ask of a version-controlled repository.

Paths are relative to the repository's root, with forward slashes; bytes that are not UTF-8 are kept as surrogate
escapes (PEP 383), so every name that git knows can be read back. Every method may raise `CouldNotDecide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

MODE_EXECUTABLE = "100755"
MODE_SYMLINK = "120000"
MODE_SUBMODULE = "160000"

Status = Literal["added", "deleted", "modified", "renamed", "type-changed", "unmerged"]


@dataclass(frozen=True, slots=True)
class Line:
    """A line that matched a pattern."""

    path: str
    number: int
    """From 1."""
    text: bytes
    """Without the line feed; of a very long line the beginning."""
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Entry:
    """A tracked file: what the index says about it."""

    path: str
    mode: str
    """git's octal mode: `100644`, `100755`, `120000` (symbolic link), `160000` (submodule)."""
    oid: str
    absent: bool = False
    """Not checked out on purpose (sparse checkout, skip-worktree): nothing in the work tree can be read."""
    assumed: bool = False
    """Marked "assume unchanged": git reads the index instead of the work tree."""
    unmerged: bool = False

    @property
    def symlink(self) -> bool:
        """Whether it is a symbolic link."""
        return self.mode == MODE_SYMLINK

    @property
    def submodule(self) -> bool:
        """Whether it is another repository's commit."""
        return self.mode == MODE_SUBMODULE


@dataclass(frozen=True, slots=True)
class Change:
    """A file that differs between a base and the work tree."""

    path: str
    """Its name now; of a deleted file, its last one."""
    old_path: str | None
    """Its name at the base; None where the base does not have it."""
    status: Status
    old_mode: str = field(default="", compare=False)
    """Its mode at the base, as in `Entry.mode`; empty where the base does not have it."""

    @property
    def deleted(self) -> bool:
        """Whether the work tree no longer has it."""
        return self.status == "deleted"


class Repository(Protocol):
    """A repository with a work tree, read and never written (but for history that `deepen` fetches)."""

    @property
    def root(self) -> Path:
        """The work tree's top folder."""
        ...

    def head(self) -> str | None:
        """The commit that is checked out; None before the first commit."""
        ...

    def grep(
        self, *patterns: str, paths: Sequence[str] | None = None, suffixes: Sequence[str] | None = None
    ) -> list[Line]:
        """The lines of tracked files in the work tree that match one of some Perl-compatible patterns, byte by byte.

        `paths` are files or folders, taken literally; None means all, an empty sequence means none. `suffixes` (endings
        of file names such as `.py`) mean all files of those kinds, beside `paths`. A line that matches two patterns may
        stand twice.
        """
        ...

    def entries(self, paths: Sequence[str] | None = None) -> list[Entry]:
        """What is tracked, in the index's order. An unmerged path stands in it once."""
        ...

    def links(self) -> list[str]:
        """The tracked symbolic links: all of them are asked for in every run, of `entries` only what changed."""
        ...

    def read(self, path: str) -> bytes:
        """A file of the work tree. Links are followed only inside the repository."""
        ...

    def show(self, rev: str, path: str) -> bytes | None:
        """A file at a commit (of a symbolic link: its target); None if that commit does not have it."""
        ...

    def show_many(self, rev: str, paths: Iterable[str]) -> Mapping[str, bytes]:
        """Several files at one commit; those that it does not have are left out."""
        ...

    def changed(self, base: str) -> list[Change]:
        """Tracked files that differ between a commit and the work tree, renames recognised."""
        ...

    def resolve(self, rev: str) -> str:
        """The commit that a revision names. Raises `core.base_not_found` if there is none."""
        ...

    def has_commit(self, sha: str) -> bool:
        """Whether the commit of this full id is in this clone."""
        ...

    def parents(self, rev: str) -> tuple[str, ...]:
        """A commit's parents as it names them, also where a shallow clone does not have them."""
        ...

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Whether one commit is reachable from the other (or is the same) in this clone's history."""
        ...

    def merge_bases(self, first: str, second: str) -> tuple[str, ...]:
        """The best common ancestors, best first; several after criss-cross merges."""
        ...

    def is_shallow(self) -> bool:
        """Whether history was cut when this clone was made."""
        ...

    def deepen(self, revs: Sequence[str], depth: int = 1) -> None:
        """Fetch commits by their full ids, each with `depth` commits of history. Raises `core.shallow` if it can't."""
        ...
