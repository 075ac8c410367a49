"""A reader who types what a page says into a shell, and looks whether the answers are those of the page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.pages import pages
from tests.support.pages.pages import Block

PATIENCE_SECONDS = 900
"""For all commands of a page; a busy machine may need minutes for an installation."""

_PROLOGUE = """\
set -uo pipefail
__end() { local code=$?; printf '\\036%s\\036\\n' "$code"; return "$code"; }
"""
_END = re.compile(r"\x1e(\d+)\x1e\n")


@dataclass(frozen=True)
class Step:
    """What is typed at once, and what the page shows below it."""

    place: str
    typed: str
    shown: tuple[str, ...] = ()
    must_pass: bool = True
    """Whether a code other than 0 contradicts the page; where `echo $?` follows, that tells the code."""


@dataclass(frozen=True)
class Reader:
    """Somebody at a shell in a folder, with an empty home folder."""

    folder: Path
    """Where the shell starts."""
    home: Path
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)

    def types(self, blocks: Sequence[Block]) -> None:
        """Type the blocks into one shell, in their order; fails the test where something else comes of it."""
        steps = [step for block in blocks for step in _steps(block)]
        script = self.home / "typed.sh"
        script.write_text(_PROLOGUE + "".join(f"{step.typed}\n__end\n" for step in steps), "utf-8")
        done = subprocess.run(
            ["bash", str(script)],
            cwd=self.folder,
            env=self._surroundings(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )
        pieces = _END.split(done.stdout)
        for number, step in enumerate(steps):
            assert 2 * number + 1 < len(pieces), f"{step.place}: {step.typed}\nended the shell:\n{pieces[-1]}"
            said, code = pieces[2 * number], int(pieces[2 * number + 1])
            assert code == 0 or not step.must_pass, f"{step.place}: {step.typed}\nended with {code}:\n{said}"
            if step.shown:
                assert is_shown(step.shown, said), f"{step.place}: {step.typed}\nsaid otherwise:\n{said}"

    def _surroundings(self) -> dict[str, str]:
        """Of this machine only what reaches package indexes, and where its programs and its caches are."""
        kept = (
            "SSL_CERT_FILE",
            "SSL_CERT_DIR",
            "REQUESTS_CA_BUNDLE",
            "HTTPS_PROXY",
            "HTTP_PROXY",
            "NO_PROXY",
            "TMPDIR",
        )
        person = {
            f"GIT_{who}_{what}": f"{what.lower()}@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        return {
            **{name: os.environ[name] for name in kept if name in os.environ},
            **person,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "HOME": str(self.home),
            "LANG": "C.UTF-8",
            **self.environ,
        }


def is_shown(shown: Sequence[str], said: str) -> bool:
    """Whether the page shows what was said: `…` stands for a part of a line, or alone for any number of lines."""
    pattern = ""
    for line in shown:
        pattern += r"(?:.*\n)*?" if line.strip() == "…" else ".*".join(map(re.escape, line.split("…"))) + r" *\n"
    return re.fullmatch(pattern, said if said.endswith("\n") else said + "\n") is not None


def scenes(folder: Path) -> frozenset[str]:
    """The scenes that the fixtures of a test folder set, each `scene_NAME`."""
    return frozenset(
        name.replace("_", "-")
        for name in re.findall(r"^def scene_(\w+)\(", (folder / "conftest.py").read_text("utf-8"), re.M)
    )


def readings(folder: Path) -> dict[tuple[str, str], list[Block]]:
    """The blocks that a test folder runs, by page and scene."""
    found: dict[tuple[str, str], list[Block]] = {}
    known = scenes(folder)
    for block in pages.typed():
        if block.mark is not None and block.mark.kind == "run" and block.mark.what in known:
            found.setdefault((block.page, block.mark.what), []).append(block)
    return found


def _steps(block: Block) -> Iterator[Step]:
    if block.language != "console":
        yield Step(block.place, f"set -e\n{block.text}set +e")
        return
    typed: list[str] = []
    shown: list[list[str]] = []
    for line in block.text.splitlines():
        if line.startswith("$ "):
            typed.append(line.removeprefix("$ "))
            shown.append([])
        elif typed and typed[-1].endswith("\\") and not shown[-1]:
            typed[-1] += f"\n{line}"
        else:
            assert typed, f"{block.place}: an answer before the first command"
            shown[-1].append(line)
    for number, command in enumerate(typed):
        told = number + 1 < len(typed) and typed[number + 1] == "echo $?"
        yield Step(block.place, command, tuple(shown[number]), must_pass=not told)
