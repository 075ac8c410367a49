"""Programs of PostgreSQL that do as they are told: shell scripts under their names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegis.adapters.postgres.tools import CLIENTS, Tools


def fake(folder: Path, script: str, names: Sequence[str] = CLIENTS, *, version: str = "17.11") -> Tools:
    """In this folder, each of them says its version when asked, and else does what the script says."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        program = folder / name
        says = f'if [ "$1" = --version ]; then echo "{name} (PostgreSQL) {version} (Debian)"; exit; fi'
        program.write_text(f"#!/bin/sh\n{says}\n{script}\n", "utf-8")
        program.chmod(0o755)
    major, _, minor = version.partition(".")
    return Tools(folder, int(major), int(minor), "path")
