"""`aegis backup-check` on a real database: run, verify, check; and each way not to pass, beside the way to pass."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.backing_up import Backups, backups
from tests.support.gitrepo import GitRepo
from tests.support.postgres import Server

PATIENCE = 300
"""Seconds for one command on a busy machine."""
POLICY = """\
version: 1
backup-check:
  store: store/
  databases:
    - name: orders
      smoke: [{name: items, sql: 'SELECT count(*) = 1000 FROM items'}]
"""


@dataclass(frozen=True)
class Verdict:
    """A verdict that a run has printed, and how the run ended."""

    code: int
    document: dict[str, Any]

    @property
    def rules(self) -> list[str]:
        return [finding["rule"].partition(".")[2] for finding in self.document["findings"]]

    @property
    def database(self) -> dict[str, Any]:
        (evidence,) = (each["value"] for each in self.document["evidence"] if each["name"] == "databases")
        (found,) = evidence
        return dict(found)


@dataclass(frozen=True)
class Gate:
    """A repository with a policy, and the store and database that it is about."""

    repo: GitRepo
    backups: Backups

    def __call__(self, *words: str, **changes: str | None) -> Verdict:
        done = subprocess.run(
            [sys.executable, "-m", "aegis", "backup-check", "--format=json", *words],
            cwd=self.repo.root,
            env=self.backups.surroundings(changes),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert self.backups.url not in done.stdout + done.stderr
        return Verdict(done.returncode, json.loads(done.stdout))

    @property
    def backup(self) -> Path:
        """The newest one's folder."""
        return sorted((self.backups.store / "orders").iterdir())[-1]


@pytest.fixture
def gate(postgres: Server, tmp_path: Path) -> Iterator[Gate]:
    with backups(postgres, tmp_path) as made:
        repo = GitRepo.init(tmp_path)
        repo.commit({"aegis.yml": POLICY})
        yield Gate(repo, made)


def test_from_nothing_to_proven(gate: Gate) -> None:
    nothing = gate()
    assert (nothing.code, nothing.rules) == (1, ["no_backup", "never_proven"])
    taken = gate("--mode=run")
    assert (taken.code, taken.rules) == (1, ["never_proven"])
    proven = gate("--mode=verify")
    assert (proven.code, proven.rules) == (0, []), proven.document["findings"]
    checked = gate()
    assert (checked.code, checked.document["decision"]) == (0, "PASS")
    manifest = proven.database["manifest_sha256"]
    assert proven.database["drill"] | {"seconds": 0, "rto": 0, "engine": "", "isolated": True} == {
        "outcome": "PASS", "reason": "backup_check.proven", "backup": gate.backup.name, "manifest_sha256": manifest,
        "tier": "proof", "equality": "equal", "differences": {}, "smoke": [{"name": "items", "ok": True}],
        "rto": 0, "seconds": 0, "engine": "", "isolated": True,
    }  # fmt: skip
    assert set(proven.database["drill"]["seconds"]) == {"find", "download", "engine", "restore", "compare", "smoke"}
    assert checked.database["proof"]["manifest_sha256"] == manifest
    assert {"name": f"orders/{gate.backup.name}", "digest": {"sha256": manifest}} in checked.document["subject"]
    assert [len(each.database["trend"]["points"]) for each in (proven, checked)] == [1, 1]
