"""The standard streams: none of them missing, and none that an answer's character could break."""

from __future__ import annotations

import io
import os
import sys
from pathlib import Path

from aegis.core.errors import CouldNotDecide


def make_ready() -> None:
    """Put nothing in the place of each stream that is closed; otherwise the next file to be opened would be it.

    Raises CouldNotDecide `core.output_unwritable` where standard output is: an answer that nobody can read is none.
    """
    closed = sys.stdout is None
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode))  # noqa: SIM115 - it stays open to the end
    if closed:
        raise CouldNotDecide(
            "core.output_unwritable",
            "standard output is closed",
            expected="an output that takes the answer",
            remedy="leave it open, or send it to a file or to /dev/null",
        )
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
