from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from aegis.cli.verify.options import SHARD
from aegis.core.policy import GateName
from aegis.report import write
from aegis.startup import supervise
from aegis.startup.choice import SINGLE
from aegis.startup.problem import COULD_NOT_DECIDE, MISCONFIGURED, StartupProblem

ROOT = Path(__file__).resolve().parents[3]
WRITE = """echo '{"result": "%s"}' > "$AEGIS_INPUT_OUTPUT/verdict.json\""""


def played(folder: Path, script: str) -> Path:
    """An environment whose python is a script that plays a gate."""
    python = folder / "venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\n{script}\n", "utf-8")
    python.chmod(0o755)
    return folder / "venv"


def run(tmp_path: Path, script: str, *, gate: str = "scan", **environ: str) -> int:
    surroundings = {"PATH": os.environ["PATH"], "GITHUB_WORKSPACE": str(tmp_path), **environ}
    return supervise.run(gate, played(tmp_path, script), tmp_path / "cache", surroundings)


@pytest.mark.parametrize(("code", "result"), [(0, "pass"), (1, "fail"), (2, "error"), (3, "error")])
def test_an_exit_code_that_the_verdict_backs_is_given_back(tmp_path: Path, code: int, result: str) -> None:
    assert run(tmp_path, f"{WRITE % result}; exit {code}") == code


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("exit 0", "exit code 0 and wrote no verdict"),
        ("exit 1", "exit code 1 and wrote no verdict"),  # how an uncaught Python error ends
        ("exit 3", "exit code 3 and wrote no verdict"),
        ("kill -9 $$", "ended by signal 9"),
        ("kill -11 $$", "ended by signal 11"),
        ("exit 77", "exit code 77"),
        (f"{WRITE % 'fail'}; exit 0", "exit code 0 and its verdict says 'fail'"),
        (f"{WRITE % 'error'}; exit 0", "exit code 0 and its verdict says 'error'"),
        (f"{WRITE % 'pass'}; exit 1", "exit code 1 and its verdict says 'pass'"),
        (f"{WRITE % 'pass'}; exit 2", "exit code 2 and its verdict says 'pass'"),
        (f"{WRITE % 'pass'}; exit 139", "exit code 139"),
        (f"{WRITE % 'pass'}; kill -9 $$", "ended by signal 9"),
        (f"{WRITE % 'great'}; exit 0", "its verdict says 'great'"),
        ('echo garbage > "$AEGIS_INPUT_OUTPUT/verdict.json"', "its verdict says '\\(unreadable\\)'"),
        ('echo "[]" > "$AEGIS_INPUT_OUTPUT/verdict.json"', "its verdict says '\\(unreadable\\)'"),
        ('mkdir "$AEGIS_INPUT_OUTPUT/verdict.json"', "its verdict says '\\(unreadable\\)'"),
        ('printf "\\377" > "$AEGIS_INPUT_OUTPUT/verdict.json"', "its verdict says '\\(unreadable\\)'"),
        ('echo \'{"result": "pass"}\'', "wrote no verdict"),  # printed, not written
    ],
)
def test_every_other_end_is_could_not_decide(tmp_path: Path, script: str, says: str) -> None:
    with pytest.raises(StartupProblem, match=says) as caught:
        run(tmp_path, script)
    assert caught.value.exit_code == COULD_NOT_DECIDE
    assert caught.value.code == "core.no_verdict"


def test_wrong_usage_needs_no_verdict(tmp_path: Path) -> None:
    assert run(tmp_path, "exit 2") == MISCONFIGURED


def test_a_verdict_of_an_earlier_run_does_not_count(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "verdict.json").write_text('{"result": "pass"}', "utf-8")
    with pytest.raises(StartupProblem, match="wrote no verdict"):
        run(tmp_path, "exit 0", AEGIS_INPUT_OUTPUT="out")


def reports(out: Path) -> list[str]:
    """What stands there, below the folder."""
    return sorted(path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("gate", "left"),
    [("scan", ["scan/predicate.json", "scan/verdict.json", "theirs.json"]), ("all", ["theirs.json"])],
)
def test_nothing_of_an_earlier_run_is_left_to_be_signed(tmp_path: Path, gate: str, left: list[str]) -> None:
    out = tmp_path / "out"
    (out / "scan").mkdir(parents=True)
    for name in (*supervise.REPORTS, "theirs.json", "scan/verdict.json", "scan/predicate.json"):
        (out / name).write_text('{"result": "pass"}', "utf-8")
    with pytest.raises(StartupProblem, match="wrote no verdict"):
        run(tmp_path, "exit 0", gate=gate, AEGIS_INPUT_OUTPUT="out")
    assert reports(out) == left


@pytest.mark.parametrize("end", ["exit 1", "kill -9 $$", "exit 77"])
def test_a_verdict_that_nothing_backs_is_taken_away(tmp_path: Path, end: str) -> None:
    """A step that always runs would keep it, or sign it."""
    with pytest.raises(StartupProblem, match="its verdict says 'pass'"):
        run(tmp_path, f"{WRITE % 'pass'}; {end}", AEGIS_INPUT_OUTPUT="out")
    assert reports(tmp_path / "out") == []


def test_a_folder_that_a_change_made_a_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "verdict.json").write_text("{}", "utf-8")
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "scan").symlink_to(tmp_path / "theirs")
    with pytest.raises(StartupProblem, match="wrote no verdict"):
        run(tmp_path, "exit 0", gate="all", AEGIS_INPUT_OUTPUT="out")
    assert reports(tmp_path / "theirs") == ["verdict.json"]


def test_what_a_gate_writes_and_what_is_taken_away_are_the_same() -> None:
    assert set(supervise.REPORTS) == {*write.NAMES, SHARD}
    assert get_args(GateName) == SINGLE


def test_a_planted_link_is_removed_and_not_followed(tmp_path: Path) -> None:
    out, precious = tmp_path / "out", tmp_path / "precious"
    out.mkdir()
    precious.write_text('{"result": "pass"}', "utf-8")
    (out / "verdict.json").symlink_to(precious)
    with pytest.raises(StartupProblem, match="wrote no verdict"):
        run(tmp_path, "exit 0", AEGIS_INPUT_OUTPUT="out")
    assert json.loads(precious.read_text("utf-8")) == {"result": "pass"}


def test_the_named_output_folder_is_used(tmp_path: Path) -> None:
    assert run(tmp_path, WRITE % "pass", AEGIS_INPUT_OUTPUT="deep/out") == 0
    assert (tmp_path / "deep" / "out" / "verdict.json").is_file()


def test_an_output_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StartupProblem, match="'file/out' cannot be used") as caught:
        run(tmp_path, "exit 0", AEGIS_INPUT_OUTPUT="file/out")
    assert caught.value.code == "core.output_unwritable"


def test_the_gate_is_isolated(tmp_path: Path) -> None:
    script = (
        f'test "$1 $2 $3" = "-I -X utf8" && test "$5 $6" = "scan --github" && test -z "$PYTHONPATH" && {WRITE % "pass"}'
    )
    assert run(tmp_path, script, PYTHONPATH="/evil") == 0


_STOPPED = """
import os, sys
sys.path.insert(0, {src!r})
from pathlib import Path
from aegis.startup import supervise
from aegis.startup.problem import StartupProblem
supervise._GRACE_SECONDS = {grace}
try:
    sys.exit(supervise.run("scan", Path({venv!r}), Path({cache!r}), os.environ))
except StartupProblem as problem:
    print(problem.code, problem.problem)
    sys.exit(problem.exit_code)
"""


def stop(tmp_path: Path, script: str, number: signal.Signals, grace: float = 300.0) -> tuple[int, str]:
    """Run a gate, wait until it is ready, and send a signal to the process that supervises it."""
    ready = tmp_path / "ready"
    os.mkfifo(ready)
    venv = played(tmp_path, script)
    code = _STOPPED.format(src=str(ROOT / "src"), grace=grace, venv=str(venv), cache=str(tmp_path / "cache"))
    env = {"PATH": os.environ["PATH"], "READY": str(ready)}
    with subprocess.Popen([sys.executable, "-I", "-c", code], env=env, stdout=subprocess.PIPE, text=True) as process:
        ready.read_text("utf-8")
        process.send_signal(number)
        out, _ = process.communicate(timeout=180)
    return process.returncode, out


@pytest.mark.parametrize(
    "end",
    ["kill -15 $$", f"{WRITE % 'pass'}; kill -15 $$", "exit 3"],
    ids=["while it imports", "when it had its answer", "before it had a verdict to write"],
)
def test_a_gate_that_was_told_to_stop_and_gave_no_verdict_was_interrupted(tmp_path: Path, end: str) -> None:
    """It is no defect to report."""
    script = f"""
stopped() {{ trap - TERM; {end}; }}
trap stopped TERM
echo ready > "$READY"
while :; do sleep 0.05; done"""
    code, said = stop(tmp_path, script, signal.SIGTERM)
    assert code == COULD_NOT_DECIDE
    assert said.startswith("core.interrupted Stopped by SIGTERM: the gate ")


@pytest.mark.parametrize(("number", "name"), [(signal.SIGTERM, "TERM"), (signal.SIGINT, "INT")])
def test_a_signal_reaches_the_gate_and_its_verdict_counts(tmp_path: Path, number: signal.Signals, name: str) -> None:
    script = f"""
stopped() {{ {WRITE % "error"}; exit 3; }}
trap stopped {name}
echo ready > "$READY"
while :; do sleep 0.05; done"""
    assert stop(tmp_path, script, number) == (3, "")


def test_a_gate_that_does_not_heed_is_killed(tmp_path: Path) -> None:
    code, said = stop(
        tmp_path, 'trap "" TERM; echo ready > "$READY"; while :; do sleep 0.05; done', signal.SIGTERM, 0.3
    )
    assert code == COULD_NOT_DECIDE
    assert "ended by signal 9" in said


_JUST_BEFORE = """
import ctypes, functools, operator, os, signal
told, really = functools.partial(ctypes.CDLL(None).kill, os.getpid(), signal.SIGTERM), os.waitpid

def waited(number, options):
    os.waitpid = really
    # one step of the interpreter, which runs handlers between two: the signal is there before the system is asked
    return list(map(operator.call, (told, functools.partial(really, number, options))))[1]

os.waitpid = waited
"""


def test_a_signal_just_before_the_gate_is_waited_for_reaches_it(tmp_path: Path) -> None:
    """It ends no wait that begins after it."""
    venv = played(tmp_path, "exec sleep 100")
    code = _STOPPED.format(src=str(ROOT / "src"), grace=300, venv=str(venv), cache=str(tmp_path / "cache"))
    done = subprocess.run(
        [sys.executable, "-I", "-c", _JUST_BEFORE + code],
        env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    assert done.stdout.startswith("core.interrupted Stopped by SIGTERM: the gate was ended by signal 15 "), done


def test_what_the_gate_runs_cannot_read_our_secrets(tmp_path: Path) -> None:
    """Neither those of a dump's SQL, which may run as the same user: the gate's own it closes itself."""
    script = f"cat /proc/$$/environ >own; cat /proc/$PPID/environ >supervisor; {WRITE % 'pass'}; exit 0"
    venv = played(tmp_path, script)
    code = _STOPPED.format(src=str(ROOT / "src"), grace=300, venv=str(venv), cache=str(tmp_path / "cache"))
    env = {"PATH": os.environ["PATH"], "AEGIS_AGE_IDENTITY": "AGE-SECRET-KEY-OF-NOBODY"}
    # root without its capabilities is a user like others, and what it runs is the same one
    drop = ["setpriv", "--inh-caps=-all", "--bounding-set=-all"] if os.geteuid() == 0 else []
    done = subprocess.run(
        [*drop, sys.executable, "-I", "-c", code], cwd=tmp_path, env=env, capture_output=True, timeout=180, check=False
    )
    assert done.returncode == 0, done
    assert b"OF-NOBODY" in (tmp_path / "own").read_bytes()
    assert (tmp_path / "supervisor").read_bytes() == b""
    assert b"/environ" in done.stderr


@pytest.mark.parametrize("broken", [None, OSError("no libc"), AttributeError("prctl")])
def test_a_system_that_cannot_close_memory_runs_gates_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: Exception | None
) -> None:
    def library(_: object) -> object:
        raise broken or AssertionError("asked for on another system")

    monkeypatch.setattr(ctypes, "CDLL", library)
    if broken is None:
        monkeypatch.setattr(sys, "platform", "darwin")
    assert run(tmp_path, f"{WRITE % 'pass'}; exit 0") == 0


def test_a_python_without_ctypes_runs_gates_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ctypes", None)
    assert run(tmp_path, f"{WRITE % 'pass'}; exit 0") == 0
