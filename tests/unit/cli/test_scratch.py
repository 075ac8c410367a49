"""A folder for plain dumps is gone afterwards, whatever ends the process that has made it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.cli.scratch import scratch_folder
from aegis.core.errors import CouldNotDecide
from tests.support.actions.act import ROOT

PATIENCE = 120
"""Seconds for what takes milliseconds, on a busy machine."""
FILLS = """
import sys, time
from pathlib import Path
from aegis.cli.scratch import scratch_folder
with scratch_folder("aegis-backup-", Path(sys.argv[1])) as folder:
    (folder / "dump").mkdir()
    (folder / "dump" / "rows").write_text("a secret")
    print("filled", flush=True)
    time.sleep(1000)
"""


def awaited(condition: Callable[[], bool]) -> bool:
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_it_is_private_and_gone_after_the_block(tmp_path: Path) -> None:
    with scratch_folder("x-", tmp_path) as folder:
        (folder / "file").write_text("x")
        assert (folder.parent, folder.stat().st_mode & 0o777) == (tmp_path, 0o700)
    assert not list(tmp_path.iterdir())


def test_it_is_gone_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), scratch_folder("x-", tmp_path):
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_it_goes_when_its_process_is_killed(tmp_path: Path) -> None:
    words = [sys.executable, "-c", FILLS, str(tmp_path)]
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "filled\n"
        assert list(tmp_path.rglob("rows"))
        process.kill()
    assert awaited(lambda: not list(tmp_path.iterdir()))


def test_without_a_shell_nothing_is_put_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(CouldNotDecide) as caught, scratch_folder("x-", tmp_path):
        raise AssertionError("it is not given")
    assert caught.value.code == "verify.disk_failed"
    assert not list(tmp_path.iterdir())
