"""What a service sets for its whole process, undone where it runs in the tests' own."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

NAMES = ("aegis", "uvicorn")
"""The loggers whose levels `aegis_multimodal_ai_system.api.logs` sets."""


@contextmanager
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = root.handlers[:], root.level, logging.raiseExceptions
    levels = {name: logging.getLogger(name).level for name in NAMES}
    try:
        yield
    finally:
        root.handlers[:], root.level, logging.raiseExceptions = before
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
