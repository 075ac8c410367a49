"""Encryption by age (https://age-encryption.org/v1), of objects on their way to a store, and back.

Whoever has one identity of any recipient can read an object; whoever writes backups needs none. age's stream is
authenticated in pieces of 64 KiB, of which the last is marked, so that neither a change nor a cut passes.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from queue import Empty, Full, Queue
from typing import Any, Final

from aegis.backup.manifest import ENCRYPTED
from aegis.backup.writing import Item
from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.storage.private_folder import disk_failed

_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_STEP: Final = 1024 * 1024
"""Bytes that are handed on at once."""
_AHEAD: Final = 4
"""Steps that may wait for the store."""
_TICK: Final = 0.2
_GRACE: Final = 3.0
"""Seconds that the encrypting thread has to end."""


@dataclass(frozen=True, slots=True)
class Identities:
    """Secret keys, any of which may open a backup."""

    keys: tuple[Any, ...] = field(repr=False)
    recipients: tuple[str, ...]
    """Their public halves."""


def parse_recipients(texts: Sequence[str]) -> tuple[str, ...]:
    """Public keys (X25519), sorted, each once. UsageError `backup_check.recipient_invalid`."""
    from pyrage import RecipientError, x25519

    for text in texts:
        try:
            if not _RECIPIENT.fullmatch(text):
                raise RecipientError("no key of this kind")
            x25519.Recipient.from_str(text)
        except RecipientError as error:
            # its text may hold a secret key that was put in the wrong place
            raise UsageError(
                "backup_check.recipient_invalid",
                f"a recipient of {len(text)} characters is no public key of age ({text[:4]!a}…)",
                expected="`age1` and 58 characters, as `age-keygen` prints it",
                remedy="correct `backup-check.recipients`",
            ) from error
    return tuple(sorted(set(texts)))


def parse_identities(text: str, *, what: str) -> Identities:
    """Secret keys as `age-keygen` writes them: one a line, between comments. UsageError, without any of the text."""
    from pyrage import IdentityError, x25519

    keys = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        try:
            keys.append(x25519.Identity.from_str(line.strip()))
        except IdentityError:
            raise _no_identity(f"line {number} of {what} is no secret key of age") from None
    if not keys:
        raise _no_identity(f"{what} holds no secret key")
    return Identities(tuple(keys), tuple(str(key.to_public()) for key in keys))


def encrypted(item: Item, recipients: Sequence[str]) -> Item:
    """The same object as recipients can read it; it is encrypted while it is sent."""
    return Item(f"{item.name}{ENCRYPTED}", partial(_encrypting, item, recipients))


def decrypt_file(source: Path, target: Path, identities: Identities, *, what: str) -> None:
    """Write to `target`, a new file, what `source` holds for one of the identities. `what` names it in messages.

    CouldNotDecide `backup_check.identity_missing` where none of them is among its recipients, and where the disk
    fails; Refused `backup_check.object_damaged`. After any of these, `target` is not to be used.
    """
    import pyrage

    with source.open("rb", buffering=_STEP) as reader, target.open("xb", buffering=_STEP) as writer:
        sink = _Sink(writer)
        try:
            pyrage.decrypt_io(reader, sink, identities.keys)
            writer.flush()
        except (pyrage.DecryptError, OSError) as error:
            if sink.error is not None or (isinstance(error, OSError) and error.errno is not None):
                raise disk_failed(str(target), sink.error or error) from error
            if "No matching keys" in str(error):
                raise CouldNotDecide(
                    "backup_check.identity_missing",
                    f"{what} is encrypted, and not for {', '.join(identities.recipients)}",
                    expected="the secret key of one of the recipients that the manifest names",
                    remedy="give it by --identity-file, or as the secret AEGIS_AGE_IDENTITY.",
                ) from error
            raise Refused(
                "backup_check.object_damaged",
                f"{what} is no whole file of age: {error}",
                expected="what was encrypted, to its last byte",
                remedy="Restore from another backup that was verified, and take a new one.",
            ) from error


def _no_identity(problem: str) -> UsageError:
    return UsageError(
        "backup_check.identity_invalid",
        problem,
        expected="lines with AGE-SECRET-KEY-1…, as `age-keygen` writes them",
        remedy="correct the file, or the secret AEGIS_AGE_IDENTITY",
    )


@dataclass(slots=True)
class _Sink:
    """A file that remembers its own fault: age tells any as its own."""

    file: Any
    error: OSError | None = None

    def write(self, data: bytes) -> int:
        try:
            return int(self.file.write(data))
        except OSError as error:
            self.error = error
            raise


# --- while it is sent -------------------------------------------------------------------------------------------------


@contextmanager
def _encrypting(item: Item, recipients: Sequence[str]) -> Iterator[Iterator[bytes]]:
    with item.open() as chunks:
        work = _Work(chunks, recipients)
        try:
            yield work.chunks()
        finally:
            work.end()


class _Over(Exception):  # noqa: N818 - no fault: nobody takes what comes
    """Ends the encrypting thread."""


class _Work:
    """age pulls and pushes by itself, so it has a thread of its own; what it pushes waits in a short queue."""

    def __init__(self, chunks: Iterator[bytes], recipients: Sequence[str]) -> None:
        self._chunks = chunks
        self._recipients = recipients
        self._queue: Queue[bytes | None] = Queue(_AHEAD)
        self._over = threading.Event()
        self._error: BaseException | None = None
        self._rest = memoryview(b"")
        self._ready = bytearray()
        self._thread = threading.Thread(target=self._run, name="aegis-age", daemon=True)

    def chunks(self) -> Iterator[bytes]:
        """What is to be sent; nothing now and then. The end comes only after age's own good one."""
        self._thread.start()
        while True:
            try:
                chunk = self._queue.get(timeout=_TICK)
            except Empty:
                yield b""
                continue
            if chunk is None:
                break
            yield chunk
        if self._error is not None:
            raise self._error

    def end(self) -> None:
        """Nobody takes more."""
        self._over.set()
        if self._thread.ident is not None:
            self._thread.join(_GRACE)

    def _run(self) -> None:
        import pyrage

        try:
            keys = [pyrage.x25519.Recipient.from_str(each) for each in self._recipients]
            pyrage.encrypt_io(self, self, keys)
            self._put(bytes(self._ready))
        except BaseException as error:
            # what the source said comes first: age tells it as a fault of its own
            self._error = self._error or error
        try:
            self._put(None)
        except _Over:
            return

    def read(self, size: int) -> bytes:
        """For age: some bytes, none at the end."""
        while not self._rest:
            self._check()
            try:
                chunk = next(self._chunks, None)
            except BaseException as error:
                self._error = error
                raise
            if chunk is None:
                return b""
            self._rest = memoryview(chunk)
        part, self._rest = self._rest[:size], self._rest[size:]
        return bytes(part)

    def write(self, data: bytes) -> int:
        """For age."""
        self._ready += data
        if len(self._ready) >= _STEP:
            self._put(bytes(self._ready))
            self._ready.clear()
        return len(data)

    def _put(self, chunk: bytes | None) -> None:
        while True:
            self._check()
            try:
                self._queue.put(chunk, timeout=_TICK)
            except Full:
                continue
            return

    def _check(self) -> None:
        if self._over.is_set():
            raise _Over
