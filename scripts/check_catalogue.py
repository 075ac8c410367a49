#!/usr/bin/env python3
"""Which published SDK packages does the catalogue not know yet? Exit 0 none, 1 some, 3 could not decide."""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from aegis.gates.scan.catalogue.compile import read_providers  # noqa: E402 - the source tree must be found first
from aegis.gates.scan.catalogue.sources import check  # noqa: E402

if __name__ == "__main__":
    sys.exit(check(read_providers().values(), print))
