from __future__ import annotations

import pytest

from aegis.core.verdict import Verdict
from aegis.report import text
from tests.support.actions import runner_commands
from tests.support.verdicts.verdicts import HOSTILE, failing, finding, undecided, verdict, waiver


def test_findings_stand_on_lines_that_editors_jump_to() -> None:
    lines = text.render(failing(finding(), finding(path=None, line=None, column=None))).splitlines()
    assert "src/app.py:3:1: scan.runtime: `boto3` is used directly" in lines
    assert "-: scan.runtime: `boto3` is used directly" in lines


@pytest.mark.parametrize(
    ("given", "first"),
    [
        (verdict(), "scan: PASS. Nothing stands in the way."),
        (verdict(waivers=(waiver(),)), "scan: PASS WITH WAIVER. "),
        (verdict(reason="core.not_applicable"), "scan: PASS. Nothing here for this gate."),
        (failing(), "scan: FAIL. Your change: "),
        (failing(finding(cause="artifact")), "scan: FAIL. Someone else's artifact: "),
        (failing(finding(cause="artifact"), finding()), "scan: FAIL. Your change: "),
        (failing(finding(cause="could-not-decide")), "scan: FAIL. Could not decide: "),
        (undecided(), "scan: COULD NOT DECIDE. Could not decide: "),
        (undecided(decision="misconfigured"), "scan: COULD NOT DECIDE. Your change: the arguments or the policy"),
        (
            undecided(decision="misconfigured", reason="core.observe_expired", observe=True),
            "scan: COULD NOT DECIDE. Your change: ",
        ),
        (verdict(observe=True), "scan: OBSERVED, NOT ENFORCED. "),
        (failing(observe=True), "scan: OBSERVED, NOT ENFORCED. "),
    ],
)
def test_the_first_line_says_whose_cause_it_is(given: Verdict, first: str) -> None:
    assert text.render(given).startswith(first)


def test_the_last_line_reproduces_it() -> None:
    assert text.render(failing()).splitlines()[-1] == "reproduce: aegis scan . --base 2e2e2e2e"


def test_each_remedy_is_said_once() -> None:
    assert text.render(failing(finding(), finding(line=9))).count("Call the adapter.") == 1


def test_without_findings_the_remedy_of_the_reason_is_said() -> None:
    assert "next: scan.engine_failed: Run it again" in text.render(undecided())


def test_exceptions_are_told() -> None:
    shown = text.render(verdict(bootstrap=True, waivers=(waiver(),), notices=("the catalogue is 90 days old",)))
    assert "bootstrap: " in shown
    assert "waived: scan.runtime until 2026-03-31 by @octo/platform: moves in Q3" in shown
    assert "note: the catalogue is 90 days old" in shown


@pytest.mark.parametrize("value", HOSTILE)
def test_no_value_acts_in_a_log(value: str) -> None:
    shown = text.render(
        failing(
            finding(path=value, message=value, remedy=value, rule=value),
            notices=(value,),
            waivers=(waiver(),),
            reproduce=value,
            gate=value,
        )
    )
    assert [line for line in shown.splitlines() if runner_commands.parse(line)] == []
    assert shown.replace("\n", "").isprintable()


def test_remedies_of_one_rule_are_told_once() -> None:
    findings = [finding(remedy=f"allow {name}") for name in ("a", "b", "c")]
    told = [line for line in text.render(failing(*findings)).splitlines() if line.startswith("next:")]
    assert told == ["next: scan.runtime: allow a (and 2 more like it)"]
