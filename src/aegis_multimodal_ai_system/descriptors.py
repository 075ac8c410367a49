"""Open files that are given out: sealed memory, and files on disk; and the digests of what can be read through them."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager

from aegis.artifacts.reading import Got, Wanted
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.storage.hashing import HashingSink, KeepingSink
from aegis.storage.local_tree import changed

_NO_EXEC = 0x0008
"""MFD_NOEXEC_SEAL, Linux 6.3: never executable. Where vm.memfd_noexec is 2, nothing else is let through."""
_SEALS = fcntl.F_SEAL_WRITE | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_SEAL
_PIECE = 256 * 1024
"""Bytes hashed at once: what fits into a core's cache."""
_NAME = "aegis-model"
"""For people who look into /proc."""


class Memory:
    """Memory with a descriptor, first written, then sealed: from then on nobody can change it (memfd_create(2))."""

    def __init__(self) -> None:
        with told("making sealed memory"):
            self._file = _memory_file()
        self.written = 0
        """Bytes so far."""

    def write(self, chunk: bytes | memoryview, /) -> None:
        """Take the next bytes."""
        rest = memoryview(chunk)
        with told("writing to memory"):
            while rest:
                count = os.write(self._file, rest)
                self.written += count
                rest = rest[count:]

    def copy(self, source: int, size: int) -> None:
        """Take a file's first bytes; fewer where it has fewer."""
        done = 0
        with told("copying to memory"):
            while done < size and (count := os.sendfile(self._file, source, done, size - done)):
                done += count
                self.written += count

    def seal(self) -> int:
        """A descriptor of it, for reading only, which the caller closes. Nothing can be written any more."""
        with told("sealing memory"):
            fcntl.fcntl(self._file, fcntl.F_ADD_SEALS, _SEALS)
            if fcntl.fcntl(self._file, fcntl.F_GET_SEALS) & _SEALS != _SEALS:
                raise OSError(errno.EPERM, "the kernel did not seal it")
            return reopen(self._file)

    def close(self) -> None:
        """Let go of it; descriptors of `seal` stay good."""
        os.close(self._file)


def _memory_file() -> int:
    flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
    try:
        return os.memfd_create(_NAME, flags | _NO_EXEC)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return os.memfd_create(_NAME, flags)  # an older kernel


def reopen(descriptor: int) -> int:
    """The same file once more, for reading only, and with a place of its own."""
    with told("opening a file once more"):
        return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)


def digests(descriptor: int, wanted: Wanted) -> Got:
    """What the signatures need to know of a file, read through the very descriptor that is given out.

    `Refused` `verify.file_changed` where it has another size than was listed.
    """
    hashing = HashingSink(
        wanted.algorithms, shard_algorithm=wanted.shard_algorithm or "sha256", shard_size=wanted.shard_size
    )
    keeping = KeepingSink()
    with told("reading through the descriptor"):
        _hash(descriptor, wanted.info.size, hashing, keeping if wanted.keep else None)
        # What is behind the end that was listed belongs to the file too, and was not looked at.
        if hashing.size != wanted.info.size or os.fstat(descriptor).st_size != hashing.size:
            raise changed(wanted.place)
    return Got(hashing.size, hashing.digests, hashing.shards, keeping.content if wanted.keep else None)


def _hash(descriptor: int, size: int, hashing: HashingSink, keeping: KeepingSink | None) -> None:
    """Not beyond the size that it had: a file on disk that somebody appends to has no end."""
    buffer = memoryview(bytearray(max(1, min(_PIECE, size))))
    place = 0
    while place < size and (length := os.preadv(descriptor, [buffer], place)):
        hashing.write(buffer[:length])
        if keeping is not None:
            keeping.write(buffer[:length])
        place += length


@contextmanager
def told(what: str) -> Iterator[None]:
    """An error of the operating system, as a reason."""
    try:
        yield
    except OSError as error:
        raise _reason(what, error) from error


def _reason(what: str, error: OSError) -> AegisError:
    problem = f"{what}: {error.strerror or type(error).__name__}"
    match error.errno:
        case errno.EMFILE | errno.ENFILE:
            return too_many_open_files(problem)
        case errno.ENOMEM | errno.ENOSPC | errno.EFBIG:
            return memory_short(problem)
        case _:
            return CouldNotDecide(
                "runtime.handoff_failed",
                problem,
                expected="a kernel with sealed memory (Linux, memfd_create) and /proc",
                remedy="set AEGIS_HANDOFF=disk where there is none",
            )


def too_many_open_files(problem: str) -> CouldNotDecide:
    """The error for a limit of descriptors."""
    return CouldNotDecide(
        "runtime.too_many_open_files",
        problem,
        expected="a descriptor for each file of the model",
        remedy="raise the service's limit of open files (`ulimit -n`, LimitNOFILE)",
    )


def memory_short(problem: str) -> CouldNotDecide:
    """The error for a model that memory has no room for."""
    return CouldNotDecide(
        "runtime.memory_short",
        problem,
        expected="memory for the whole model, which is given out in sealed memory",
        remedy="give the service more memory, or set AEGIS_HANDOFF=disk (docs/runtime.md says what that costs)",
    )
