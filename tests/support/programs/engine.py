"""The real semgrep-core for tests: the one that is named, else the pinned wheel's, installed by hash."""

from __future__ import annotations

import os
from pathlib import Path

from aegis.startup.environment import semgrep_core
from aegis.startup.surroundings import cache_folder

ROOT = Path(__file__).resolve().parents[3]


def real_engine() -> Path:
    """The binary's path."""
    named = os.environ.get("AEGIS_SEMGREP_CORE")
    return Path(named) if named else semgrep_core(ROOT, cache_folder(os.environ))
