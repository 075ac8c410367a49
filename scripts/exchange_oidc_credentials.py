#!/usr/bin/env python3
"""Short-lived AWS credentials for one command: `… exec -- CMD` and `… process` are those of `aegis credentials`."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from aegis.cli.main import main  # noqa: E402 - the source tree must be found first

if __name__ == "__main__":
    sys.exit(main(["credentials", *sys.argv[1:]]))
