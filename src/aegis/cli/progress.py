"""A progress bar for people who wait: only on a terminal, and only when the work is long."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import ProgressColumn

LONG = 200
"""Files from which on a bar is worth its import."""
LONG_BYTES = 32 << 20
"""Bytes from which on it is: a second of a slow line."""


@contextmanager
def progress_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """A function that is told `done, total`; None where nobody watches."""
    with _bar(title, LONG, list) as told:
        yield told


@contextmanager
def bytes_bar(title: str) -> Iterator[Callable[[int, int], None] | None]:
    """The same for bytes, with their rate and the time that is left. A total of 0: nobody knows it."""
    with _bar(title, LONG_BYTES, _of_bytes) as told:
        yield told


@contextmanager
def _bar(
    title: str, long: int, columns: Callable[[], list[ProgressColumn]]
) -> Iterator[Callable[[int, int], None] | None]:
    # a workflow's runner may have a terminal (act does), and reads its commands at the start of a line only
    if not sys.stderr.isatty() or os.environ.get("GITHUB_ACTIONS") == "true":
        yield None
        return
    try:
        from rich.console import Console
        from rich.progress import Progress
    except ImportError:
        yield None
        return
    with Progress(*columns(), console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None, visible=False)

        def told(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total or None, visible=max(done, total) >= long)

        yield told


def _of_bytes() -> list[ProgressColumn]:
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    return [
        TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn()
    ]  # fmt: skip
