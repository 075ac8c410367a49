"""`aegis acceptance --mode local`: everything that the runbook asks for, once, and what a planted fault does to it.

In the cluster's process, so that Kubernetes is built once on a new machine; it starts a control plane of its own.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from acceptance.local.trees import copied

pytestmark = pytest.mark.xdist_group("cluster")

PATIENCE = 3600
"""Seconds for all criteria on a busy machine, on which tools are still to be built; else it takes minutes."""
ALL = ["A1", "A2", "A3", "A4", "A5", "A6", "A7"]


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This tree in a place where nobody else works."""
    return copied(tmp_path_factory.mktemp("acceptance") / "tree")


@pytest.fixture(scope="module")
def evidence(tree: Path) -> Path:
    """Of one whole run, which was green."""
    folder = tree.parent / "evidence"
    done = aegis(tree, "--mode", "local", "--output", str(folder))
    assert done.returncode == 0, done.stdout + done.stderr + outputs(folder)
    return folder


def aegis(tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command in that tree."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "XDG_CACHE_HOME") if name in os.environ}
    return subprocess.run(
        [sys.executable, "-m", "aegis", "acceptance", *words],
        cwd=tree,
        env={**kept, "PYTHONPATH": f"{tree / 'src'}", "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def outputs(folder: Path) -> str:
    """What the probes said, for a test that failed."""
    return "".join(f"\n--- {file}\n{file.read_text()[-3000:]}" for file in sorted(folder.rglob("output.txt")))


def criteria(folder: Path) -> dict[str, dict[str, Any]]:
    """As the machine-readable result has them."""
    document = json.loads((folder / "acceptance.json").read_bytes())
    return {each["id"]: each for each in document["criteria"]}


def test_every_criterion_is_met_and_every_fault_is_seen(evidence: Path) -> None:
    document = json.loads((evidence / "acceptance.json").read_bytes())
    assert (document["result"], document["accepted"]) == ("pass", True)
    found = criteria(evidence)
    assert list(found) == ALL
    for each in found.values():
        positive, *faults = each["attempts"]
        assert (each["status"], positive["result"]) == ("pass", "pass"), each
        assert faults
        assert {fault["result"] for fault in faults} == {"fail"}, each


def test_the_evidence_is_verified_offline_and_a_changed_file_is_seen(
    tree: Path, evidence: Path, tmp_path: Path
) -> None:
    assert aegis(tree, "verify", str(evidence), "--accepted").returncode == 0
    changed = Path(shutil.copytree(evidence, tmp_path / "changed"))
    proof = changed / "A4" / "positive" / "refusal.tlog-proof"
    proof.write_bytes(proof.read_bytes() + b"\n")
    refused = aegis(tree, "verify", str(changed))
    assert refused.returncode == 1
    assert proof.name in refused.stdout + refused.stderr


@pytest.mark.parametrize("planted", ["A1", "A4"])
def test_a_planted_fault_turns_exactly_its_criterion_red(
    tree: Path, evidence: Path, tmp_path: Path, planted: str
) -> None:
    """What the others have answered is kept: nothing about them is other."""
    folder = Path(shutil.copytree(evidence, tmp_path / "planted"))
    done = aegis(tree, "--mode", "local", "--plant", planted, "--resume", "--output", str(folder))
    assert done.returncode == 1, done.stdout + done.stderr
    statuses = {name: each["status"] for name, each in criteria(folder).items()}
    assert statuses == {**dict.fromkeys(ALL, "pass"), planted: "fail"}
