"""`aegis evidence` in this process, in a repository with a policy."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.cli.main import main
from aegis.core.verdict import Verdict
from aegis.report import json_report
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.signing import pem, private, private_pem
from tests.support.verdicts.evidence import COMMIT

RUN_URL = "https://github.com/octo/widgets/actions/runs/7"
ON_GITHUB = {
    "GITHUB_ACTIONS": "true",
    "GITHUB_REPOSITORY": "octo/widgets",
    "GITHUB_SERVER_URL": "https://github.com",
    "GITHUB_RUN_ID": "7",
    "GITHUB_RUN_ATTEMPT": "1",
    "GITHUB_SHA": COMMIT,
    "GITHUB_EVENT_NAME": "workflow_dispatch",
}


@dataclass
class Done:
    """A command that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def problems(self) -> list[str]:
        return [problem["code"] for problem in self.json["problems"]]

    def ends(self, code: int, says: str = "") -> Done:
        assert (self.code, says in self.err) == (code, True), self
        return self


@dataclass
class Desk:
    """A repository, and somebody who works in it."""

    folder: Path
    repository: GitRepo
    capture: pytest.CaptureFixture[str]
    patch: pytest.MonkeyPatch
    section: dict[str, Any] = field(default_factory=lambda: {"store": "kept/", "signers": [{"key": "keys/build.pub"}]})

    @property
    def key(self) -> Path:
        return self.folder / "build.pem"

    @property
    def public(self) -> Path:
        return self.repository.root / "keys" / "build.pub"

    @property
    def kept(self) -> Path:
        return self.repository.root / "kept"

    def policy(self) -> str:
        return yaml.safe_dump({"version": 1, "evidence": self.section})

    def adopt(self) -> None:
        """Commit the policy."""
        self.repository.commit({"aegis.yml": self.policy(), "keys/build.pub": pem(private("ecdsa-p256"))})

    def write(self, verdict: Verdict, name: str = "out") -> Path:
        """As a gate does with `--output`."""
        folder = self.folder / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "verdict.json").write_bytes(json_report.render(verdict))
        return folder

    def aegis(self, *words: str | Path, environ: Mapping[str, str] | None = None) -> Done:
        self.patch.chdir(self.repository.root)
        for name, value in (environ or {}).items():
            self.patch.setenv(name, value)
        self.capture.readouterr()
        code = main(["evidence", *map(str, words)])
        told = self.capture.readouterr()
        return Done(code, told.out, told.err)

    def put(self, verdict: Verdict, *words: str | Path, environ: Mapping[str, str] | None = None) -> Done:
        return self.aegis("put", self.write(verdict), "--key", self.key, *words, environ=environ)

    def find(self, *words: str | Path, environ: Mapping[str, str] | None = None) -> Done:
        about = () if {"--commit", "--digest"} & {str(word) for word in words} else ("--commit", COMMIT)
        return self.aegis("find", *about, "--format", "json", *words, environ=environ)

    def files(self) -> list[Path]:
        return sorted(path for path in self.kept.rglob("*") if path.is_file())


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for name in (*ON_GITHUB, "GITHUB_EVENT_PATH", "AWS_ROLE_TO_ASSUME", "AWS_REGION", "COSIGN_PUB_KEY"):
        monkeypatch.delenv(name, raising=False)
    repository = tmp_path / "repository"
    repository.mkdir()
    found = Desk(tmp_path, GitRepo.init(repository), capsys, monkeypatch)
    found.key.write_bytes(private_pem(private("ecdsa-p256")))
    found.kept.mkdir()
    found.adopt()
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)
