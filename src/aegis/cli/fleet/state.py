"""What a run has done so far, in a file, so that the next one goes on where it ended.

Only an unfinished run of the same words and the same version is gone on with, and for a day: a finished one is no
cache, since what was well yesterday may not be today. A line is added for each repository, so that a run that is killed
loses the one that it was at.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import msgspec

import aegis
from aegis.cli import files
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.typed import convert
from aegis.scaffold.fleet import FINISHED, Row, State

_DAY = datetime.timedelta(hours=24)
_MAX_BYTES = 64 << 20
_NO_PART = frozenset({"run", "format", "state", "wait", "pace"})
"""Arguments that change nothing of what is done."""


class _Head(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The first line, version 1."""

    version: int
    run: str
    """SHA-256 (hex) of what was asked for."""
    started: datetime.datetime


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each further one: a repository, or the end."""

    row: Row | None = None
    finished: bool = False


@dataclass(slots=True)
class FleetState:
    """The file, where one was named."""

    path: Path | None
    started: datetime.datetime
    rows: Mapping[str, Row] = field(default_factory=dict)
    """Of the run that is gone on with."""
    errors: int = 0

    @classmethod
    def open(cls, arguments: argparse.Namespace) -> FleetState:
        """Go on with the file's run, or begin anew. UsageError `fleet.state_invalid`, `fleet.state_other`."""
        now, run = datetime.datetime.now(datetime.UTC), _words(arguments)
        path: Path | None = arguments.state
        if path is None:
            return cls.none()
        if path.exists() or path.is_symlink():
            head, rows, finished = _read(path)
            if not finished and datetime.timedelta() <= now - head.started < _DAY:
                if head.run != run:
                    raise UsageError(
                        "fleet.state_other",
                        f"{str(path)!r} is of an unfinished run that was asked for something else",
                        expected="the same command, arguments and version",
                        remedy="Repeat the run that it is of, or name another file with --state.",
                    )
                _mend(path)
                kept = {row.repository: row for row in rows}
                return cls(path, head.started, {name: row for name, row in kept.items() if row.state in FINISHED})
        line = {"version": 1, "run": run, "started": now.isoformat()}
        files.write(path, (json.dumps(line) + "\n").encode())
        return cls(path, now)

    @classmethod
    def none(cls) -> FleetState:
        """Nothing is remembered."""
        return cls(None, datetime.datetime.now(datetime.UTC))

    def kept(self, repository: str) -> Row | None:
        """What became of a repository in the run that is gone on with."""
        return self.rows.get(repository)

    def keep(self, row: Row) -> None:
        """Remember it, at once."""
        self.errors += row.state is State.ERROR
        self._add({"row": asdict(row)})

    def finish(self) -> None:
        """Every repository has its row: the next run begins anew, unless there were errors to go on with."""
        if not self.errors:
            self._add({"finished": True})

    def notices(self) -> tuple[str, ...]:
        """What a reader must know."""
        if not self.rows:
            return ()
        began = f"{self.started:%Y-%m-%d %H:%M} UTC"
        return (f"{len(self.rows)} repositories are as the run found them that began at {began}.",)

    def _add(self, line: Mapping[str, Any]) -> None:
        if self.path is None:
            return
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")
        except OSError as error:
            raise CouldNotDecide(
                "core.output_unwritable",
                f"cannot write {str(self.path)!r}: {error.strerror}",
                expected="a place that can be written",
                remedy="choose another file",
            ) from error


def _words(arguments: argparse.Namespace) -> str:
    """A digest of everything that decides what is done."""
    words: dict[str, Any] = {key: value for key, value in vars(arguments).items() if key not in _NO_PART}
    return hashlib.sha256(json.dumps([aegis.__version__, words], sort_keys=True, default=str).encode()).hexdigest()


def _mend(path: Path) -> None:
    """Take a last line away that was cut off: the next one would be written behind it, and both be none."""
    content = files.read_file(path, _MAX_BYTES)
    if not content.endswith(b"\n"):
        files.write(path, content[: content.rfind(b"\n") + 1])


def _read(path: Path) -> tuple[_Head, list[Row], bool]:
    """The first line, the rows, and whether that run came to its end; a last line that was cut off is none."""
    files.refuse_other_than_file(path)
    lines = files.read_file(path, _MAX_BYTES).split(b"\n")[:-1]
    try:
        if not lines:
            raise ValueError("no whole line")
        head = convert(json.loads(lines[0]), _Head)
        rest = [convert(json.loads(line), _Line) for line in lines[1:]]
        if head.version != 1:
            raise ValueError(f"version {head.version}")
        if head.started.tzinfo is None:
            raise ValueError("a time without its zone")
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise UsageError(
            "fleet.state_invalid",
            f"{str(path)!r} is not what a run left: {str(error)[:200]}",
            expected="the file of --state as the command wrote it",
            remedy="Delete it, and run the command again from the beginning.",
        ) from error
    return head, [line.row for line in rest if line.row is not None], any(line.finished for line in rest)
