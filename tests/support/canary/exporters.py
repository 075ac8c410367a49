"""Exporters as processes of their own, which count exactly what a test tells them to."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

PROGRAM = Path(__file__).with_name("exporter_program.py")


@dataclass
class Exporter:
    """One pod's process at a port that stays the same when it is started anew."""

    port: int
    requests: int = 0
    """Of all its processes together."""
    errors: int = 0
    slow: int = 0
    """Above half a second."""
    _process: subprocess.Popen[str] | None = field(default=None, repr=False)

    def start(self) -> None:
        """Ready when it returns."""
        self._process = subprocess.Popen(
            [sys.executable, str(PROGRAM), str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._answered()

    def count(self, code: str, times: int, seconds: float = 0.2) -> None:
        """So many requests, counted when it returns."""
        assert self._process is not None
        assert self._process.stdin is not None
        print(json.dumps({"code": code, "times": times, "seconds": seconds}), file=self._process.stdin, flush=True)
        self._answered()
        self.requests += times
        self.errors += times * (code[0] == "5")
        self.slow += times * (seconds > 0.5)

    def spoil(self) -> None:
        """Make a counter NaN, as a division by zero does."""
        assert self._process is not None
        assert self._process.stdin is not None
        print('{"code": "504", "times": NaN, "observed": 0, "seconds": 0}', file=self._process.stdin, flush=True)
        self._answered()

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
            self._process = None

    def _answered(self) -> None:
        assert self._process is not None
        assert self._process.stdout is not None
        assert self._process.stdout.readline() == "\n"
