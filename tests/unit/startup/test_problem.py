from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.codes import CODES
from aegis.startup.problem import COULD_NOT_DECIDE, MISCONFIGURED, StartupProblem, announce, heredoc, notice
from tests.support.actions.runner_commands import parse

EVIL = "bad::error::x\n::set-output name=result::pass\r\n%0A```\n# heading <b> [x](y) | `code`"


def problem(text: str = EVIL, exit_code: int = 3) -> StartupProblem:
    return StartupProblem(
        "core.install_failed", text, expected=f"good {EVIL}", remedy=f"do {EVIL}", exit_code=exit_code
    )


def test_on_github_it_stands_in_annotation_summary_and_outputs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary, outputs = tmp_path / "summary", tmp_path / "outputs"
    environ = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_STEP_SUMMARY": str(summary),
        "GITHUB_OUTPUT": str(outputs),
    }
    assert announce(problem("no network"), environ) == 3
    assert "no network" in capsys.readouterr().out
    assert "no network" in summary.read_text("utf-8")
    assert re.findall(r"^(\w+)<<aegis_\w{32}\n(.*)$", outputs.read_text("utf-8"), re.MULTILINE)[:3] == [
        ("result", "error"),
        ("decision", "could-not-decide"),
        ("reason", "core.install_failed"),
    ]


def test_wrong_configuration_has_its_own_word(tmp_path: Path) -> None:
    outputs = tmp_path / "outputs"
    assert announce(problem(exit_code=MISCONFIGURED), {"GITHUB_OUTPUT": str(outputs)}) == MISCONFIGURED
    assert "\nmisconfigured\n" in outputs.read_text("utf-8")


def test_on_a_laptop_it_is_one_message_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    announce(problem("no network"), {})
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "no network" in shown.err
    assert "[core.install_failed]" in shown.err


@given(st.text())
def test_no_text_escapes_its_annotation(text: str) -> None:
    import contextlib
    import io

    with contextlib.redirect_stdout(io.StringIO()) as out:
        announce(problem(text), {"GITHUB_ACTIONS": "true"})
        notice(text, {"GITHUB_ACTIONS": "true"})
    first, second = out.getvalue().removesuffix("\n").split("\n")
    read = parse(first)
    assert read is not None
    assert read.name == "error"
    assert read.properties == {"title": "Aegis: core.install_failed"}
    assert read.data.startswith(text)
    assert (read := parse(second)) is not None
    assert read.data == text


def test_no_text_escapes_its_place_in_the_summary(tmp_path: Path) -> None:
    summary = tmp_path / "summary"
    announce(problem(), {"GITHUB_STEP_SUMMARY": str(summary)})
    lines = summary.read_text("utf-8").splitlines()
    assert [line for line in lines if line.startswith("#")] == [lines[0]]
    inside = [line for line in lines if "heading" in line]
    assert inside
    assert all(line.startswith("    ") or line.count("`` ") == 2 for line in inside)


def test_what_a_gate_had_said_before_is_taken_back(tmp_path: Path) -> None:
    output = tmp_path / "output"
    output.write_text("result=pass\nverdict=/tmp/verdict.json\n", "utf-8")
    announce(problem(), {"GITHUB_OUTPUT": str(output)})
    said = dict(re.findall(r"(?m)^([a-z]+)<<aegis_\w+\n(.*)$", output.read_text("utf-8")))
    assert (said["result"], said["verdict"], said["summary"]) == ("error", "", "")


def test_where_nothing_can_be_written_the_exit_code_still_says_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "full").symlink_to("/dev/full")
    full = str(tmp_path / "full")
    assert announce(problem(), {"GITHUB_STEP_SUMMARY": full, "GITHUB_OUTPUT": full}) == COULD_NOT_DECIDE
    assert "No space left" in capsys.readouterr().err


def test_an_output_cannot_end_its_own_heredoc() -> None:
    first, second = heredoc("a", "x"), heredoc("a", "x")
    assert first != second
    assert re.fullmatch(r"a<<(aegis_\w{32})\nx\n\1\n", first)


def test_every_code_of_the_startup_is_in_the_registry() -> None:
    sources = Path(__file__).resolve().parents[3] / "src" / "aegis" / "startup"
    named = {
        code for source in sources.glob("*.py") for code in re.findall(r'"(core\.\w+)"', source.read_text("utf-8"))
    }
    assert len(named) > 3
    assert named <= CODES.keys()
