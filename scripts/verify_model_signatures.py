#!/usr/bin/env python3
"""Artifacts are signed by whom the policy says: `verify_model_signatures.py` is `aegis verify`."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

try:
    # a command imports what it needs late: too late for this message
    for package in ("msgspec", "yaml", "cryptography", "botocore"):
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
    sys.exit(main(["verify", *sys.argv[1:]]))
