"""An organisation at GitHub, and the command that is run on it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from aegis.cli.main import main
from tests.doubles.github import serve
from tests.doubles.github_fleet import OrganisationAtGitHub
from tests.doubles.github_settings import TOKEN, description, operation_of


@dataclass(frozen=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        """Its JSON."""
        found: dict[str, Any] = json.loads(self.out)
        return found

    @property
    def states(self) -> dict[str, str]:
        """Of each repository, by name."""
        return {row["repository"].partition("/")[2]: row["state"] for row in self.report["repositories"]}

    @property
    def codes(self) -> dict[str, str | None]:
        """The reasons."""
        return {row["repository"].partition("/")[2]: row["code"] for row in self.report["repositories"]}

    def detail(self, name: str) -> str:
        """Of a repository."""
        (found,) = [row["detail"] for row in self.report["repositories"] if row["repository"].endswith(f"/{name}")]
        return str(found)

    def refused(self, code: int, reason: str, *words: str) -> None:
        """It ended with this code, and told why."""
        assert (self.code, reason in self.err) == (code, True), (self.out, self.err)
        for word in words:
            assert word in self.err


Run = Callable[..., Done]


@pytest.fixture
def github() -> Iterator[OrganisationAtGitHub]:
    """An organisation without repositories; every request is one of GitHub's description."""
    with serve(OrganisationAtGitHub(repositories=frozenset())) as served:
        assert isinstance(served, OrganisationAtGitHub)
        yield served
    for line in served.requests:
        operation = operation_of(line)
        assert operation is not None, f"GitHub's description has no {line}"
        assert description()[operation]["operationId"]


@pytest.fixture
def run(
    github: OrganisationAtGitHub,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run `aegis fleet COMMAND octo …` without pauses, and with the answer as JSON."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", github.api)
    monkeypatch.setenv("GITHUB_SERVER_URL", f"file://{tmp_path}/server")

    def command(name: str, *words: str, form: str = "json") -> Done:
        fast = ("--pace", "0", "--wait", "0", "--format", form)
        code = main(["fleet", name, "octo", *fast, *words])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert TOKEN not in said.out + said.err
        return Done(code, said.out, said.err)

    return command
