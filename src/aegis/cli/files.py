"""Files of this machine that arguments name: read, hashed once, and written as a whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Collection, Mapping
from contextlib import suppress
from io import BufferedReader
from pathlib import Path

from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.core.in_the_way import in_the_way, kind_of

MAX_SIGNATURE = 32 << 20
"""Bytes of any file but the artifact; a model's signature names every file."""
MAX_CONTENT = 64 << 20
"""Bytes of a file that a key signs as it is (Ed25519)."""


def open_file(place: Path) -> BufferedReader:
    """A regular file, links followed, to read. OSError for anything else, whose `strerror` says what is there.

    A pipe that nobody writes to, a socket or a terminal would be waited for without an end.
    """
    if (kind := kind_of(place.stat().st_mode)) is not None:
        raise _irregular(kind)
    return open(place, "rb", opener=_regular)


def _regular(path: str, flags: int) -> int:
    descriptor = os.open(path, flags | os.O_NONBLOCK)  # for what has come into its place since it was looked at
    if (kind := kind_of(os.fstat(descriptor).st_mode)) is not None:
        os.close(descriptor)
        raise _irregular(kind)
    return descriptor


def _irregular(kind: str) -> OSError:
    return OSError(errno.EINVAL, f"it is {kind}")


def read_file(place: Path, limit: int = MAX_SIGNATURE) -> bytes:
    """A small file that an argument names."""
    try:
        with open_file(place) as file:
            content = file.read(limit + 1)
    except OSError as error:
        raise UsageError(
            "core.wrong_usage",
            f"{str(place)!r} cannot be read: {error.strerror}",
            expected="a file",
            remedy="correct the argument",
        ) from error
    if len(content) > limit:
        raise Refused(
            "verify.bundle_too_large",
            f"{str(place)!r} has more than {limit} bytes",
            expected=f"at most {limit} bytes",
            remedy="name the signature, not the artifact",
        )
    return content


def check_folder(place: Path) -> None:
    """Refuse what an argument names and is no folder, links followed. UsageError."""
    if not os.path.isdir(place):  # noqa: PTH112 - `is_dir` raises for long names
        raise UsageError(
            "core.wrong_usage", f"{str(place)!r} is no folder", expected="a folder", remedy="correct the argument"
        )


def real(place: Path) -> Path:
    """Where a path leads, links followed; of one that leads nowhere, whatever it says."""
    # `resolve` raises for loops and long names
    return Path(os.path.realpath(place))


def lies_in(file: Path, folder: Path) -> bool:
    """Whether a file lies in a folder itself, and in none below it."""
    return real(file).parent == real(folder)


def digests_of(
    file: Path, algorithms: Collection[str], *, keep: bool = False
) -> tuple[Mapping[str, bytes], bytes | None]:
    """A file's digests, read once; its content too if it is to be kept and is small."""
    from aegis.storage.hashing import HashingSink

    sink, kept = HashingSink(algorithms), bytearray()
    try:
        with open_file(file) as opened:
            buffer = memoryview(bytearray(1 << 18))
            while length := opened.readinto(buffer):
                sink.write(buffer[:length])
                if keep and len(kept) <= MAX_CONTENT:
                    kept += buffer[:length]
    except OSError as error:
        raise UsageError(
            "core.wrong_usage",
            f"{str(file)!r} cannot be read: {error.strerror}",
            expected="a file",
            remedy="correct the argument",
        ) from error
    return sink.digests, bytes(kept) if keep and len(kept) <= MAX_CONTENT else None


def write(target: Path, content: bytes) -> None:
    """The whole file or nothing; only a regular file is replaced. CouldNotDecide `core.output_unwritable`."""
    refuse_other_than_file(target)
    draft = target.parent / f".{target.name}.{secrets.token_hex(8)}"
    try:
        draft.write_bytes(content)
        draft.replace(target)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {str(target)!r}: {error.strerror}",
            expected="a place that can be written",
            remedy="choose another file",
        ) from error
    except BaseException:  # a signal: nothing half stays
        draft.unlink(missing_ok=True)
        raise


def refuse_other_than_file(target: Path) -> None:
    """Unless a regular file or nothing is there. CouldNotDecide `core.output_unwritable`."""
    if (kind := in_the_way(target)) is not None:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"{str(target)!r} is {kind}",
            expected="a regular file, which is replaced, or none yet",
            remedy="choose another file",
        )
