#!/usr/bin/env python3
"""No direct cloud SDK in runtime code: `scan_cloud_sdk_usage.py --strict` is `aegis scan --strict`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from aegis.cli.main import main  # noqa: E402 - the source tree must be found first

if __name__ == "__main__":
    sys.exit(main(["scan", *sys.argv[1:]]))
