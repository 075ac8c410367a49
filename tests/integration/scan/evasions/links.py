"""Symbolic links, renames, modes: the same content under another name or kind."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from tests.integration.scan.evasions.case import UNREAD, Case, Prepare
from tests.support.scan.gitrepo import GitRepo

USE = "import boto3\n"
ADAPTERS = (
    "version: 1\nscan:\n  allow:\n"
    '    - {path: "adapters/**", provider: aws, reason: "the adapter of the object store"}\n'
)


def links(targets: Mapping[str, str]) -> Prepare:
    """Commit links by name and target."""

    def prepare(repo: GitRepo, _: object) -> None:
        for name, target in targets.items():
            place = repo.root / name
            place.parent.mkdir(parents=True, exist_ok=True)
            place.unlink(missing_ok=True)
            place.symlink_to(target)
        repo.commit()

    return prepare


def _outside(repo: GitRepo, _: object) -> None:
    other = repo.root.parent / "elsewhere"
    other.mkdir()
    (other / "svc.py").write_text(USE)
    (repo.root / "lib").symlink_to(other)
    repo.commit()


def _untracked_target(repo: GitRepo, _: object) -> None:
    (repo.root / "svc.py").symlink_to("hidden.txt")
    repo.commit()
    (repo.root / "hidden.txt").write_text(USE)


def _into_git(repo: GitRepo, _: object) -> None:
    (repo.root / "svc.py").symlink_to(".git/hidden.py")
    repo.commit()
    (repo.root / ".git" / "hidden.py").write_text(USE)


def _fifo(repo: GitRepo, _: object) -> None:
    (repo.root / "svc.py").unlink()
    os.mkfifo(repo.root / "svc.py")


def _nowhere() -> str:
    return str(Path("/nonexistent/svc.py"))


CASES = [
    Case(id="link-to-another-kind", files={"data.txt": USE}, path="svc.py", prepare=links({"svc.py": "data.txt"})),
    Case(
        id="link-to-another-kind-in-a-change",
        before={"data.txt": USE},
        files={"README.md": "new\n"},
        path="svc.py",
        prepare=links({"svc.py": "data.txt"}),
    ),
    Case(
        id="link-within-the-adapters",
        files={"aegis.yml": ADAPTERS, "svc.py": USE},
        path="svc.py",
        prepare=links({"adapters/s3.py": "../svc.py"}),
    ),
    Case(
        id="link-out-of-the-checkout",
        files={},
        path="svc.py",
        rule=UNREAD,
        line=None,
        prepare=links({"svc.py": "/etc/hostname"}),
    ),
    Case(id="link-to-a-folder-outside", files={}, path="lib", rule=UNREAD, line=None, prepare=_outside),
    Case(id="link-to-nothing", files={}, path="svc.py", rule=UNREAD, line=None, prepare=links({"svc.py": _nowhere()})),
    Case(
        id="link-loop", files={}, path="a.py", rule=UNREAD, line=None, prepare=links({"a.py": "b.py", "b.py": "a.py"})
    ),
    Case(id="link-to-an-untracked-file", files={}, path="svc.py", rule=UNREAD, line=None, prepare=_untracked_target),
    Case(id="link-into-the-git-folder", files={}, path="svc.py", rule=UNREAD, line=None, prepare=_into_git),
    Case(
        id="file-becomes-a-link",
        before={"svc.py": "x = 1\n", "data.txt": USE},
        files={"README.md": "new\n"},
        path="svc.py",
        prepare=links({"svc.py": "data.txt"}),
    ),
    Case(
        id="pipe-in-place-of-a-file", files={"svc.py": "x = 1\n"}, path="svc.py", rule=UNREAD, line=None, prepare=_fifo
    ),
    Case(
        id="renamed-to-code",
        before={"svc.txt": USE + "# the same\n" * 50},
        files={"svc.txt": None, "svc.py": USE + "# the same\n" * 50},
        path="svc.py",
    ),
    Case(
        id="moved-out-of-the-adapters",
        before={"aegis.yml": ADAPTERS, "adapters/s3.py": USE},
        files={"adapters/s3.py": None, "svc/s3.py": USE},
        path="svc/s3.py",
    ),
    Case(
        id="copied-out-of-the-adapters",
        before={"aegis.yml": ADAPTERS, "adapters/s3.py": USE},
        files={"svc/s3.py": USE, "adapters/s3.py": USE + "x = 1\n"},
        path="svc/s3.py",
    ),
    Case(
        id="shebang-is-all-that-changes",
        before={"bin/svc": USE},
        files={"bin/svc": "#!/usr/bin/env python3\n" + USE},
        path="bin/svc",
        line=2,
    ),
    Case(
        id="second-use-on-a-known-line",
        before={"svc.py": "import boto3\n"},
        files={"svc.py": "import boto3, botocore\n"},
        path="svc.py",
    ),
    Case(
        id="swapped-for-another-sdk",
        before={"svc.py": "import boto3\n"},
        files={"svc.py": "import oci\n"},
        path="svc.py",
    ),
]
