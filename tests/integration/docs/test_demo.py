"""What the demo says of itself before it starts anything."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[3] / "scripts/demo.py"


@pytest.mark.parametrize(
    ("argument", "code", "told"), [("--help", 0, "Simulated:\n  - GitHub's runner"), ("--fast", 2, "usage: ")]
)
def test_an_argument_runs_no_demo(argument: str, code: int, told: str) -> None:
    done = subprocess.run([sys.executable, "-I", DEMO, argument], capture_output=True, text=True, timeout=120)
    assert done.returncode == code
    assert told in done.stdout + done.stderr
    assert "===" not in done.stdout
