"""Commands that a probe runs as an operator would, and what they said, as evidence."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aegis.startup.environment import environment
from aegis.startup.surroundings import cache_folder

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 300
"""Seconds for one command on a machine with other work; the slowest needs thirty on an idle one."""
_KEPT = ("PATH", "HOME", "TMPDIR", "XDG_CACHE_HOME", "LANG", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")


@dataclass(slots=True)
class Commands:
    """A probe's commands, in turn."""

    evidence: Path
    """Where what they say is kept."""
    hidden: list[str] = field(default_factory=list, repr=False)
    """What must not stand in evidence: passwords and tokens that were made for this probe."""
    count: int = 0

    def run(
        self, name: str, command: Sequence[str | Path], *, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """One command to its end, whatever that is.

        It sees nothing of this machine but its programs and caches, and this repository's Python first.
        """
        words = [str(word) for word in command]
        done = subprocess.run(
            words,
            cwd=cwd,
            env={**surroundings(), **(environ or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
        self.keep(name, f"$ {shlex.join(words)}\n{done.stdout}{done.stderr}exit code {done.returncode}\n")
        return done

    def aegis(
        self, name: str, *words: str | Path, cwd: Path = ROOT, environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`aegis …` of this tree."""
        return self.run(name, [sys.executable, "-m", "aegis", *words], cwd=cwd, environ=environ)

    def keep(self, name: str, text: str) -> None:
        """A numbered file of evidence."""
        for secret in self.hidden:
            text = text.replace(secret, "***")
        self.count += 1
        (self.evidence / f"{self.count:02}-{name}.txt").write_text(text, "utf-8")


def surroundings() -> dict[str, str]:
    """Of a command: this interpreter's programs before the machine's, and the source of this tree."""
    found = {name: os.environ[name] for name in _KEPT if name in os.environ}
    source = os.pathsep.join([str(ROOT / "src"), *(path for path in sys.path if path)])
    return {**found, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": source}


def reason_in(text: str, *rooms: str) -> str:
    """The first reason code of these rooms, e.g. `verify`, in what a command said."""
    found = re.search(rf"\b(?:{'|'.join(rooms)})\.[a-z_]+\b", text)
    return found[0] if found else "probe.command_failed"


def go_on_path() -> None:
    """Let this process find Go: the machine's own, else that of `locks/go.txt`."""
    if shutil.which("go") is None:
        (program,) = environment("go", ROOT, cache_folder(os.environ)).glob("lib/python*/site-packages/go/bin/go")
        os.environ["PATH"] = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
