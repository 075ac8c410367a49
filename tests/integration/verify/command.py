"""`aegis …` in this process, as a user types it, with what it printed."""

from __future__ import annotations

import json
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.main import main
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.signing import private, private_pem


@dataclass(frozen=True)
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        return self.out + self.err

    @property
    def json(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def rules(self) -> list[str]:
        """Of the findings, where a verdict was printed as JSON."""
        return [finding["rule"] for finding in self.json["findings"]]

    @property
    def messages(self) -> str:
        return "\n".join(finding["message"] for finding in self.json["findings"])

    @property
    def remedies(self) -> str:
        return "\n".join(finding["remedy"] for finding in self.json["findings"])

    def ends(self, code: int, *words: str) -> Done:
        """It ended with this code, said these words, and never a traceback."""
        assert self.code == code, self.said
        assert "Traceback" not in self.said
        assert "core.crashed" not in self.said
        for word in words:
            assert word in self.said
        return self


class Command:
    """The command line."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str | Path) -> Done:
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        self._capsys.readouterr()
        try:
            code = main([str(argument) for argument in arguments])
        except SystemExit as stop:  # argparse's own refusals
            code = int(stop.code or 0)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        captured = self._capsys.readouterr()
        return Done(code, captured.out, captured.err)

    def gate(self, repo: GitRepo, *arguments: str | Path) -> Done:
        """The gate on a repository, with its verdict as JSON."""
        return self("verify", "--path", repo.root, "--format", "json", *arguments)


def write_key(folder: Path, kind: str = "ecdsa-p256", number: int = 0, password: str | None = None) -> Path:
    """A private key's file."""
    place = folder / f"{kind}-{number}{'-locked' if password else ''}.pem"
    place.write_bytes(private_pem(private(kind, number), password))
    return place
