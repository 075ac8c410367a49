"""`msgspec.convert`, also where several threads are the first to ask for a type.

What msgspec knows of a `Struct` it gathers on first use, by Python's `typing`, which lets other threads in: one that
asks for the same type meanwhile finds half of it, and the interpreter crashes (msgspec 0.22.0).
"""

from __future__ import annotations

import os
from threading import Lock
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_alone = Lock()


def convert(value: Any, kind: type[T]) -> T:
    """The value as this type. Raises `msgspec.ValidationError`."""
    with _alone:
        return msgspec.convert(value, kind)


def _after_fork_in_child() -> None:
    """Another thread of the parent may have been converting."""
    global _alone
    _alone = Lock()


os.register_at_fork(after_in_child=_after_fork_in_child)
