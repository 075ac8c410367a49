"""A folder that only this user can look into or change: where verified things are kept."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis.core.errors import CouldNotDecide

_MODE = 0o700


@contextmanager
def open_private(path: Path) -> Iterator[int]:
    """The folder's descriptor; it is made where there is none. `CouldNotDecide` `verify.not_private` if others may.

    The folders above it are the user's business: through the descriptor, no exchange of them leads elsewhere.
    """
    try:
        path.mkdir(mode=_MODE, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        raise not_private(f"{path}: {error.strerror}") from error
    try:
        about = os.fstat(descriptor)
        if about.st_uid != os.geteuid():
            raise not_private(f"{path} belongs to user {about.st_uid}")
        if stat.S_IMODE(about.st_mode) & 0o077:
            raise not_private(f"{path} has mode {stat.S_IMODE(about.st_mode):04o}")
        yield descriptor
    finally:
        os.close(descriptor)


def not_private(problem: str) -> CouldNotDecide:
    """The error for a folder or file that others may change."""
    return CouldNotDecide(
        "verify.not_private",
        problem,
        expected="a folder of this user alone, mode 0700, and no link",
        remedy="Name a folder that belongs to you alone, or remove this one so that it is made anew.",
    )


def disk_failed(where: str, error: OSError) -> CouldNotDecide:
    """The error for what could not be written: no space, a limit, a broken disk."""
    return CouldNotDecide(
        "verify.disk_failed",
        f"{where}: {error.strerror or type(error).__name__}",
        expected="a disk with enough space",
        remedy="Free some space, or name another folder, and run it again.",
    )
