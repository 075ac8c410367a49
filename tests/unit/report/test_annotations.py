from __future__ import annotations

import pytest

from aegis.core.verdict import Verdict
from aegis.report.annotations import render
from tests.support.actions import runner_commands
from tests.support.verdicts.verdicts import HOSTILE, failing, finding, undecided, verdict


def parsed(given: Verdict) -> list[runner_commands.Command]:
    found = [runner_commands.parse(line) for line in render(given)]
    return [command for command in found if command]


def test_a_finding_is_an_error_on_its_line() -> None:
    (command,) = parsed(failing())
    assert command.name == "error"
    assert command.properties == {
        "file": "src/app.py",
        "line": "3",
        "col": "1",
        "title": "scan.runtime: Direct SDK use in runtime code",
    }
    assert command.data == "`boto3` is used directly\nCall the adapter."


def test_a_pass_says_nothing_and_observe_only_warns() -> None:
    assert parsed(verdict()) == []
    assert [command.name for command in parsed(failing(observe=True))] == ["warning"]


def test_an_observe_mode_that_is_over_is_an_error() -> None:
    given = undecided(decision="misconfigured", reason="core.observe_expired", observe=True)
    assert [command.name for command in parsed(given)] == ["error"]


def test_an_error_without_findings_is_one_annotation() -> None:
    (command,) = parsed(undecided())
    assert command.name == "error"
    assert command.data.startswith("semgrep did not answer. Could not decide")


def test_ten_are_all_shown() -> None:
    commands = parsed(failing(*(finding(path=f"{n}.py") for n in range(10))))
    assert [command.properties.get("file") for command in commands] == [f"{n}.py" for n in range(10)]


def test_of_more_than_ten_the_tenth_says_how_many() -> None:
    commands = parsed(failing(*(finding(path=f"{n}.py") for n in range(31))))
    assert len(commands) == 10
    assert commands[-1].data == "22 more are in the step summary; GitHub shows 10 of a type for each step."


def test_many_of_one_rule_in_one_file_share_an_annotation() -> None:
    commands = parsed(failing(*(finding(line=n) for n in range(1, 12)), finding(path="other.py")))
    assert [command.properties["file"] for command in commands] == ["src/app.py", "other.py"]
    assert commands[0].data.endswith("(10 more of this rule in this file.)")


def test_notices_have_a_limit_of_their_own() -> None:
    commands = parsed(failing(notices=tuple(f"notice {n}" for n in range(12))))
    assert [command.name for command in commands] == ["error", *["notice"] * 10]
    assert commands[-1].data.startswith("3 more")


@pytest.mark.parametrize("value", HOSTILE)
def test_every_line_is_one_of_our_commands(value: str) -> None:
    lines = render(failing(finding(path=value, message=value, remedy=value), notices=(value,)))
    commands = [runner_commands.parse(line) for line in lines]
    assert [command.name for command in commands if command] == ["error", "notice"]
    assert all(len(line.splitlines()) == 1 for line in lines)
