"""Terraform's outputs, by Terraform or OpenTofu themselves: the state may be anywhere, and only they can read it."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from aegis.adapters.process_group import completed
from aegis.core.errors import CouldNotDecide

PROGRAMS = ("terraform", "tofu")
"""The first that is installed; both print the same."""
PATIENCE = 120.0
"""Seconds: a state in an object store is a megabyte or two."""
_TITLE = re.compile(r"Error: ([^\n]{1,200})")


def outputs_of(folder: Path, *, program: str | None = None) -> bytes:
    """The JSON of all outputs of the state of a folder. CouldNotDecide `render.terraform_failed`.

    `program`: a name or path, in place of the first of PROGRAMS. It has the user's whole environment: backends find
    their credentials there.
    """
    names = PROGRAMS if program is None else (program,)
    found = next((path for name in names if (path := shutil.which(name)) is not None), None)
    if found is None:
        raise _failed(f"{' and '.join(names)}: not installed")
    try:
        done = completed([found, f"-chdir={folder}", "output", "-json", "-no-color"], seconds=PATIENCE)
    except subprocess.TimeoutExpired:
        raise _failed(f"{found} has not answered for {PATIENCE:g} s") from None
    except OSError as error:
        raise _failed(f"{found} cannot be started: {error.strerror}") from error
    if done.returncode:
        # Of its words, the title alone: what follows may quote the configuration.
        title = _TITLE.search(done.stderr.decode("utf-8", "replace"))
        raise _failed(f"{found} ends with {done.returncode}: {title[1] if title else 'it names no error'}")
    return done.stdout


def _failed(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "render.terraform_failed",
        problem,
        expected="the outputs of an overlay that was applied",
        remedy="run `terraform init` and `terraform output -json` in its folder, or give a file with what it printed",
    )
