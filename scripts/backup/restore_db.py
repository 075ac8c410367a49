#!/usr/bin/env python3
"""Bring a backup back into a database: `restore_db.py s3://bucket/path` is `aegis backup restore`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "src"))

from aegis.cli.main import main  # noqa: E402 - the source tree must be found first

if __name__ == "__main__":
    sys.exit(main(["backup", "restore", *sys.argv[1:]]))
