"""The command as a process of its own, as users start it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.scan.gitrepo import HERMETIC

ROOT = Path(__file__).resolve().parents[3]
AEGIS = (sys.executable, "-I", str(ROOT / "src" / "aegis" / "startup" / "launch.py"))
"""How the actions start it."""
PATIENCE = 300
"""Seconds for what takes one or two, on a busy machine."""


@dataclass(frozen=True)
class Done:
    """A process that has ended."""

    code: int
    out: str
    err: str

    def refused(self, code: int, *words: str) -> None:
        """It ended with this code and one message that holds all words, and without a traceback."""
        assert self.code == code, (self.out, self.err)
        said = self.out + self.err
        assert "Traceback" not in said
        assert "core.crashed" not in said
        for word in words:
            assert word in said


def environment(home: Path, **changes: str) -> dict[str, str]:
    """What a user's shell would hand on, without this machine's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "AEGIS_SEMGREP_CORE") if name in os.environ}
    return {**kept, **HERMETIC, "HOME": str(home), **changes}


def aegis(*arguments: str | Path, cwd: Path, **changes: str) -> Done:
    """Run the command to its end."""
    done = subprocess.run(
        [*AEGIS, *map(str, arguments)],
        cwd=cwd,
        env=environment(cwd, **changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def script(name: str, *arguments: str, cwd: Path, python: str = sys.executable, **changes: str) -> Done:
    """Run one of the runbooks' scripts to its end."""
    done = subprocess.run(
        [python, str(ROOT / "scripts" / name), *arguments],
        cwd=cwd,
        env=environment(cwd, **changes),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return Done(done.returncode, done.stdout, done.stderr)


def verdict(folder: Path) -> dict[str, Any]:
    """The verdict that was written to a folder."""
    found: dict[str, Any] = json.loads((folder / "verdict.json").read_bytes())
    return found
