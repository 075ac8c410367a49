"""Children that share what their parent had open when they were forked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def forked() -> Iterator[None]:
    """A child that was forked just now lives meanwhile, and does nothing."""
    wait, end = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(end)
        os.read(wait, 1)
        os._exit(0)
    os.close(wait)
    try:
        yield
    finally:
        os.close(end)
        os.waitpid(child, 0)


def true_in_child(act: Callable[[], bool]) -> bool:
    """Whether it is, in a child that is forked now."""
    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if act() else 1)
        finally:
            os._exit(2)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
