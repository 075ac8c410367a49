"""A PostgreSQL that lives for one restore: made, started, stopped and wiped here.

    with running_engine(programs) as engine:
        connection = connect(engine.url("postgres"))

It runs in the sandbox (`sandbox`), answers on a socket in a folder that only its user and root may enter, and has no
other way in. Its disk is a folder of its own below the system's folder for temporary files (`TMPDIR`), which is removed
when the engine ends, whatever ends it. Nothing in it has to outlive the machine's power, so nothing waits for the disk.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from urllib.parse import quote

from aegis.adapters.postgres.connection import connect
from aegis.adapters.postgres.sandbox import MEMORY, Running, Sandbox, best
from aegis.adapters.process_group import completed
from aegis.core.errors import CouldNotDecide

SUPERUSER: Final = "aegis_engine"
"""No role of a source is called so, it is hoped; one that is cannot be made, and the restore says so."""
START_SECONDS: Final = 120.0
"""For `initdb` and the first answer, on a busy machine. Usually it takes half a second."""
_VERSION_SECONDS: Final = 60.0
"""On a busy machine."""
_SOCKET_BYTES: Final = 107
"""Of a socket's path, with the name that PostgreSQL gives it (`sun_path` in unix(7))."""
_POLL: Final = 0.01
_LOG_BYTES: Final = 2000
_VERSION = re.compile(r"postgres \(PostgreSQL\) (\d+)\.(\d+)")
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_addresses": "",
    # What is lost by a crash is the whole engine, and is made anew.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    # Tables that are filled in the transaction that made or emptied them are not logged at all.
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "1GB",
    "autovacuum": "off",
    "shared_buffers": "128MB",
    # More makes the building of GIN indexes slower, by half from 16 MB to 1 GB; only B-trees gain a little.
    "maintenance_work_mem": "32MB",
    "max_connections": "40",
    "max_locks_per_transaction": "1024",
    "huge_pages": "off",
    "jit": "off",
    # Its log is for the start. Statements of a dump hold rows.
    "log_min_error_statement": "panic",
}
_EVENT_TRIGGERS_OFF_SINCE: Final = 17
"""The major that can switch them off, and the first in which one may run at each login."""


@dataclass(frozen=True, slots=True)
class Engine:
    """A running one."""

    major: int
    minor: int
    programs: Path
    folder: Path
    """Its own, with the socket and `data`; the only one that it can write to."""
    inbox: Path
    """Of ours, for what its clients are to read; wiped with it."""
    sandbox: Sandbox
    _server: Running
    _log: IO[bytes]
    """Without a name: it goes with the last of us who has it open."""

    def url(self, database: str) -> str:
        """For `connection.connect`; as superuser, through the socket."""
        place = f"host={quote(str(self.folder), safe='')}&port=5432"
        return f"postgresql://{SUPERUSER}@/{quote(database, safe='')}?{place}"

    def alive(self) -> bool:
        """Whether the server still runs."""
        return self._server.poll() is None

    def log(self) -> str:
        """Its last words, bounded."""
        size = self._log.seek(0, os.SEEK_END)
        return os.pread(self._log.fileno(), _LOG_BYTES, max(0, size - _LOG_BYTES)).decode("utf-8", "replace").strip()

    def client(
        self, command: Sequence[str], *, read_only: Sequence[Path], stdout: int, stderr: int, memory: int
    ) -> Running:
        """A program of this major beside it: it sees the socket and what is named, nothing else."""
        return self.sandbox.start(
            [str(self.programs / command[0]), *command[1:]],
            folder=self.folder,
            read_only=[*_shown(self.programs), *read_only],
            environment={
                **_libraries(self.programs),
                "PGHOST": str(self.folder),
                "PGUSER": SUPERUSER,
                "PGCONNECT_TIMEOUT": "10",
            },
            memory=memory,
            stdout=stdout,
            stderr=stderr,
        )


@contextmanager
def running_engine(
    programs: Path,
    *,
    sandbox: Sandbox | None = None,
    settings: Mapping[str, str] | None = None,
    seconds: float = START_SECONDS,
    memory: int = MEMORY,
) -> Iterator[Engine]:
    """A new, empty PostgreSQL of the programs in a folder; afterwards, nothing is left of it.

    `settings` are added to those of the server; `memory` is the most that each of its processes may have.
    Raises CouldNotDecide `backup_check.engine_failed`.
    """
    sandbox = sandbox or best()
    # the sandbox shows no links that lead to a folder, only the folder
    programs = programs.resolve()
    major, minor = _version(programs)
    whole = Path(tempfile.mkdtemp(prefix="aegis-engine-"))
    try:
        folder, inbox = whole / "pg", whole / "in"
        if len(os.fsencode(folder / ".s.PGSQL.5432.lock")) > _SOCKET_BYTES:
            raise _failed(f"the folder for temporary files has a path of {len(os.fsencode(whole))} bytes")
        folder.mkdir(0o700)
        inbox.mkdir(0o711)
        if sandbox.owner is not None:
            os.chown(folder, sandbox.owner, sandbox.owner)
            if not sandbox.isolated:
                whole.chmod(0o711)
        programs = copy_for(sandbox, programs.parent, inbox) / programs.name
        options = _options(major, folder, settings or {})
        with (
            tempfile.TemporaryFile() as log,
            closing(_start(programs, folder, sandbox, options, memory=memory, log=log)) as server,
        ):
            engine = Engine(major, minor, programs, folder, inbox, sandbox, server, log)
            _await(engine, time.monotonic() + seconds)
            yield engine
    finally:
        shutil.rmtree(whole, ignore_errors=True)  # the sandbox has wiped it, unless it never came to start


def copy_for(sandbox: Sandbox, source: Path, inbox: Path) -> Path:
    """`source` as programs of the sandbox can read it: itself, or a copy in a folder of ours.

    Only where root starts the engine are they another user. Without a copy: files that all may read, where the sandbox
    is isolated in whatever folder, so a private folder with files of mode 0644 is the way to keep large ones once.
    """
    if sandbox.owner is None or _readable(source, alone=sandbox.isolated):
        return source
    copy = Path(tempfile.mkdtemp(dir=inbox)) / source.name
    copy.parent.chmod(0o711)
    if source.is_dir():
        shutil.copytree(source, copy, symlinks=True)
    else:
        shutil.copyfile(source, copy)
    for path in (copy, *copy.rglob("*")):
        os.chown(path, sandbox.owner, sandbox.owner, follow_symlinks=False)
    return copy


def _readable(source: Path, *, alone: bool) -> bool:
    """By everybody; `alone`: the folders above it do not count, since it is shown without them."""
    above = () if alone else source.parents
    return all(path.stat().st_mode & 0o001 for path in above) and all(
        path.is_symlink() or path.stat().st_mode & (need := 0o005 if path.is_dir() else 0o004) == need
        for path in (source, *source.rglob("*"))
    )


def _version(programs: Path) -> tuple[int, int]:
    """Of the server's own binary, which has to run here."""
    try:
        done = completed([programs / "postgres", "--version"], env={"LC_ALL": "C"}, seconds=_VERSION_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _failed(f"{programs / 'postgres'} cannot be run: {type(error).__name__}") from error
    found = _VERSION.match(done.stdout.decode("utf-8", "replace"))
    if found is None:
        said = (done.stdout + done.stderr).decode("utf-8", "replace")
        raise _failed(f"{programs / 'postgres'} does not say its version: {said[:200]!r}")
    return int(found[1]), int(found[2])


def _options(major: int, folder: Path, settings: Mapping[str, str]) -> list[str]:
    off = {"event_triggers": "off"} if major >= _EVENT_TRIGGERS_OFF_SINCE else {}
    every = {**_SETTINGS, **off, "unix_socket_directories": str(folder), **settings}
    return [word for name, value in every.items() for word in ("-c", f"{name}={value}")]


def _start(
    programs: Path, folder: Path, sandbox: Sandbox, options: Sequence[str], *, memory: int, log: IO[bytes]
) -> Running:
    initdb = [
        *(str(programs / "initdb"), "--pgdata", str(folder / "data"), "--username", SUPERUSER, "--auth=trust"),
        *("--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"),
    ]
    postgres = [str(programs / "postgres"), "-D", str(folder / "data"), *options]
    return sandbox.start(
        ["sh", "-c", f"{shlex.join(initdb)} && exec {shlex.join(postgres)}"],
        folder=folder,
        read_only=_shown(programs),
        environment=_libraries(programs),
        memory=memory,
        stdout=log,
        stderr=log,
        wipe=folder.parent,
    )


def _await(engine: Engine, last: float) -> None:
    import psycopg

    while True:
        try:
            connect(engine.url("postgres")).close()
            return
        except psycopg.OperationalError as error:
            if not engine.alive() or time.monotonic() > last:
                raise _failed(f"PostgreSQL {engine.major} did not start: {engine.log()}") from error
            time.sleep(_POLL)


def _shown(programs: Path) -> list[Path]:
    """The installation: its libraries and files lie beside `bin` (wheels) or below /usr (distributions)."""
    return [] if programs.is_relative_to("/usr") else [programs.resolve().parent]


def _libraries(programs: Path) -> dict[str, str]:
    """A wheel's extensions are to find the wheel's libpq, not one of the system."""
    return {} if programs.is_relative_to("/usr") else {"LD_LIBRARY_PATH": str(programs.parent / "lib")}


def _failed(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "backup_check.engine_failed",
        problem,
        expected="a PostgreSQL that can be started here for the time of a restore",
        remedy="Free memory and disk, or name another installation of the same major.",
    )
