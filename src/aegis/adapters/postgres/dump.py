"""Dumps by pg_dump itself, all of them in one exported snapshot.

Two forms: a folder, written by several sessions at once, then uploaded file by file; or one stream, which needs no
disk. In both, what was written counts only if pg_dump ended well: a stream ends for its reader only after pg_dump has.
"""

from __future__ import annotations

import fcntl
import io
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

from aegis.adapters.postgres.process import Child, started
from aegis.adapters.postgres.tools import Tools
from aegis.backup.schema_digest import schema_digest
from aegis.backup.writing import Item
from aegis.core.errors import CouldNotDecide

SILENCE: Final = 600.0
"""Seconds in which pg_dump must have written something."""
LOCK_SECONDS: Final = 60.0
"""That pg_dump waits for a lock. Behind somebody who waits for the session that holds the snapshot, none would come."""
CHUNK: Final = 1024 * 1024
SCHEMA_ONLY: Final = ("--schema-only", "--format=plain", "--no-tablespaces")
"""How pg_dump is asked for definitions that two servers can share: a restore leaves tablespaces out."""
_UNBOUNDED: Final = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"
"""A role's own limits are meant for applications. pg_dump puts them off by itself, some statements late; pg_dumpall
doesn't."""
_PIPE: Final = 1024 * 1024
"""Bytes that the pipe holds, so that pg_dump need not wait for each of our steps (F_SETPIPE_SZ, fcntl(2))."""
_TICK: Final = 0.2
_ENDING: Final = 60.0
"""Seconds that pg_dump has to end after its last byte."""
_MOST: Final = 64 * 1024 * 1024
"""Bytes of globals or of a schema."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dumper:
    """Which programs dump which database, and how long they may take."""

    tools: Tools
    url: str = field(repr=False)
    silence: float = SILENCE
    lock_seconds: float = LOCK_SECONDS
    environ: Mapping[str, str] | None = field(default=None, repr=False)

    @property
    def compression(self) -> str:
        """The quickest that this major can write: zstd from 16 on."""
        return "zstd:1" if self.tools.major >= 16 else "gzip:1"

    def write_folder(
        self, folder: Path, *, snapshot: str, jobs: int, tick: Callable[[int], None] = lambda _: None
    ) -> None:
        """Dump into a folder that does not exist yet, by `jobs` sessions beside the first.

        `tick` is called now and then with the bytes so far; what it raises ends the dump. `CouldNotDecide`
        `backup_check.dump_failed` or `backup_check.dump_stalled`.
        """
        # What the disk keeps does not matter: it is uploaded from memory, and restored from there.
        arguments = [*self._dump("directory", snapshot), f"--jobs={jobs}", "--no-sync", f"--file={folder}"]
        with self._started("pg_dump", arguments) as child:
            size, since = -1, time.monotonic()
            while child.process.poll() is None:
                if (now := _size_of(folder)) != size:
                    size, since = now, time.monotonic()
                elif time.monotonic() - since > self.silence:
                    raise child.stalled(self.silence, "writes")
                tick(size)
                try:
                    child.process.wait(_TICK)
                except subprocess.TimeoutExpired:
                    continue
            child.check(0)

    def folder_items(self, folder: Path) -> tuple[Item, ...]:
        """The files of a dumped folder, for `write_backup`; the largest first, so that none is left for the end."""
        files = sorted(folder.iterdir(), key=lambda file: (-file.stat().st_size, file.name))
        return tuple(Item(f"{folder.name}/{file.name}", partial(_file, file)) for file in files)

    def stream_item(self, name: str, *, snapshot: str) -> Item:
        """The dump as one object that is made while it is uploaded."""
        return Item(name, partial(self.stream, snapshot=snapshot))

    @contextmanager
    def stream(self, *, snapshot: str) -> Iterator[Iterator[bytes]]:
        """pg_dump's archive in chunks, some of them empty: then it makes the reader wait.

        The chunks end only after pg_dump has ended well; else they raise `backup_check.dump_failed` or
        `backup_check.dump_stalled`, so that nothing takes a part for the whole.
        """
        with self._started("pg_dump", self._dump("custom", snapshot), stdout=subprocess.PIPE) as child:
            yield _guarded(child, self.silence)

    def globals(self, database: str) -> bytes:
        """Roles, their settings and tablespaces as SQL, without passwords; asked for in the database of this name.

        pg_dumpall alone asks in `postgres`, where a role may connect to its own database only.
        """
        from psycopg.conninfo import make_conninfo

        # as a conninfo, since it takes a name with `=` for one
        named = make_conninfo(dbname=database)
        return self._whole("pg_dumpall", ["--globals-only", "--no-role-passwords", f"--database={named}"])

    def schema_sha256(self, snapshot: str | None = None) -> str:
        """`schema_digest` of the database."""
        arguments = [*SCHEMA_ONLY, *self._waits()]
        if snapshot is not None:
            arguments.append(f"--snapshot={snapshot}")
        return schema_digest(self._whole("pg_dump", arguments))

    def _dump(self, form: str, snapshot: str) -> list[str]:
        level = self.compression if self.tools.major >= 16 else self.compression.removeprefix("gzip:")
        return [f"--format={form}", f"--compress={level}", f"--snapshot={snapshot}", *self._waits()]

    def _waits(self) -> list[str]:
        return [f"--lock-wait-timeout={int(self.lock_seconds * 1000)}"]

    def _whole(self, program: str, arguments: Sequence[str]) -> bytes:
        with self._started(program, arguments, stdout=subprocess.PIPE) as child:
            text = io.BytesIO()
            for chunk in _guarded(child, self.silence):
                if text.tell() + len(chunk) > _MOST:
                    raise CouldNotDecide(
                        "backup_check.dump_failed",
                        f"{program} writes more than {_MOST} bytes of definitions",
                        expected="the definitions of a database",
                        remedy="Dump the database by hand, and look at what is so large.",
                    )
                text.write(chunk)
            return text.getvalue()

    def _started(
        self, program: str, arguments: Sequence[str], *, stdout: int = subprocess.DEVNULL
    ) -> AbstractContextManager[Child]:
        return started(
            self.tools,
            program,
            arguments,
            url=self.url,
            settings=_UNBOUNDED,
            stdout=stdout,
            environ=self.environ,
        )


def _guarded(child: Child, silence: float) -> Iterator[bytes]:
    """What a program writes; nothing now and then; its end only if that was a good one."""
    descriptor = child.out.fileno()
    with suppress(OSError):  # an unprivileged user may have used up what pipes may hold
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE)
    os.set_blocking(descriptor, False)
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    waited = 0.0
    while True:
        if not poll.poll(_TICK * 1000):
            # Only waiting counts: while the store is slow, pg_dump waits for us.
            waited += _TICK
            if waited > silence:
                raise child.stalled(silence, "writes")
            yield b""
            continue
        waited = 0.0
        chunk = os.read(descriptor, CHUNK)
        if not chunk:
            break
        yield chunk
    child.check(min(_ENDING, silence))


def _size_of(folder: Path) -> int:
    """Bytes so far; files that come count too."""
    try:
        with os.scandir(folder) as entries:
            return sum(1 + entry.stat().st_size for entry in entries)
    except FileNotFoundError:
        return 0


@contextmanager
def _file(path: Path) -> Iterator[Iterator[bytes]]:
    with path.open("rb", buffering=0) as file:
        yield iter(partial(file.read, CHUNK), b"")
