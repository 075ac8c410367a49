"""What an image's packages go through before they are copied into it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[3] / "scripts" / "finish_packages.py"


def finish(folder: Path) -> int:
    command = [sys.executable, "-I", str(SCRIPT), str(folder)]
    return subprocess.run(command, check=False, capture_output=True, timeout=600).returncode


def package(folder: Path) -> Path:
    """As uv leaves it: with the lock of its own, which everybody may write."""
    (folder / "shop").mkdir(parents=True)
    (folder / "shop" / "__init__.py").write_text("PRICES = {'a': (1, 2.5, 'x')}\n")
    (folder / ".lock").touch(0o666)
    return folder


def compiled(folder: Path) -> Path:
    return Path(importlib.util.cache_from_source(str(folder / "shop" / "__init__.py")))


def test_what_everybody_may_write_goes(tmp_path: Path) -> None:
    assert finish(package(tmp_path)) == 0
    assert not (tmp_path / ".lock").exists()


def test_the_bytecode_is_by_hash_and_never_checked(tmp_path: Path) -> None:
    """PEP 552: the second word is 1 for a hash in place of a time, without the flag to check the source."""
    assert finish(package(tmp_path)) == 0
    assert compiled(tmp_path).read_bytes()[4:8] == b"\x01\x00\x00\x00"


def test_two_builds_give_the_same_bytecode(tmp_path: Path) -> None:
    """At the same place of two images."""
    assert finish(package(tmp_path / "a")) == 0
    first = compiled(tmp_path / "a").read_bytes()
    (tmp_path / "a").rename(tmp_path / "b")
    assert finish(package(tmp_path / "a")) == 0
    assert compiled(tmp_path / "a").read_bytes() == first


def test_what_does_not_compile_ends_the_build(tmp_path: Path) -> None:
    (package(tmp_path) / "shop" / "broken.py").write_text("def (:\n")
    assert finish(tmp_path) == 1
