"""The recorder keeps what the program said in tests that passed, and nothing that a test wrote by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
TESTS = """
import pytest
from hypothesis import given, strategies
from aegis.cli import explain
from aegis.core.errors import Refused, UsageError
from aegis.core.outcome import Outcome, conclude, refuse
from aegis.core.policy_file import parse_policy
from aegis.core.policy_in_force import InForce
from aegis.core.policy import Policy, ScanPolicy
from aegis.core.verdict import Finding
from scripts.pages.gallery import _NOW, _RUN

def wrong():
    with pytest.raises(UsageError) as raised:
        parse_policy(b"version: 2\\n", file="aegis.yml")
    return raised.value

def test_of_the_program():
    assert wrong().code == "core.policy_invalid"

class TestBoth:
    @pytest.mark.parametrize("code", ["core.policy_invalid"])
    def test_with_its_verdict(self, code):
        assert refuse(_RUN, wrong(), _NOW).reason == code

def test_by_hand():
    error = Refused("verify.unsigned", "by hand", expected="", remedy="")
    assert refuse(_RUN, error, _NOW).reason == "verify.unsigned"

def test_a_finding_by_hand():
    finding = Finding(rule="scan.cli", message="by hand", remedy="", fingerprint="a" * 64)
    in_force = InForce(Policy(version=1), "aegis.yml", "")
    assert conclude(_RUN, Outcome(findings=(finding,)), in_force, ScanPolicy(), _NOW).result == "fail"

@given(strategies.just(1))
def test_a_property(one):
    wrong()

def test_that_fails():
    with pytest.raises(UsageError):
        explain.run("nothing")
    raise AssertionError
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    (folder / "test_it.py").write_text(TESTS, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    return folder


def recorded(folder: Path, codes: str = "") -> tuple[str, list[dict[str, Any]]]:
    """What the run printed, and what it has left."""
    out = folder / f"out-{codes}"
    words = ["-q", "-p", "no:cacheprovider", "-p", "no:randomly", "-p", "tests.support.pages.recorder", "test_it.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": f"{ROOT}/src:{ROOT}", "AEGIS_RECORD": str(out), "AEGIS_RECORD_CODES": codes},
        capture_output=True,
        text=True,
        check=False,
    )
    lines = [line for file in out.glob("*.jsonl") for line in file.read_text("utf-8").splitlines() if line]
    return done.stdout, [json.loads(line) for line in lines]


@pytest.fixture(scope="module")
def whole(folder: Path) -> tuple[str, list[dict[str, Any]]]:
    return recorded(folder)


def test_only_what_the_program_made_in_a_test_that_passed_is_kept(whole: tuple[str, list[dict[str, Any]]]) -> None:
    printed, found = whole
    assert "1 failed, 4 passed, 1 deselected" in printed
    assert {example["code"] for example in found} == {"core.policy_invalid"}
    assert {example["test"] for example in found} == {
        "test_it.py::test_of_the_program",
        "test_it.py::TestBoth::test_with_its_verdict",
    }


def test_the_whole_answer_of_a_test_that_names_the_code_comes_first(whole: tuple[str, list[dict[str, Any]]]) -> None:
    _, found = whole
    first = min(found, key=lambda example: example["rank"])
    assert first["test"] == "test_it.py::TestBoth::test_with_its_verdict"
    assert first["verdict"]["findings"][0]["rule"] == "core.policy_invalid"
    (alone,) = [example for example in found if example["test"] == "test_it.py::test_of_the_program"]
    assert alone["error"]["kind"] == "UsageError"
    assert alone["error"]["problem"].startswith("aegis.yml:1")


def test_for_wanted_codes_only_tests_that_name_them_are_run(folder: Path) -> None:
    printed, found = recorded(folder, "verify.unsigned")
    assert "1 passed, 5 deselected" in printed
    assert found == []
