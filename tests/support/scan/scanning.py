"""`aegis scan` on a repository, as the command runs it, with its verdict read back."""

from __future__ import annotations

import json
import signal
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aegis.cli.main import main


@dataclass(frozen=True)
class Scan:
    """An exit code and the verdict behind it."""

    code: int
    verdict: dict[str, Any]

    @property
    def findings(self) -> list[tuple[str, str | None, int | None]]:
        """Rule, path and line of each finding."""
        return [(f["rule"], f.get("path"), f.get("line")) for f in self.verdict["findings"]]

    @property
    def messages(self) -> list[str]:
        """What the findings say."""
        return [f["message"] for f in self.verdict["findings"]]

    @property
    def notices(self) -> list[str]:
        """What is told without failing."""
        return list(self.verdict["notices"])

    def evidence(self, name: str) -> Any:
        """One piece of evidence."""
        return next(each["value"] for each in self.verdict["evidence"] if each["name"] == name)


def scan(folder: Path, *arguments: str) -> Scan:
    """Run the command in this process."""
    code, files = scan_with_files(folder, arguments)
    return Scan(code, json.loads(files["verdict.json"]))


def scan_with_files(folder: Path, arguments: Sequence[str]) -> tuple[int, dict[str, bytes]]:
    """Run the command with `--output`; its exit code and the files that it wrote."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with tempfile.TemporaryDirectory() as output:
        try:
            code = main(["scan", str(folder), "--output", output, *arguments])
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return code, {file.name: file.read_bytes() for file in Path(output).iterdir()}
