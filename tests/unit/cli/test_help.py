"""Help and version need no extra: somebody who has just installed the package asks for them first."""

from __future__ import annotations

import subprocess
import sys

import pytest

from aegis.cli.main import COMMANDS

BARE = """
import sys
from importlib.abc import MetaPathFinder

class Bare(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in {*sys.stdlib_module_names, "aegis", "msgspec", "yaml", "_yaml"}:
            raise ModuleNotFoundError(f"No module named {top!r}", name=top)

sys.meta_path.insert(0, Bare())
from aegis.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
"""A program in whose environment nothing is installed but what every gate needs."""


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], *([name, "--help"] for name in COMMANDS)], ids=" ".join
)
def test_it_is_told_without_any_extra(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BARE, *arguments],
        env={"PYTHONPATH": ":".join(path for path in sys.path if path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(("usage: aegis", "aegis "))
