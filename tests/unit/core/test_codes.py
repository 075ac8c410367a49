"""The registry as a whole: each reason is raised somewhere, and asserted by a test."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

from aegis.core.codes import CODES

ROOT = Path(__file__).resolve().parents[3]
GATES = frozenset(
    {
        "verify",
        "canary",
        "backup_check",
        "runtime",
        "audit",
        "token",
        "init",
        "github",
        "doctor",
        "render",
        "report",
        "evidence",
        "acceptance",
        "fleet",
    }
)
EACH = [code.id for code in CODES.values() if code.gate in GATES]


def words(folder: str) -> frozenset[str]:
    """Every word of the Python files below a folder, but for the registry and this file."""
    files = [path for path in (ROOT / folder).rglob("*.py") if "codes" not in path.parts and path != Path(__file__)]
    return frozenset(word for path in files for word in re.findall(r"[a-z0-9_]{4,}", path.read_text("utf-8")))


@pytest.fixture(scope="module")
def raised() -> frozenset[str]:
    return words("src")


@pytest.fixture(scope="module")
def asserted() -> frozenset[str]:
    return words("tests")


def test_no_reason_is_registered_twice() -> None:
    for name in (
        "shared",
        "scan",
        "verify",
        "backup_check",
        "runtime",
        "audit",
        "token",
        "canary",
        "scaffold",
        "render",
        "report",
        "evidence",
        "acceptance",
        "fleet",
    ):
        table = import_module(f"aegis.core.codes.{name}").TABLE
        assert len({code.id for code in table}) == len(table), name


@pytest.mark.parametrize("code", EACH)
def test_a_reason_is_raised_and_asserted(code: str, raised: frozenset[str], asserted: frozenset[str]) -> None:
    name = code.partition(".")[2]
    assert name in raised
    assert name in asserted
