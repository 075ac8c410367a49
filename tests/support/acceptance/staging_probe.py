"""A staging probe of the acceptance catalogue, started as the engine starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from aegis.acceptance.catalogue import parse_catalogue
from aegis.acceptance.probe_answer import ProbeAnswer, parse_answer

ROOT = Path(__file__).resolve().parents[3]
CATALOGUE = parse_catalogue((ROOT / "acceptance/catalogue.yml").read_bytes(), file="acceptance/catalogue.yml")


def probed(name: str, folder: Path, config: Mapping[str, Any], fault: str | None = None, **environ: str) -> ProbeAnswer:
    """What a staging probe of the catalogue answers."""
    criterion = CATALOGUE.criterion(name)
    assert criterion is not None
    assert criterion.staging is not None
    evidence = folder / f"evidence-{fault}"
    evidence.mkdir()
    (folder / "staging.yml").write_text(yaml.safe_dump({"version": 1, **config}))
    words = [sys.executable, *criterion.staging.run[1:], "--evidence", str(evidence)]
    words += ["--config", str(folder / "staging.yml"), *([f"--fault={fault}"] if fault else [])]
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    done = subprocess.run(
        words, cwd=ROOT, env={**kept, **environ}, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode in (0, 1), done.stderr
    return parse_answer((evidence / "probe.json").read_bytes(), done.returncode)


def expected(name: str, fault: str) -> tuple[str, ...]:
    """The reasons with which it must be seen."""
    criterion = CATALOGUE.criterion(name)
    assert criterion is not None
    assert criterion.staging is not None
    found = criterion.staging.fault(fault)
    assert found is not None
    return found.reasons
