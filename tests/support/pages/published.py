"""This work tree as if it were the release v1 at https://github.com/org/aegis, for those who install or clone it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.support.actions.act import ROOT, git

ADDRESS = "https://github.com/org/aegis"


def published(folder: Path) -> dict[str, str]:
    """Put it into `folder`; the variables by which git finds it there, and everything else nowhere new."""
    tree = folder / "aegis"
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file() and not name.startswith("tests/"):
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    git(tree, "init", "--quiet", "--initial-branch=main")
    git(tree, "add", "--all", "--force")
    git(tree, "commit", "--quiet", "--message=The release")
    git(tree, "tag", "v1")
    settings = folder / "gitconfig"
    settings.write_text(f'[url "{tree.as_uri()}"]\n\tinsteadOf = {ADDRESS}\n', "utf-8")
    return {"GIT_CONFIG_GLOBAL": str(settings), "GIT_CONFIG_NOSYSTEM": "1"}
