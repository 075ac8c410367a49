"""Which packages are installed before the policy can be read."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from aegis.startup.choice import GATES, LOCKS, lock_of
from aegis.startup.tier0 import INPUTS
from tests.support.scan.gitrepo import GitRepo

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A job with the action's defaults."""
    return {"GITHUB_WORKSPACE": str(tmp_path), "AEGIS_INPUT_CLOUD": "aws"}


def test_each_gate_has_an_action_and_each_lock_is_there() -> None:
    assert set(GATES) == INPUTS.keys()
    assert all((ROOT / "locks" / f"{name}.txt").is_file() for name in LOCKS)


@pytest.mark.parametrize(
    ("gate", "cloud", "lock"),
    [
        ("scan", "aws", "scan"),
        ("scan", "oci", "scan"),
        ("verify", "aws", "keyless"),
        ("verify", "oci", "oci"),
        ("backup-check", "aws", "backup-check"),
        ("backup-check", "oci", "backup-check-oci"),
    ],
)
def test_a_gate_gets_no_more_than_it_needs(environ: dict[str, str], gate: str, cloud: str, lock: str) -> None:
    assert lock_of(gate, environ | {"AEGIS_INPUT_CLOUD": cloud}) == lock


@pytest.mark.parametrize(
    ("policy", "lock"),
    [
        ("version: 1\nscan: {}\n", "scan"),
        ("version: 1\nscan: {}\nverify:\n  aws: {}\n", "keyless"),
        ("version: 1\r\n'verify' : {}\r\n", "keyless"),
        ('{"version": 1, "verify": {}}', "keyless"),
        ("scan: {}  # we verify later\n", "scan"),
        ("version: 1\nscan: {}\nbackup-check:\n  store: backups/\n", "backup-check"),
        ("'backup-check' : {}\nverify: {}\n", "backup-check"),
        ("backup-check: {}\nscan: {}\n", "backup-check"),
        ("scan: {}  # a backup-check comes later\n", "scan"),
        ("\x00\xff", "scan"),
    ],
)
def test_the_root_action_looks_for_the_section(environ: dict[str, str], tmp_path: Path, policy: str, lock: str) -> None:
    (tmp_path / "aegis.yml").write_bytes(policy.encode("latin-1"))
    assert lock_of("all", environ) == lock


def test_the_root_action_looks_where_the_policy_is(environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "aegis.oci.yml").write_text("verify: {}\n", "utf-8")
    assert lock_of("all", environ) == "scan"
    assert lock_of("all", environ | {"AEGIS_INPUT_POLICY": "aegis.oci.yml", "AEGIS_INPUT_CLOUD": "oci"}) == "oci"


def test_the_root_action_looks_at_the_policy_of_before_the_change(environ: dict[str, str], tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path)
    base = repo.commit({"aegis.yml": "verify: {}\n"})
    repo.commit({"aegis.yml": "scan: {}\n"})
    assert lock_of("all", environ) == "keyless"
    repo.commit({"a.py": ""})
    assert lock_of("all", environ) == "scan"
    assert lock_of("all", environ | {"AEGIS_INPUT_BASE": base}) == "keyless"


def test_the_lock_covers_every_gate_that_either_policy_names(environ: dict[str, str], tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path)
    repo.commit({"aegis.yml": "verify: {}\nbackup-check: {}\n"})
    repo.commit({"aegis.yml": "verify: {}\n"})
    assert lock_of("all", environ) == "backup-check"
    assert lock_of("all", environ | {"AEGIS_INPUT_CLOUD": "oci"}) == "backup-check-oci"


@pytest.mark.parametrize(
    ("inputs", "lock"),
    [
        ({"GATE": "scan"}, "scan"),
        ({"GATE": "verify"}, "keyless"),
        ({"GATE": "verify", "CLOUD": "oci"}, "oci"),
        ({"GATE": "backup-check"}, "backup-check"),
        # no rollout is judged there
        ({"GATE": "canary"}, "scan"),
        ({"TASK": "list"}, "scan"),
        ({"TASK": "merge"}, "scan"),
        ({"TASK": "judge"}, "backup-check"),
    ],
)
def test_a_job_of_a_matrix_gets_no_more_than_it_needs(
    environ: dict[str, str], tmp_path: Path, inputs: dict[str, str], lock: str
) -> None:
    (tmp_path / "aegis.yml").write_text("scan: {}\nverify: {}\nbackup-check: {}\n", "utf-8")
    assert lock_of("all", environ | {f"AEGIS_INPUT_{name}": value for name, value in inputs.items()}) == lock


@pytest.mark.parametrize(("wider", "narrower"), [("backup-check", "keyless"), ("backup-check-oci", "oci")])
def test_the_locks_of_backups_hold_what_the_verify_gate_needs(wider: str, narrower: str) -> None:
    def packages(lock: str) -> set[str]:
        text = (ROOT / "locks" / f"{lock}.txt").read_text("utf-8")
        return set(re.findall(r"(?m)^([\w.-]+==[\w.]+)", text))

    assert packages(wider) > packages(narrower)
