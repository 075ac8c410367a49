"""Copies of this tree, for what must not happen in it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from acceptance.local.commands import ROOT
from tests.support.actions.act import commit


def copied(to: Path) -> Path:
    """What git has of this tree, or would take, in a repository of its own."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    commit(to, {}, "The tree as it is")
    return to
