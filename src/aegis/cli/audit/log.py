"""Which log an `aegis audit` command is about, and whose key it should have."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from aegis.cli.files import read_file, refuse_other_than_file
from aegis.cli.progress import progress_bar
from aegis.core.errors import CouldNotDecide, Refused, UsageError

if TYPE_CHECKING:
    from aegis.audit.findings import Finding, Report
    from aegis.audit.keys import SigningKey, Verifier
    from aegis.audit.log import AuditLog, Source
    from aegis.core.actor import Actor
    from aegis.core.note import Checkpoint
    from aegis_multimodal_ai_system.settings import Settings

_MAX_KEY = 16_384
"""Bytes of a key's file."""
_MOST_JOBS = 4
"""Processes that verify a log on disk; none is started for a small one."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A log to read."""

    source: Source
    verifier: Verifier | None
    """None where no key was named and none is where the settings say."""
    findings: tuple[Finding, ...] = ()
    """What is wrong with it at first sight."""


@contextmanager
def opened(arguments: argparse.Namespace) -> Iterator[Opened]:
    """The log that the arguments or the environment name, to read."""
    settings = _settings()
    verifier = _verifier(arguments, settings)
    folder = _folder(arguments, settings)
    if folder is not None:
        yield _on_disk(folder, verifier)
        return
    from aegis.adapters.postgres.audit_log import PostgresSource

    source = PostgresSource(settings.database_url)
    try:
        yield Opened(source, verifier, source.findings())
    finally:
        source.close()


@contextmanager
def opened_to_write(arguments: argparse.Namespace) -> Iterator[tuple[AuditLog, Verifier, Actor]]:
    """The same with its own key, and who writes."""
    from dataclasses import replace

    from aegis.audit.keys import verifier_of
    from aegis_multimodal_ai_system.orchestrator.audit_helper import open_log, process_actor

    settings = _settings()
    file = Path(arguments.key) if arguments.key is not None else settings.audit_key
    key = _own_key(file)
    folder = _folder(arguments, settings)
    actor = process_actor(settings)
    verifier = verifier_of(key, settings.audit_origin)
    if folder is not None:
        from aegis.audit.disk import DiskLog

        with DiskLog(folder, settings.audit_origin, key) as log:
            yield log, verifier, actor
        return
    yield open_log(replace(settings, audit_key=file)), verifier, actor


def known_verifier(log: Opened) -> Verifier:
    """The key, where a command needs it."""
    if log.verifier is None:
        raise _no_key()
    return log.verifier


def verifier_of_arguments(arguments: argparse.Namespace) -> Verifier:
    """The key alone, for what needs no log."""
    verifier = _verifier(arguments, _settings())
    if verifier is None:
        raise _no_key()
    return verifier


def checkpoint_of(log: Opened) -> bytes:
    """As it lies there."""
    from aegis.audit.faults import unavailable

    note = log.source.read("checkpoint")
    if note is None:
        raise unavailable("the log has no checkpoint: nothing was ever recorded, or it was removed")
    return note


def head_of(log: Opened) -> Checkpoint:
    """What the checkpoint says; nothing of it is verified."""
    from aegis.audit.checkpoint import read_checkpoint

    return read_checkpoint(checkpoint_of(log))


def entries_from(source: Source, first: int, size: int) -> Iterator[tuple[int, bytes]]:
    """Indexes and entries, from `first` up to the log's size."""
    from aegis.audit.bundle import entries_of
    from aegis.audit.faults import unavailable
    from aegis.audit.paths import WIDTH
    from aegis.audit.tree import read_bundle

    for number in range(first // WIDTH, (size + WIDTH - 1) // WIDTH):
        start, width = number * WIDTH, min(size - number * WIDTH, WIDTH)
        found = list(entries_of(read_bundle(source, number, width)))
        if len(found) < width:
            raise unavailable(f"the bundle {number} has {len(found)} of {width} entries")
        for index in range(max(first, start), start + width):
            yield index, found[index - start]


def verified(log: Opened, verifier: Verifier, against: Sequence[bytes]) -> Report:
    """Read it once as a whole."""
    from aegis.audit.disk_source import DiskSource
    from aegis.audit.verify import verify_disk, verify_log

    if isinstance(log.source, DiskSource):
        return verify_disk(log.source, verifier, against, jobs=min(os.cpu_count() or 1, _MOST_JOBS))
    with progress_bar("verifying") as told:
        source = log.source if told is None else _Watched(log.source, head_of(log).size, told)
        return verify_log(source, verifier, against).joined(log.findings)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A log that tells how many of its entries were read."""

    source: Source
    size: int
    told: Callable[[int, int], None]

    def read(self, path: str) -> bytes | None:
        if path.startswith("tile/entries/"):
            number = int(path.removeprefix("tile/entries/").partition(".")[0].replace("x", "").replace("/", ""))
            self.told(min((number + 1) * 256, self.size), self.size)
        return self.source.read(path)


def exported(log: Opened, form: str, first: int, output: Path | None) -> None:
    """One line an entry; a file gets all of them or is not there."""
    head = head_of(log)
    with _written(output) as file, progress_bar("exporting") as told:
        for index, data in entries_from(log.source, first, head.size):
            file.write(_exported(data, form, head.origin, index) + b"\n")
            if told is not None:
                told(index + 1 - first, head.size - first)


def _exported(data: bytes, form: str, origin: str, index: int) -> bytes:
    """One line; `json` is the entry as it is recorded."""
    from msgspec import json

    from aegis.audit.entry import decode
    from aegis.audit.export import FORMATS, Place
    from aegis.core.merkle import hash_leaf

    try:
        entry = decode(data)
    except Refused as error:
        raise Refused(
            error.code, f"entry {index}: {error.problem}", expected=error.expected, remedy=error.remedy
        ) from error
    return data if form == "json" else json.encode(FORMATS[form](entry, Place(origin, index, hash_leaf(data))))


@contextmanager
def _written(output: Path | None) -> Iterator[BinaryIO]:
    if output is None:
        yield sys.stdout.buffer
        return
    refuse_other_than_file(output)
    draft = output.parent / f".{output.name}.{secrets.token_hex(8)}"
    try:
        with draft.open("xb") as file:
            yield file
        draft.replace(output)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {str(output)!r}: {error.strerror}",
            expected="a place that can be written",
            remedy="choose another file",
        ) from error
    finally:
        with suppress(OSError):
            draft.unlink()


def _settings() -> Settings:
    from aegis_multimodal_ai_system.settings import Settings

    return Settings.from_environment()


def _folder(arguments: argparse.Namespace, settings: Settings) -> Path | None:
    """None where the log is in a database."""
    if arguments.log is None and settings.audit == "postgresql":
        return None
    from aegis_multimodal_ai_system.orchestrator.audit_helper import log_folder

    folder: Path = arguments.log or log_folder(settings)
    if not os.path.isdir(folder):  # noqa: PTH112 - `is_dir` raises for long names
        raise UsageError(
            "core.wrong_usage",
            f"{str(folder)!r} is no folder",
            expected="a log's folder",
            remedy="name it with --log, or set AEGIS_DATA or DATABASE_URL as the service has them",
        )
    return folder


def _on_disk(folder: Path, verifier: Verifier | None) -> Opened:
    if verifier is None:  # what is published is readable without a key
        from aegis.audit.folder import FolderSource

        return Opened(FolderSource(folder), None)
    from aegis.audit.disk_source import DiskSource

    source = DiskSource(folder, verifier)
    return Opened(source, verifier, source.findings or ((source.unsound,) if source.unsound else ()))


def _verifier(arguments: argparse.Namespace, settings: Settings) -> Verifier | None:
    from aegis.audit.keys import parse_vkey, verifier_of

    given: str | None = arguments.key
    if given is None:
        if not os.path.lexists(settings.audit_key):
            return None
        return verifier_of(_own_key(settings.audit_key), settings.audit_origin)
    text = given
    if not os.path.lexists(given):
        if "+" not in given:
            raise _bad_key(f"{given[:200]!a} is no file and no verifier key")
    else:
        data = read_file(Path(given), _MAX_KEY)
        if data.startswith(b"-----BEGIN"):
            return verifier_of(_own_key(Path(given)), settings.audit_origin)
        text = data.decode("utf-8", "replace")
    try:
        return parse_vkey(text)
    except Refused as error:
        raise _bad_key(error.problem, error.expected) from error


def _own_key(file: Path) -> SigningKey:
    from aegis.audit.keys import load_key

    if not os.path.lexists(file):
        raise _bad_key(f"{str(file)!r} is not there")
    return load_key(file)


def _no_key() -> UsageError:
    return _bad_key("no key is named, and AEGIS_AUDIT_KEY is not there")


def _bad_key(problem: str, expected: str = "the log's key") -> UsageError:
    return UsageError(
        "core.wrong_usage",
        problem,
        expected=expected,
        remedy="name with --key the verifier key that was published for this log, or a file that holds it",
    )
