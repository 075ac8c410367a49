"""A disk that runs full in earnest: a small file system of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


def test_a_full_disk_refuses_and_harms_nothing(tmp_path: Path) -> None:
    ran = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.e2e.audit.full_disk",
         tmp_path],
        cwd=ROOT, env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    found = json.loads(ran.stdout)
    done = found["done"]
    assert done > 100
    assert found["why"].startswith("audit.unavailable: ")
    assert "No space left" in found["why"]
    assert found["again"] == [done, found["why"]]
    assert found["full"] == ["intact", done]
    result, size, more = found["after"]
    assert (result, size) == ("intact", more)
    assert more > done
    assert found["left over"] == []
