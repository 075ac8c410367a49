"""An environment per lock: by hash, wheels only, built aside and moved into place."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aegis.startup import process, surroundings
from aegis.startup.problem import StartupProblem
from aegis.startup.uv import find_uv, publish


def environment(name: str, root: Path, cache: Path, environ: Mapping[str, str] | None = None) -> Path:
    """The folder of the environment that holds exactly what `locks/<name>.txt` names; built if it is not there."""
    environ = os.environ if environ is None else environ
    lock = _lock(name, root)
    place = cache / f"{name}-{_fingerprint(lock)}"
    # in this order: one that another builder puts there in between is whole, and already in use
    if place.exists():
        if _usable(place):
            return place
        # a cleaner took a part of it, or the interpreter that it stands on is gone
        shutil.rmtree(place, ignore_errors=True)
    uv = find_uv(root, cache, environ)
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f"{name}-") as temporary:
        built = Path(temporary) / "venv"
        _build(uv, lock, built, cache, environ)
        publish(built, place)
    return place


def python_of(place: Path) -> Path:
    """The interpreter of an environment."""
    return place / "Scripts" / "python.exe" if os.name == "nt" else place / "bin" / "python"


def semgrep_core(root: Path, cache: Path, environ: Mapping[str, str] | None = None) -> Path:
    """The analysis binary inside semgrep's wheel, in an environment that holds nothing else."""
    place = environment("semgrep", root, cache, environ)
    pattern = "Lib/site-packages" if os.name == "nt" else "lib/python*/site-packages"
    for program in place.glob(f"{pattern}/semgrep/bin/semgrep-core*"):
        return program
    raise StartupProblem(
        "core.install_failed",
        "The wheel of semgrep holds no `semgrep-core` for this platform.",
        expected="semgrep/bin/semgrep-core in the wheel",
        remedy="Run the gate on a platform for which semgrep publishes a wheel with its core.",
    )


def developer_environment(root: Path, cache: Path, environ: Mapping[str, str] | None = None) -> Path:
    """`.venv`: everything that locks/dev.txt names, and the project itself, editable."""
    environ = os.environ if environ is None else environ
    lock = _lock("dev", root)
    place = root / ".venv"
    mark = place / "aegis-complete"
    state = hashlib.sha256(lock.read_bytes() + (root / "pyproject.toml").read_bytes()).hexdigest()
    if _usable(place) and mark.is_file() and mark.read_text("utf-8") == state:
        return place
    mark.unlink(missing_ok=True)
    uv = find_uv(root, cache, environ)
    _build(uv, lock, place, cache, environ)
    env = surroundings.for_installers(environ)
    editable = (*_uv(uv, "pip", "install", cache), "--python", python_of(place))
    offline = ("--no-index", "--no-deps", "--no-build-isolation")
    process.run((*editable, *offline, "--editable", root), env, what="Installing the project")
    mark.write_text(state, "utf-8")
    return place


def _lock(name: str, root: Path) -> Path:
    lock = root / "locks" / f"{name}.txt"
    if not lock.is_file():
        raise StartupProblem(
            "core.install_failed",
            f"There is no lock `locks/{name}.txt` beside the action.",
            expected="one lock a gate",
            remedy="Use a released version of the action; in this repository run `make lock`.",
        )
    return lock


def _fingerprint(lock: Path) -> str:
    """Of the lock and of the interpreter, since wheels are chosen for one."""
    interpreter = f"{sys.version}|{os.path.realpath(sys.executable)}"
    return hashlib.sha256(lock.read_bytes() + interpreter.encode()).hexdigest()[:8]


def _usable(place: Path) -> bool:
    return python_of(place).is_file() and (place / "pyvenv.cfg").is_file()


def _build(uv: Path, lock: Path, place: Path, cache: Path, environ: Mapping[str, str]) -> None:
    env = surroundings.for_installers(environ)
    if not _usable(place):
        # relocatable: scripts must still start after the folder is moved to its place
        create = (*_uv(uv, "venv", None, cache), "--clear", "--no-project", "--relocatable", "--no-python-downloads")
        process.run((*create, "--python", sys.executable, place), env, what="Creating the environment")
    sync = (*_uv(uv, "pip", "sync", cache), "--python", python_of(place), "--require-hashes", "--only-binary", ":all:")
    process.run((*sync, lock), env, what=f"Installing {lock.name}")


def _uv(uv: Path, command: str, sub: str | None, cache: Path) -> tuple[str | Path, ...]:
    """Call uv with nothing of the user's: no configuration, a cache of our own, the system's certificates."""
    words = (command,) if sub is None else (command, sub)
    common = ("--quiet", "--no-config", "--no-progress", "--system-certs", "--cache-dir", cache / "uv-cache")
    return (uv, *words, *common)
