"""A repository in memory, for policies and other files that are read by name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.repository import Change, Entry, Line


class MemoryRepository:
    """Commits are dictionaries by path; the work tree is one more."""

    def __init__(self, tree: Mapping[str, bytes], commits: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.tree = dict(tree)
        self.commits = {name: dict(files) for name, files in (commits or {}).items()}
        self.root = Path("/nowhere")

    def head(self) -> str | None:
        return "f" * 40

    def grep(
        self, *patterns: str, paths: Sequence[str] | None = None, suffixes: Sequence[str] | None = None
    ) -> list[Line]:
        raise AssertionError("nothing greps here")

    def entries(self, paths: Sequence[str] | None = None) -> list[Entry]:
        return [Entry(path, "100644", "0" * 40) for path in self.tree if paths is None or path in paths]

    def links(self) -> list[str]:
        return []

    def read(self, path: str) -> bytes:
        if path not in self.tree:
            raise CouldNotDecide("core.unreadable_file", path, expected="a file", remedy="none")
        return self.tree[path]

    def show(self, rev: str, path: str) -> bytes | None:
        return self.commits[rev].get(path)

    def show_many(self, rev: str, paths: Iterable[str]) -> Mapping[str, bytes]:
        return {path: self.commits[rev][path] for path in paths if path in self.commits[rev]}

    def changed(self, base: str) -> list[Change]:
        raise AssertionError("nothing compares here")

    def resolve(self, rev: str) -> str:
        return rev

    def has_commit(self, sha: str) -> bool:
        return sha in self.commits

    def parents(self, rev: str) -> tuple[str, ...]:
        return ()

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        return True

    def merge_bases(self, first: str, second: str) -> tuple[str, ...]:
        return ()

    def is_shallow(self) -> bool:
        return False

    def deepen(self, revs: Sequence[str], depth: int = 1) -> None:
        raise AssertionError("nothing fetches here")
