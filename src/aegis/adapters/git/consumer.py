"""What git knows of a repository that is set up, and its three-way merge."""

from __future__ import annotations

import re
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aegis.adapters.git.repository import GitRepository

_ADDRESS = re.compile(
    r"(?:https?://(?:[^@/]+@)?|ssh://(?:[^@/]+@)?|[^@/:]+@)(?P<host>[A-Za-z0-9.-]+)(?::[0-9]+)?[:/]"
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}?)(?:\.git)?/?"
)
_FALLBACK = "main"


@dataclass(frozen=True, slots=True)
class Known:
    """What need not be asked."""

    repository: str | None
    """`owner/name` of the remote `origin`."""
    branch: str
    """The default branch at the remote, else the one that is checked out."""


def known(repository: GitRepository) -> Known:
    """Look at the remote and the branches."""
    address = _asked(repository, "config", "--get", "remote.origin.url")
    found = _ADDRESS.fullmatch(address)
    remote = _asked(repository, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    local = _asked(repository, "symbolic-ref", "--quiet", "--short", "HEAD")
    return Known(found["name"] if found else None, remote.partition("/")[2] or local or _FALLBACK)


def merged(repository: GitRepository, mine: str, base: str, new: str) -> str | None:
    """`git merge-file`: both changes in one text; None where they meet in the same lines."""
    mark = f"edited-{secrets.token_hex(8)}"
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder, name) for name in ("mine", "base", "new")]
        for file, text in zip(files, (mine, base, new), strict=True):
            file.write_text(text, "utf-8", newline="")
        # the exit code is the number of conflicts, which the mark tells as well
        labels = ("-L", mark, "-L", "before", "-L", "new")
        text = repository.run("merge-file", "-p", "-q", *labels, *map(str, files), allowed=range(128)).decode()
    return None if mark in text else text


def _asked(repository: GitRepository, *words: str) -> str:
    """A line of git's; empty where it has none."""
    return repository.run(*words, allowed=(0, 1, 128)).decode("utf-8", "replace").strip()
