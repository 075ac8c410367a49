#!/usr/bin/env python3
"""Take a backup of a database: `backup_db.py` is `aegis backup run`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from aegis.cli.main import main  # noqa: E402 - the source tree must be found first

if __name__ == "__main__":
    sys.exit(main(["backup", "run", *sys.argv[1:]]))
