#!/usr/bin/env python3
"""Artifacts are signed by whom the policy says: `verify_model_signatures.py` is `aegis verify`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from aegis.cli.main import main  # noqa: E402 - the source tree must be found first

if __name__ == "__main__":
    sys.exit(main(["verify", *sys.argv[1:]]))
