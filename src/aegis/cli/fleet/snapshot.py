"""The few files of a repository that decide about its gates, in a folder like a checkout.

They are read by the API, one after the other: a checkout of each repository would be a thousand times as much.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis.adapters.git.repository import GitRepository
from aegis.adapters.github.fleet import Entry, GitHubCode, walk
from aegis.core.errors import CouldNotDecide, Refused

FOLDERS = ("", ".github", ".github/workflows", "docs")
_DECIDES = re.compile(
    r"aegis(\.[^/]+)?\.yml|aegis\.lock|CODEOWNERS|docs/CODEOWNERS|\.github/CODEOWNERS|\.github/aegis-init\.json"
    r"|\.github/workflows/[^/]+\.ya?ml"
)
_MAX_FILES = 500
_FILES = frozenset({"100644", "100755"})


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A folder that holds them."""

    root: Path
    ids: Mapping[str, str]
    """Git's id of each, by path."""


@contextmanager
def snapshot(code: GitHubCode, tree: str) -> Iterator[Snapshot]:
    """Read them into a folder that is a git repository of its own, and gone afterwards.

    Refused `init.outside` where one of them is a link or another repository; CouldNotDecide `fleet.too_large`.
    """
    entries = dict(deciding(code, tree))
    if len(entries) > _MAX_FILES:
        raise CouldNotDecide(
            "fleet.too_large",
            f"{code.repository} has {len(entries)} workflows and policies",
            expected=f"at most {_MAX_FILES}",
            remedy="Look at this repository by itself, with `aegis init` and `aegis doctor` in a checkout.",
        )
    with tempfile.TemporaryDirectory(prefix="aegis-fleet-") as name:
        root = Path(name)
        GitRepository(root).run("init", "--quiet", "--template=")
        for path, entry in entries.items():
            place = root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(code.blob(entry.sha))
        yield Snapshot(root, {path: entry.sha for path, entry in entries.items()})


def deciding(code: GitHubCode, tree: str) -> Iterator[tuple[str, Entry]]:
    """The lines of those files in a commit's tree."""
    for path, entry in walk(code, tree, FOLDERS):
        folder = path in FOLDERS
        if not folder and not _DECIDES.fullmatch(path):
            continue
        if folder and path == "docs":
            continue  # anything may be called so; only a folder of that name holds owners
        if folder or entry.type != "blob" or entry.mode not in _FILES:
            raise Refused(
                "init.outside",
                f"{path!r} of {code.repository} is {'no folder' if folder else 'no regular file'}",
                expected="files and folders of the repository",
                remedy="Replace the link by what it points to.",
            )
        yield path, entry
