"""An error of a missing package names the extra that brings it."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from aegis.core.errors import EXTRAS, crashed

ROOT = Path(__file__).parents[3]
OWN = frozenset({"aegis", "aegis_multimodal_ai_system"})
ALWAYS = frozenset({"msgspec", "yaml"})
"""What every installation has."""


def _imported(file: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(file.read_bytes())))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and not node.level}
    return {name.partition(".")[0] for name in names}


def test_every_package_that_is_imported_has_one() -> None:
    imported = set[str]().union(*(_imported(file) for file in (ROOT / "src").rglob("*.py")))
    assert imported - OWN - ALWAYS - sys.stdlib_module_names - set(EXTRAS) == set()


@pytest.mark.parametrize("package", EXTRAS)
def test_the_extra_that_is_named_brings_the_package(package: str) -> None:
    told = crashed(ModuleNotFoundError(f"No module named {package!r}", name=f"{package}.below")).remedy
    extra = re.search(r"aegis-gates\[(.+?)\]'", told)
    assert extra is not None, told
    assert extra[1] in tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    brought = set(re.findall(r"^([\w.-]+)==", (ROOT / f"locks/{extra[1]}.txt").read_text(), re.MULTILINE))
    assert brought & {re.sub(r"[-_.]+", "-", name).lower() for name in packages_distributions()[package]}


def test_a_package_of_nobody_knows_no_extra() -> None:
    told = crashed(ModuleNotFoundError("No module named 'msgspec'", name="msgspec"))
    assert told.code == "core.package_missing"
    assert told.remedy.startswith("pip install 'aegis-gates', ")
