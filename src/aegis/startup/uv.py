"""The one uv that installs: the version of locks/uv.txt, from PATH or as a wheel by hash."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aegis.startup import process, surroundings
from aegis.startup.children import completed
from aegis.startup.problem import StartupProblem

_PROBE_SECONDS = 10


def find_uv(root: Path, cache: Path, environ: Mapping[str, str]) -> Path:
    """The uv on PATH if it is the locked version, else the one in the cache, else a download by hash."""
    lock = root / "locks" / "uv.txt"
    version = locked_version(lock)
    on_path = shutil.which("uv", path=environ.get("PATH"))
    if on_path and _version_of(Path(on_path), environ) == version:
        return Path(on_path)
    folder = cache / f"uv-{version}"
    if not _program(folder).is_file():
        _download(lock, folder, environ)
    return _program(folder)


def locked_version(lock: Path) -> str:
    """The version that the lock pins."""
    found = re.search(r"^uv==(\S+)", lock.read_text("utf-8"), re.MULTILINE)
    if found is None:
        raise StartupProblem(
            "core.install_failed",
            f"{lock.name} names no version of uv.",
            expected="a line `uv==VERSION`",
            remedy="Use a released version of the action; in this repository run `make lock`.",
        )
    return found.group(1)


def _version_of(program: Path, environ: Mapping[str, str]) -> str | None:
    try:
        done = completed([program, "--version"], env=surroundings.for_installers(environ), seconds=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    words = done.stdout.decode("utf-8", "replace").split()
    return words[1] if done.returncode == 0 and len(words) > 1 else None


def _program(folder: Path) -> Path:
    return folder / "bin" / ("uv.exe" if os.name == "nt" else "uv")


def _download(lock: Path, folder: Path, environ: Mapping[str, str]) -> None:
    """Let the runner's own pip fetch the wheel: it knows platforms, indexes, proxies and hashes."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix="uv-") as temporary:
        target = Path(temporary) / "uv"
        argv = [
            *(_base_python(), "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--no-cache-dir", "--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-compile"),
            *("--target", str(target), "-r", str(lock)),
            *_certificates(environ),
        ]
        process.run(argv, surroundings.for_installers(environ), what="Installing uv with pip")
        publish(target, folder)


def _base_python() -> str:
    """The interpreter under a virtual environment, which often has no pip of its own."""
    return str(getattr(sys, "_base_executable", None) or sys.executable)


def _certificates(environ: Mapping[str, str]) -> list[str]:
    """Older releases of pip know only their own certificates and do not read SSL_CERT_FILE."""
    bundle = environ.get("SSL_CERT_FILE", "")
    return ["--cert", bundle] if bundle and not environ.get("REQUESTS_CA_BUNDLE") else []


def publish(built: Path, place: Path) -> None:
    """Move a finished folder to its place in one step; the first of several builders wins."""
    try:
        built.rename(place)
    except OSError:
        if not place.is_dir():
            raise
