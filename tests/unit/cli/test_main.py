from __future__ import annotations

import io
import json
import os
import signal
import sys
import warnings
from pathlib import Path

import pytest

from aegis.cli import gate_run, interruption
from aegis.cli import main as command
from aegis.cli.interruption import Stopped, stop_on_signals
from aegis.cli.main import main
from aegis.cli.scan import command as scan
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.verdict import Verdict
from tests.support.verdicts import verdicts

SECRET = "hunter2"


@pytest.fixture
def told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that stands still for a second is not told again."""
    monkeypatch.setattr(interruption, "_TICK", 600)


def fail(error: BaseException) -> object:
    def run(*_: object, **__: object) -> object:
        raise error

    return run


class TestExitCodes:
    @pytest.mark.parametrize(
        ("answer", "code"),
        [
            (verdicts.verdict(), 0),
            (verdicts.failing(), 1),
            (verdicts.undecided(reason="core.policy_invalid", decision="misconfigured"), 2),
            (verdicts.undecided(), 3),
        ],
    )
    def test_each_answer_has_its_own(self, answer: Verdict, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scan, "answer", lambda *_: (answer, None))
        assert main(["scan"]) == code

    @pytest.mark.parametrize(("kind", "code"), [(UsageError, 2), (CouldNotDecide, 3)])
    def test_an_error_beside_the_verdict_has_its_own(
        self,
        kind: type[AegisError],
        code: int,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        error = kind("core.wrong_usage", "it was \x1b[31mred\n::error::owned", expected="blue", remedy="paint it")
        monkeypatch.setattr(scan, "answer", fail(error))
        assert main(["scan"]) == code
        said = capsys.readouterr().err
        assert said.startswith("aegis: core.wrong_usage: it was ")
        assert "\x1b" not in said
        assert not any(line.lstrip().startswith("::") for line in said.splitlines())
        assert "expected: blue" in said
        assert "next: paint it" in said


class TestWarnings:
    """Python's own are for developers: they would stand in a log without a reason, or fail who reads stderr."""

    def _warning(self, *_: object) -> tuple[Verdict, None]:
        warnings.warn("Attribute's length must be >= 2", UserWarning, stacklevel=1)
        return verdicts.verdict(), None

    def test_are_not_shown(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scan, "answer", self._warning)
        with warnings.catch_warnings(record=True) as shown:
            assert main(["scan"]) == 0
        assert shown == []

    def test_are_shown_to_who_asks_for_them(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(scan, "answer", self._warning)
        monkeypatch.setattr(sys, "warnoptions", ["default"])
        with warnings.catch_warnings(record=True) as shown:
            warnings.simplefilter("always")
            main(["scan"])
        # what another test has left open may be told when it is collected just now
        own = [str(each.message) for each in shown if each.category is UserWarning]
        assert own == ["Attribute's length must be >= 2"]


class TestCrash:
    def test_inside_the_gate_it_becomes_a_verdict_without_the_exception_s_text(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        monkeypatch.setattr(gate_run, "open_repository", fail(RuntimeError(SECRET)))
        assert main(["scan", "--output", str(tmp_path)]) == 3
        found = json.loads((tmp_path / "verdict.json").read_bytes())
        assert (found["result"], found["reason"]) == ("error", "core.crashed")
        assert "RuntimeError at test_main.py:" in found["findings"][0]["message"]
        shown = capsys.readouterr()
        written = "".join(file.read_text() for file in tmp_path.iterdir())
        assert SECRET not in shown.out + shown.err + written
        assert "Traceback" not in shown.err

    def test_outside_the_gate_it_is_one_message(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(scan, "answer", fail(ZeroDivisionError(SECRET)))
        assert main(["scan"]) == 3
        said = capsys.readouterr().err
        assert said.startswith("aegis: core.crashed: ZeroDivisionError at test_main.py:")
        assert SECRET not in said
        assert "Traceback" not in said

    @pytest.mark.parametrize("error", [RecursionError(SECRET), MemoryError(SECRET), UnicodeError(SECRET)])
    def test_of_every_kind(
        self, error: Exception, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(gate_run, "open_repository", fail(error))
        assert main(["scan"]) == 3
        assert SECRET not in capsys.readouterr().out


@pytest.mark.usefixtures("told_once")
class TestStopped:
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_a_signal_is_no_error_that_anything_else_handles(self, number: signal.Signals) -> None:
        stop_on_signals()

        def work() -> None:
            try:
                signal.raise_signal(number)
            except Exception:
                pytest.fail("it was taken for an error")

        with pytest.raises(Stopped) as caught:
            work()
        assert caught.value.reason.code == "core.interrupted"
        assert number.name in caught.value.reason.problem

    def test_a_second_one_is_passed_over(self) -> None:
        stop_on_signals()
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.raise_signal(number)

    def test_beside_the_verdict_it_is_a_message_and_no_answer(
        self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(scan, "answer", fail(Stopped(signal.SIGTERM)))
        assert main(["scan"]) == 3
        assert capsys.readouterr().err.startswith("aegis: core.interrupted: stopped by SIGTERM\n")


def test_what_cannot_be_printed_at_the_end_is_no_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a command left in the buffer goes out at last; a pass that nobody can have read is none."""
    monkeypatch.setattr(command, "_run", lambda _: sys.stdout.write("pass\n") * 0)
    kept, (reader, writer) = os.dup(1), os.pipe()
    os.close(reader)
    os.dup2(writer, 1)
    os.close(writer)
    with open(1, "w", closefd=False) as broken:
        monkeypatch.setattr(sys, "stdout", broken)
        try:
            assert main(["scan"]) == 3
        finally:
            broken.flush()  # it goes nowhere, and Python's own end cannot fail any more
            os.dup2(kept, 1)
            os.close(kept)


def test_every_command_tells_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--help"], ["scan", "--help"], ["all", "--help"], ["--version"]):
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == 0
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["scan", "--no-such"], "usage: aegis scan "),
        (["verify", "plan", "--shards", "2", "--no-such"], "usage: aegis verify plan "),
        (["--no-such", "scan"], "usage: aegis "),
    ],
)
def test_an_unknown_option_is_told_with_the_usage_of_its_command(
    arguments: list[str], usage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert said.startswith(usage)
    assert said.endswith("error: unrecognized arguments: --no-such\n")


class Signalled(io.StringIO):
    """A stream; who first does with it what is named is told to stop."""

    def __init__(self, doing: str) -> None:
        super().__init__()
        self.doing = doing

    def _does(self, what: str) -> None:
        if what == self.doing:
            self.doing = ""
            os.kill(os.getpid(), signal.SIGTERM)

    def flush(self) -> None:
        self._does("flush")

    def write(self, text: str) -> int:
        self._does("write")
        return super().write(text)


@pytest.mark.usefixtures("told_once")
@pytest.mark.parametrize("doing", ["flush", "write"])
def test_a_signal_while_the_answer_is_told_is_no_traceback(doing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    error = CouldNotDecide("core.wrong_usage", "it was red", expected="blue", remedy="paint it")
    if doing == "write":
        monkeypatch.setattr(scan, "answer", fail(error))
    else:
        stop_on_signals()
        monkeypatch.setattr(command, "_run", lambda _: 0)
    out, err = Signalled(doing), Signalled(doing)
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    assert main(["scan"]) == 3
    assert "" in (out.doing, err.doing)
    assert err.getvalue().startswith("aegis: core.interrupted: stopped by SIGTERM\n")
