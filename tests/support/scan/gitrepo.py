"""Real repositories in temporary folders, made by git, free of this machine's configuration."""

from __future__ import annotations

import itertools
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

HERMETIC = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
"""Set these for the code under test, too."""
START = 1_700_000_000
"""Seconds; each commit is one second younger than the one before, so that git's order by date is ours."""


@dataclass(frozen=True)
class GitRepo:
    """One repository. Paths are relative to its root."""

    root: Path
    seconds: itertools.count[int] = field(default_factory=lambda: itertools.count(START))

    @classmethod
    def init(cls, root: Path) -> GitRepo:
        """A repository without a commit."""
        root.mkdir(parents=True, exist_ok=True)
        made = cls(root)
        made.git("init", "--quiet", "--initial-branch=main")
        # A clone by depth may ask for any commit, as GitHub lets it.
        made.git("config", "uploadpack.allowAnySHA1InWant", "true")
        return made

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git; what it printed, stripped. Fails the test if it fails."""
        date = f"{next(self.seconds)} +0000"
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root),
            **HERMETIC,
            "GIT_AUTHOR_NAME": "Ada",
            "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_AUTHOR_DATE": date,
            "GIT_COMMITTER_NAME": "Ada",
            "GIT_COMMITTER_EMAIL": "ada@example.org",
            "GIT_COMMITTER_DATE": date,
        }
        command = ["git", "-c", "protocol.file.allow=always", *arguments]
        done = subprocess.run(command, cwd=self.root, env=environment, input=stdin, capture_output=True, check=False)
        assert done.returncode == 0, f"git {' '.join(arguments)}: {done.stderr.decode()}"
        return os.fsdecode(done.stdout).strip()

    def write(self, files: Mapping[str, str | bytes | None]) -> None:
        """Write files of the work tree; None deletes one."""
        for name, content in files.items():
            path = self.root / name
            if content is None:
                path.unlink()
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Mapping[str, str | bytes | None] | None = None, message: str = "change") -> str:
        """Write files and commit everything; the commit's id."""
        self.write(files or {})
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", f"--message={message}")
        return self.sha()

    def sha(self, rev: str = "HEAD") -> str:
        """A commit's id."""
        return self.git("rev-parse", rev)

    def merge(self, *revs: str) -> str:
        """Merge into the branch that is checked out, always with a commit; its id."""
        self.git("merge", "--quiet", "--no-ff", "--message=merge", *revs)
        return self.sha()

    def clone(self, to: Path, *options: str) -> GitRepo:
        """A clone over the transport that cuts history where `--depth` asks for it."""
        self.git("clone", "--quiet", *options, f"file://{self.root}", str(to))
        return GitRepo(to)
