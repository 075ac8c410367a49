"""The adapter of semgrep-core beside programs that answer well, wrongly, late or never."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.semgrep import VERSION, SemgrepCore
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import Match, Target

RULES = [{"id": "slice--aws--python"}]
PYTHON = Target("slice:python", "python", b"import boto3\n")
GO = Target("now:svc.go", "go", b"package svc\n")
Program = Callable[[str], Path]

ANSWER = (
    f"VERSION = {VERSION!r}"
    """
import json, sys
arguments = sys.argv[1:]
targets = json.load(open(arguments[arguments.index("-targets") + 1]))[1]
paths = [each[1]["path"]["fpath"] for each in targets]
answer = {"version": VERSION, "results": [], "errors": [], "skipped_rules": [], "paths": {"scanned": paths}}
"""
)
PRINT = "print(json.dumps(answer))\n"


def answer(**changed: Any) -> str:
    """A program whose answer has some values replaced."""
    return ANSWER + f"answer.update(json.loads({json.dumps(json.dumps(changed))!s}))\n" + PRINT


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def make(body: str) -> Path:
        file = tmp_path / "semgrep-core"
        file.write_text(f"#!{sys.executable} -I\n{body}")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    return make


def engine(binary: Path, timeout: float = 120) -> SemgrepCore:
    return SemgrepCore(lambda: binary, timeout)


def test_no_target_needs_no_binary() -> None:
    def locate() -> Path:
        raise AssertionError("located")

    assert SemgrepCore(locate).run(RULES, []).matches == ()


def test_matches_name_their_target(program: Program, temporary: Path) -> None:
    results = """
for path in paths:
    answer["results"].append({
        "check_id": "slice--aws--python", "path": path, "start": {"line": 2, "col": 3}, "end": {"line": 5, "col": 9},
        "extra": {"metavars": {"$X": {"abstract_content": "boto3"}}},
    })
"""
    report = engine(program(ANSWER + results + PRINT)).run(RULES, [PYTHON, GO])
    assert report.matches == (
        Match("slice--aws--python", "slice:python", 2, 3, "boto3"),
        Match("slice--aws--python", "now:svc.go", 5, 3, "boto3"),  # Go: the end is where the import stands
    )
    assert report.problems == {}
    assert list(temporary.iterdir()) == []


def test_a_target_that_was_not_scanned_is_a_problem(program: Program) -> None:
    report = engine(program(answer(paths={"scanned": []}))).run(RULES, [PYTHON])
    assert report.problems == {"slice:python": "not scanned"}


def test_an_error_about_a_target_is_its_problem(program: Program) -> None:
    error = 'answer["errors"] = [{"message": "cannot parse", "location": {"path": paths[1]}}]\n'
    report = engine(program(ANSWER + error + PRINT)).run(RULES, [PYTHON, GO])
    assert report.problems == {"now:svc.go": "cannot parse"}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("", "not its JSON"),
        ("print('Segmentation fault')", "not its JSON"),
        ("print('{}')", "not its JSON"),
        ("print('[]')", "not its JSON"),
        ("print('null')", "not its JSON"),
        (answer(version="1.0.0"), "version '1.0.0'"),
        (answer(results=[{"check_id": "x"}]), "not its JSON"),
        (answer(results=[{"check_id": "x", "path": "/", "start": {}, "end": {}, "extra": {}}]), "not its JSON"),
        (answer(results=None), "not its JSON"),
        (answer(errors=[{"message": "out of memory"}]), "out of memory"),
        (answer(errors=[{"message": "x", "location": {"path": "/elsewhere"}}]), "x"),
        (answer(errors=[{"message": "x", "location": "here"}]), "x"),
        (answer(errors=["x"]), "not its JSON"),
        (answer(skipped_rules=[{"rule_id": "x"}]), "1 rules skipped"),
        (ANSWER + "del answer['paths']\n" + PRINT, "not its JSON"),
        ("import sys; sys.stderr.write('first\\nFatal error\\n'); sys.exit(2)", "exit status 2: Fatal error"),
        ("import sys; sys.exit(7)", "exit status 7: no message"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "exit status -9"),
        (answer() + "import sys; sys.exit(1)\n", "exit status 1"),
    ],
)  # fmt: skip
def test_no_whole_answer_is_no_answer(program: Program, temporary: Path, body: str, told: str) -> None:
    with pytest.raises(CouldNotDecide, match="semgrep-core") as caught:
        engine(program(body)).run(RULES, [PYTHON])
    assert caught.value.code == "scan.engine_failed"
    assert told in caught.value.problem
    assert list(temporary.iterdir()) == []


def test_one_that_hangs_is_ended_with_its_children(
    program: Program, tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    listen = subprocess.Popen.communicate

    def once_there(process: subprocess.Popen[bytes], *given: Any, **named: Any) -> Any:
        end = time.monotonic() + 120
        while not pids.exists():
            assert time.monotonic() < end
            time.sleep(0.01)
        return listen(process, *given, **named)

    monkeypatch.setattr(subprocess.Popen, "communicate", once_there)
    body = f"""
import os, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open({str(pids)!r} + ".new", "w") as file:
    file.write(f"{{os.getpid()}} {{child.pid}}")
os.rename({str(pids)!r} + ".new", {str(pids)!r})
time.sleep(600)
"""
    with pytest.raises(CouldNotDecide, match="no answer within 1 s") as caught:
        engine(program(body), timeout=1).run(RULES, [PYTHON])
    assert caught.value.code == "scan.engine_failed"
    assert all(_ended(int(pid)) for pid in pids.read_text().split())
    assert list(temporary.iterdir()) == []


def _ended(pid: int) -> bool:
    """Whether a process is gone, or waits to be collected by whoever adopted it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state == "Z":
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("what", ["missing", "not-executable", "folder", "no-program"])
def test_a_binary_that_cannot_be_run(tmp_path: Path, temporary: Path, what: str) -> None:
    file = tmp_path / "semgrep-core"
    if what == "folder":
        file.mkdir()
    elif what != "missing":
        file.write_bytes(b"\x7fELF garbage")
        file.chmod(0o755 if what == "no-program" else 0o644)
    with pytest.raises(CouldNotDecide, match="cannot be run") as caught:
        engine(file).run(RULES, [PYTHON])
    assert caught.value.code == "scan.engine_missing"
    assert str(file) in caught.value.problem
    assert list(temporary.iterdir()) == []


def test_surroundings_are_clean(program: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen.json"
    for name in ("SEMGREP_EXCLUDE", "SEMGREP_APP_TOKEN", "GITHUB_TOKEN", "OCAMLRUNPARAM", "LD_PRELOAD", "HOME"):
        monkeypatch.setenv(name, "/elsewhere" if name == "HOME" else "")
    body = f"""
import os, sys
with open({str(seen)!r}, "w") as file:
    json.dump({{"env": dict(os.environ), "cwd": os.getcwd(), "argv": sys.argv[1:], "stdin": sys.stdin.read(),
               "sid": os.getsid(0) == os.getpid()}}, file)
"""
    engine(program(ANSWER + body + PRINT)).run(RULES, [PYTHON])
    told = json.loads(seen.read_text())
    assert told["env"].keys() - {"LC_CTYPE"} == {"PATH", "HOME", "TMPDIR"}
    assert told["env"]["HOME"] == told["env"]["TMPDIR"] == told["cwd"]
    assert told["env"]["PATH"] == os.defpath
    assert told["stdin"] == ""
    assert told["sid"]


def test_names_of_the_repository_reach_no_path(program: Program, tmp_path: Path) -> None:
    seen = tmp_path / "seen.json"
    body = f'json.dump([targets, open(paths[0], "rb").read().decode()], open({str(seen)!r}, "w"))\n'
    odd = Target("now:../../-rf \n.py", "python", b"x = 1\n")
    engine(program(ANSWER + body + PRINT)).run(RULES, [odd])
    targets, text = json.loads(seen.read_text())
    assert Path(targets[0][1]["path"]["fpath"]).name == "0.py"
    assert text == "x = 1\n"
