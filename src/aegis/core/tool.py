"""Which tool answers: its version, and a digest of the source tree that is running."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import aegis
from aegis.core.verdict import Tool

_SUFFIXES = (".py", ".json")


def running_tool() -> Tool:
    """The tool that is running. Its digest covers every module and data file of the package, by name and content."""
    digest = hashlib.sha256()
    for name, file in sorted(_files(str(Path(aegis.__file__).parent), "")):
        with open(file, "rb") as opened:  # noqa: PTH123 - every run pays for this: a `Path` each would double it
            content = opened.read()
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return Tool(name="aegis", version=aegis.__version__, digest=digest.hexdigest())


def _files(folder: str, prefix: str) -> Iterator[tuple[str, str]]:
    """Name (with forward slashes) and path of every module and data file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _files(entry.path, f"{prefix}{entry.name}/")
            elif entry.name.endswith(_SUFFIXES):
                yield f"{prefix}{entry.name}", entry.path
