#!/usr/bin/env python3
"""No direct cloud SDK in runtime code: `scan_cloud_sdk_usage.py --strict` is `aegis scan --strict`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

try:
    # a command imports what it needs late: too late for this message
    for package in ("msgspec", "yaml"):
        import_module(package)
    from aegis.cli.main import main
except ModuleNotFoundError as missing:
    sys.stderr.write(
        f"{missing.name} is not installed for {sys.executable}\n"
        f"  expected: the environment that `make venv` makes in {ROOT}\n"
        f"  next: run `make venv` there, then {ROOT / '.venv/bin/python'} {' '.join(sys.argv)}\n"
    )
    sys.exit(3)

if __name__ == "__main__":
    sys.exit(main(["scan", *sys.argv[1:]]))
