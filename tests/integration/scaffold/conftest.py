"""A repository that `aegis init` has set up, and its settings at GitHub."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from aegis.cli.main import main
from tests.doubles.github import serve
from tests.doubles.github_settings import TOKEN, SettingsAtGitHub, description, operation_of
from tests.support.scan.gitrepo import GitRepo

CHOICES = (
    "--gates", "scan,verify", "--artifact", "ranking=s3://models/ranking/", "--repository", "octo/widgets",
    "--owner", "@octo/platform",
)  # fmt: skip


@dataclass(frozen=True)
class Done:
    """What a command said."""

    code: int
    out: str
    err: str

    def refused(self, code: int, reason: str, *words: str) -> None:
        """It ended with this code, and told why."""
        assert (self.code, reason in self.err) == (code, True), (self.out, self.err)
        for word in words:
            assert word in self.err


Run = Callable[..., Done]


@pytest.fixture
def shop(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> GitRepo:
    """A repository that is set up, with its remote."""
    repo = GitRepo.init(tmp_path / "widgets")
    repo.git("remote", "add", "origin", "https://github.com/octo/widgets.git")
    assert main(["init", str(repo.root), *CHOICES]) == 0
    capsys.readouterr()
    return repo


@pytest.fixture
def github() -> Iterator[SettingsAtGitHub]:
    """Its settings, with nothing protected; every request is one of GitHub's description."""
    with serve(SettingsAtGitHub()) as served:
        assert isinstance(served, SettingsAtGitHub)
        yield served
    for line in served.requests:
        operation = operation_of(line)
        assert operation is not None, f"GitHub's description has no {line}"
        assert description()[operation]["operationId"]


@pytest.fixture
def run(
    shop: GitRepo, github: SettingsAtGitHub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Run a command on the repository, with an administrator's token."""
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    monkeypatch.setenv("GITHUB_API_URL", github.api)

    def command(*words: str) -> Done:
        at = 2 if words[0] == "github" else 1
        code = main([*words[:at], str(shop.root), *words[at:]])
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        assert "core.crashed" not in said.err
        assert TOKEN not in said.out + said.err
        return Done(code, said.out, said.err)

    return command
