"""Which tool answers: its version, and a digest of the source tree that is running."""

from __future__ import annotations

import hashlib
from pathlib import Path

import aegis
from aegis.core.verdict import Tool

_SUFFIXES = frozenset({".py", ".json"})


def running_tool() -> Tool:
    """The tool that is running. Its digest covers every module and data file of the package, by name and content."""
    root = Path(aegis.__file__).parent
    digest = hashlib.sha256()
    for file in sorted(path for path in root.rglob("*") if path.suffix in _SUFFIXES):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(root).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return Tool(name="aegis", version=aegis.__version__, digest=digest.hexdigest())
