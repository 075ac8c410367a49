"""A program of PostgreSQL at work: its surroundings, its password, its end.

The password is in no argument and in no environment, where every process of the user could read it, but in a file
without a name (memfd_create(2)) that the program inherits; libpq reads it as its password file. Of the surroundings
come along what says how to connect, and nothing else: no credentials of a cloud.
"""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Final

from aegis.adapters.postgres.connection import invalid, parts
from aegis.adapters.postgres.tools import Tools
from aegis.adapters.process_group import WATCHED, running
from aegis.core.errors import CouldNotDecide

_KEPT: Final = frozenset({"PATH", "HOME", "TMPDIR", "USER", "LOGNAME"})
_KEPT_BEGINNINGS: Final = (
    "PGUSER", "PGPASSFILE", "PGSSL", "PGGSS", "PGKRB", "PGCHANNELBINDING", "PGREQUIRE", "PGTARGET", "PGCONNECT",
)  # fmt: skip
"""What says how to connect (https://www.postgresql.org/docs/current/libpq-envars.html), but for PGPASSWORD; where to,
the address alone says."""
_GRACE: Final = 1.0
"""Seconds from SIGTERM, on which pg_dump cancels its statements on the server, to SIGKILL."""
_SAID: Final = 4000
"""Bytes of its last words that are looked at."""
_TELLTALE: Final = 4
"""Characters of a password that other words do not hold by chance: where a shorter one is struck out, it shows."""


@dataclass(frozen=True, slots=True)
class Child:
    """A program that was started."""

    name: str
    process: subprocess.Popen[bytes]
    _said: IO[bytes] = field(repr=False)
    _password: str = field(repr=False)

    @property
    def out(self) -> IO[bytes]:
        """What it writes to its standard output, where that is a pipe."""
        if self.process.stdout is None:
            raise ValueError("it was started without a pipe")
        return self.process.stdout

    def check(self, seconds: float) -> None:
        """Wait for its end, and raise unless that was a good one. `backup_check.dump_failed`, `….dump_stalled`."""
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise self.stalled(seconds, "ends") from None
        if status:
            how = f"was ended by {signal.Signals(-status).name}" if status < 0 else f"failed with exit code {status}"
            raise CouldNotDecide(
                "backup_check.dump_failed",
                f"{self.name} {how}: {self.said() or 'it said nothing'}",
                expected="exit code 0",
                remedy="Do what its message asks for, and run the backup again.",
            )

    def stalled(self, seconds: float, what: str) -> CouldNotDecide:
        """The error for one that makes no progress."""
        return CouldNotDecide(
            "backup_check.dump_stalled",
            f"{self.name} has not {'ended' if what == 'ends' else 'written anything'} for {seconds:g} s",
            expected="progress",
            remedy="Look in pg_stat_activity for what its sessions wait for, and run the backup again.",
        )

    def said(self) -> str:
        """Its last words without the password: what failed, else the last line; nothing beside a short password."""
        if 0 < len(self._password) < _TELLTALE:
            return "its words are not shown beside so short a password"
        size = os.fstat(self._said.fileno()).st_size
        text = os.pread(self._said.fileno(), _SAID, max(0, size - _SAID)).decode("utf-8", "replace")
        if self._password:
            text = text.replace(self._password, "***")
        lines = ["".join(c if c.isprintable() else " " for c in line).strip() for line in text.splitlines()]
        lines = [line for line in lines if line]
        telling = [line for line in lines if "error:" in line or "ERROR:" in line]
        return (telling or lines[-1:] or [""])[0][:500]


@contextmanager
def started(
    tools: Tools,
    program: str,
    arguments: Sequence[str],
    *,
    url: str | None = None,
    option: str = "--dbname",
    settings: str = "",
    stdout: int = subprocess.DEVNULL,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Child]:
    """Start a program until the block ends; then it, and whatever it started, is gone.

    `url`: the database that it connects to, which it is told by `option`. `settings`: of its sessions, from their start
    on, whatever the role's are: `-c NAME=VALUE …`. `UsageError`
    `runtime.database_url_invalid`; `CouldNotDecide` `backup_check.dump_failed` where it cannot be started.
    """
    surroundings = _surroundings(os.environ if environ is None else environ)
    argv = [str(tools.program(program)), *arguments]
    with ExitStack() as stack:
        said = stack.enter_context(tempfile.TemporaryFile())
        inherited: tuple[int, ...] = ()
        password = ""
        if url is not None:
            address, password = _address(url, settings, os.environ if environ is None else environ)
            surroundings.update({"PGOPTIONS": settings} if settings else {})
            argv += ["--no-password", f"{option}={address}"]
            if password:
                inherited = (_password_file(stack, password, url),)
                surroundings["PGPASSFILE"] = f"/proc/self/fd/{inherited[0]}"
        reading, writing = os.pipe()
        stack.callback(os.close, writing)

        def start() -> subprocess.Popen[bytes]:
            try:
                _check_runs(Path(argv[0]))
                return subprocess.Popen(
                    ["sh", "-c", WATCHED, program, str(reading), *argv],
                    env=surroundings,
                    stdin=subprocess.DEVNULL,
                    stdout=stdout,
                    stderr=said,
                    pass_fds=(*inherited, reading),
                    start_new_session=True,
                )
            except OSError as error:
                raise CouldNotDecide(
                    "backup_check.dump_failed",
                    f"{argv[0]} cannot be started: {error.strerror}",
                    expected="a program that starts",
                    remedy="Install PostgreSQL's programs anew.",
                ) from error
            finally:
                os.close(reading)

        with running(start, _GRACE) as process:
            yield Child(program, process, said, password)


def _check_runs(program: Path) -> None:
    """What the shell would only have words for. Raises OSError."""
    if not os.access(program, os.X_OK):
        number = errno.EACCES if program.exists() else errno.ENOENT
        raise OSError(number, os.strerror(number))


def _surroundings(environ: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in environ.items() if name in _KEPT or name.startswith(_KEPT_BEGINNINGS)}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


def _address(url: str, wanted: str, environ: Mapping[str, str]) -> tuple[str, str]:
    """The address as an argument, without secrets; and the password."""
    from psycopg.conninfo import make_conninfo

    settings = parts(url)
    if settings.pop("sslpassword", None):
        raise invalid(url)  # it would have to stand in an argument
    if settings.get("options"):
        settings["options"] += (
            f" {wanted}"  # in place of the surroundings'; of two values of a setting, the last counts
        )
    password = settings.pop("password", None) or environ.get("PGPASSWORD", "")
    if password:
        settings.pop("passfile", None)
    return make_conninfo(**settings), password


def _password_file(stack: ExitStack, password: str, url: str) -> int:
    """A file of the form of https://www.postgresql.org/docs/current/libpq-pgpass.html, that lies in memory."""
    if "\n" in password or "\r" in password or "\0" in password:
        raise invalid(url)  # no line of such a file can hold it
    descriptor = os.memfd_create("pgpass")
    stack.callback(os.close, descriptor)
    os.fchmod(descriptor, 0o600)  # libpq ignores what others may read
    escaped = password.replace("\\", "\\\\").replace(":", "\\:")
    os.write(descriptor, f"*:*:*:*:{escaped}\n".encode())
    return descriptor
