"""A forked child has only the thread that forked: what the others were in the middle of goes on in the parent alone."""

from __future__ import annotations

import os
from typing import Protocol
from weakref import WeakSet


class Renewed(Protocol):
    """Something with locks, or with work of other threads."""

    def renew(self) -> None:
        """In a child: free again, and without that work."""
        ...


_all: WeakSet[Renewed] = WeakSet()


def renew_in_child(thing: Renewed) -> None:
    """From now on, as long as it lives."""
    _all.add(thing)


def _renew() -> None:
    for thing in list(_all):
        thing.renew()


os.register_at_fork(after_in_child=_renew)
