"""What the start-up may rest on: a bare Python 3.10, and nothing of the workspace."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from aegis.startup import main as startup

ROOT = Path(__file__).resolve().parents[3]
STARTUP = ROOT / "src" / "aegis" / "startup"
SOURCES = sorted(STARTUP.glob("*.py"))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_module_is_readable_by_python_3_10(source: Path) -> None:
    ast.parse(source.read_text("utf-8"), feature_version=(3, 10))


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_every_import_is_the_standard_librarys_or_the_startups(source: Path) -> None:
    names = set()
    for node in ast.walk(ast.parse(source.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    # the launcher is the one door to the command line, and runs in the gate's environment
    allowed = {"aegis.cli.main"} if source.name == "launch.py" else set()
    foreign = {
        name
        for name in names - allowed
        if name.split(".")[0] not in sys.stdlib_module_names and not name.startswith("aegis.startup")
    }
    assert foreign == set()


def main(*words: str, cwd: Path, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    argv = [sys.executable, "-I", str(STARTUP / "main.py"), *words]
    return subprocess.run(argv, cwd=cwd, env=env or {}, capture_output=True, text=True, check=False, timeout=180)


def test_tier_0_loads_nothing_heavy(tmp_path: Path) -> None:
    code = f"import sys; sys.path.append({str(ROOT / 'src')!r}); import aegis.startup.main; print(*sys.modules)"
    argv = [sys.executable, "-I", "-c", code]
    loaded = subprocess.run(argv, cwd=tmp_path, env={}, capture_output=True, text=True, check=True).stdout.split()
    # each of these costs 10 ms or more, and none is needed to look at a few variables
    assert not {"ssl", "http.client", "urllib.request", "asyncio", "yaml", "msgspec", "ctypes"} & set(loaded)


def test_modules_of_the_workspace_are_not_imported(tmp_path: Path) -> None:
    for name in ("json", "sitecustomize", "usercustomize", "yaml", "msgspec", "aegis", "subprocess"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('the workspace was imported')\n", "utf-8")
    poison = {"PYTHONPATH": str(tmp_path), "PYTHONSTARTUP": str(tmp_path / "json.py"), "PYTHONHOME": ""}
    done = main("run", "scan", cwd=tmp_path, env=poison | {"AEGIS_INPUT_STRICT": "maybe"})
    assert done.returncode == 2
    assert "'maybe'" in done.stderr
    assert "the workspace was imported" not in done.stdout + done.stderr


@pytest.mark.parametrize("words", [(), ("run",), ("run", "nothing"), ("venv", "now"), ("run", "scan", "x")])
def test_other_words_are_wrong_usage(tmp_path: Path, words: tuple[str, ...]) -> None:
    done = main(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert "usage:" in done.stderr


def test_a_wrong_configuration_ends_before_anything_is_installed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    env = {"RUNNER_TEMP": str(tmp_path / "temp"), "AEGIS_INPUT_STRICT": "perhaps", "GITHUB_ACTIONS": "true"}
    done = main("run", "scan", cwd=tmp_path, env=env)
    assert done.returncode == 2
    assert done.stdout.startswith("::error title=")
    assert not (tmp_path / "temp").exists()


def test_what_nobody_foresaw_is_could_not_decide_and_not_a_failed_policy(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / "temp").touch()
    env = {"RUNNER_TEMP": str(tmp_path / "temp"), "AEGIS_INPUT_STRICT": "true", "AEGIS_INPUT_UPLOAD": "never"}
    done = main("run", "scan", cwd=tmp_path, env=env)
    assert done.returncode == 3
    assert "[core.crashed]" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_signal_while_the_environment_is_built_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    os.mkfifo(tmp_path / "ready")
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text(f'#!/bin/sh\necho ready > "{tmp_path}/ready"\nexec sleep 300\n', "utf-8")
    uv.chmod(0o755)
    env = {
        "PATH": f"{uv.parent}:{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "AEGIS_INPUT_STRICT": "true",
        "AEGIS_INPUT_UPLOAD": "never",
    }
    argv = [sys.executable, "-I", str(STARTUP / "main.py"), "run", "scan"]
    with subprocess.Popen(argv, cwd=tmp_path, env=env, stderr=subprocess.PIPE, text=True) as process:
        (tmp_path / "ready").read_text("utf-8")
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=120)
    assert process.returncode == 3
    assert "[core.interrupted]" in said


def test_the_developers_environment_needs_a_new_python_too(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 12, "final", 0))
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    monkeypatch.delenv("GITHUB_OUTPUT", raising=False)
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    assert startup.main(["venv"]) == 2
    assert "Python 3.10" in capsys.readouterr().err
