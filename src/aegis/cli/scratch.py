"""A folder for what nobody may find later: the plain content of a database, on its way to or from a backup."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from aegis.storage.private_folder import disk_failed

_REMOVES: Final = r"""
trap '' HUP INT TERM
read -r _
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf -- "$1" && break
    sleep 0.1
done
"""
"""Waits for the end of the process that holds its input, or for its word. pg_dump, which ends at the same time
(`aegis.adapters.postgres.process`), may still write a file meanwhile."""


@contextmanager
def scratch_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A folder of this user alone, which is gone afterwards, also where SIGKILL ends this process.

    `parent`: None is the system's for temporary files. CouldNotDecide `verify.disk_failed` where it cannot be made.
    """
    try:
        temporary = tempfile.TemporaryDirectory(prefix=prefix, dir=parent)
    except OSError as error:
        raise disk_failed(str(parent or "the temporary folder"), error) from error
    with temporary as name, _removed(Path(name).absolute()):
        yield Path(name)


@contextmanager
def _removed(folder: Path) -> Iterator[None]:
    """By a shell outside, if this process cannot do it any more: nobody else has the writing end of its input."""
    reading, writing = os.pipe()
    try:
        watcher = subprocess.Popen(
            ["sh", "-c", _REMOVES, "scratch", str(folder)],
            stdin=reading, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
            start_new_session=True,  # what ends our group is not to end it
        )  # fmt: skip
    except OSError as error:
        os.close(writing)
        raise disk_failed("the shell that removes the temporary folder", error) from error
    finally:
        os.close(reading)
    try:
        yield
    finally:
        os.close(writing)
        watcher.wait()
