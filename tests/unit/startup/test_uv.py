from __future__ import annotations

from pathlib import Path

import pytest

from aegis.startup import uv
from aegis.startup.problem import StartupProblem

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may need long for a script: a test of the limit sets it."""
    monkeypatch.setattr(uv, "_PROBE_SECONDS", 300)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An action whose lock names uv 1.2.3."""
    lock = tmp_path / "action" / "locks" / "uv.txt"
    lock.parent.mkdir(parents=True)
    lock.write_text("uv==1.2.3 \\\n    --hash=sha256:00\n", "utf-8")
    return tmp_path / "action"


def fake_uv(folder: Path, script: str) -> dict[str, str]:
    folder.mkdir()
    program = folder / "uv"
    program.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    program.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


def test_the_locked_version_on_path_is_taken(root: Path, tmp_path: Path) -> None:
    environ = fake_uv(tmp_path / "bin", 'echo "uv 1.2.3 (linux)"')
    assert uv.find_uv(root, tmp_path / "cache", environ) == tmp_path / "bin" / "uv"


@pytest.mark.parametrize(
    "script",
    [
        'echo "uv 1.2.4"',
        'echo "uv 1.2.30"',
        'echo "1.2.3"',
        "echo",
        'echo "uv 1.2.3"; exit 1',
        "kill -9 $$",
        "sleep 60",
    ],
)
def test_anything_else_on_path_is_not(root: Path, tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uv, "_PROBE_SECONDS", 0.5)
    environ = fake_uv(tmp_path / "bin", script)
    cached = tmp_path / "cache" / "uv-1.2.3" / "bin" / "uv"
    cached.parent.mkdir(parents=True)
    cached.touch()
    assert uv.find_uv(root, tmp_path / "cache", environ) == cached


def test_the_probe_does_not_see_the_consumers_settings(root: Path, tmp_path: Path) -> None:
    environ = fake_uv(tmp_path / "bin", 'echo "uv 1.2.3${UV_CONFIG_FILE:+-bent}"')
    environ["UV_CONFIG_FILE"] = "/evil"
    assert uv.find_uv(root, tmp_path / "cache", environ) == tmp_path / "bin" / "uv"


def test_a_lock_without_uv_is_an_error(root: Path, tmp_path: Path) -> None:
    (root / "locks" / "uv.txt").write_text("pip==1\n", "utf-8")
    with pytest.raises(StartupProblem, match="names no version of uv"):
        uv.find_uv(root, tmp_path, {})


def test_the_first_of_several_builders_wins(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "by").write_text(name, "utf-8")
        uv.publish(tmp_path / name, tmp_path / "place")
    assert (tmp_path / "place" / "by").read_text("utf-8") == "first"


def test_a_folder_that_cannot_be_moved_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "built").mkdir()
    with pytest.raises(OSError, match="No such file"):
        uv.publish(tmp_path / "built", tmp_path / "missing" / "place")
