from __future__ import annotations

import datetime
import itertools

import pytest

from aegis.core.codes import CODES
from aegis.core.errors import CouldNotDecide, UsageError, crashed
from aegis.core.merge import merged
from aegis.core.outcome import Outcome, Run, conclude, fingerprint_of, refuse
from aegis.core.policy import Policy, ScanPolicy
from aegis.core.policy_file import parse_policy
from aegis.core.policy_in_force import InForce
from aegis.core.tool import running_tool
from aegis.core.verdict import AppliedWaiver, Cause, Finding, Source, Verdict, exit_code, worst_exit

NOW = datetime.datetime(2026, 11, 23, 12, 0, tzinfo=datetime.UTC)
RUN = Run(gate="scan", subject=(), source=Source(), tool=running_tool(), started=NOW, reproduce="aegis scan")


def finding(cause: Cause = "your-change", rule: str = "scan.runtime") -> Finding:
    return Finding(rule=rule, message="m", remedy="r", fingerprint="a" * 64, cause=cause)


def verdict(outcome: Outcome, mode: str = "enforce") -> Verdict:
    in_force = InForce(Policy(version=1, mode=mode), "defaults", "")
    return conclude(RUN, outcome, in_force, ScanPolicy(), NOW)


def test_nothing_against_it_is_a_pass() -> None:
    answer = verdict(Outcome())
    assert (answer.result, answer.decision, exit_code(answer)) == ("pass", "pass", 0)


def test_a_finding_is_a_fail() -> None:
    answer = verdict(Outcome(findings=(finding(),)))
    assert (answer.result, answer.reason, exit_code(answer)) == ("fail", "core.findings", 1)


def test_an_open_question_is_no_pass() -> None:
    answer = verdict(Outcome(findings=(finding("could-not-decide", "scan.not_analysed"),)))
    assert (answer.result, answer.reason, exit_code(answer)) == ("error", "scan.not_analysed", 3)


def test_a_known_violation_outweighs_an_open_question() -> None:
    assert exit_code(verdict(Outcome(findings=(finding("could-not-decide"), finding())))) == 1


def test_a_waiver_shows_in_the_decision() -> None:
    waiver = AppliedWaiver(fingerprint="a" * 64, rule="scan.cli", reason="r", owner="o", expires="2027-01-01")
    assert verdict(Outcome(waivers=(waiver,))).decision == "pass with waiver"


def test_not_applicable_is_a_pass_with_its_reason() -> None:
    answer = verdict(Outcome(not_applicable="no file"))
    assert (answer.result, answer.reason) == ("pass", "core.not_applicable")
    assert answer.notices == ("Not applicable: no file",)


def test_of_a_part_is_a_pass_that_says_so() -> None:
    answer = verdict(Outcome(part="services/a"))
    assert (answer.result, answer.decision, exit_code(answer)) == ("pass", "pass of a part", 0)
    assert answer.notices == ("Only a part was judged, and this is no answer about the rest: services/a",)
    assert verdict(Outcome(part="services/a", findings=(finding(),))).decision == "fail"


@pytest.mark.parametrize("outcome", [Outcome(), Outcome(findings=(finding(),)), Outcome(not_applicable="x")])
def test_observe_is_never_a_pass(outcome: Outcome) -> None:
    answer = verdict(outcome, "observe until 2026-11-23")
    assert answer.observe
    assert answer.decision == "observed"
    assert exit_code(answer) != 0


def test_observe_ends() -> None:
    answer = verdict(Outcome(), "observe until 2026-11-22")
    assert (answer.reason, exit_code(answer)) == ("core.observe_expired", 2)


@pytest.mark.parametrize(("error", "code"), [(UsageError, 2), (CouldNotDecide, 3)])
def test_an_error_is_a_verdict(error: type[UsageError | CouldNotDecide], code: int) -> None:
    answer = refuse(RUN, error("core.crashed", "problem", expected="e", remedy="r"), NOW)
    assert (answer.result, exit_code(answer)) == ("error", code)
    assert "problem" in answer.findings[0].message


def test_a_wrong_policy_is_annotated_in_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        parse_policy(b"version: 1\nscn: {}\n", file="aegis.yml")
    (found,) = refuse(RUN, caught.value, NOW).findings
    assert (found.path, found.line, found.column) == ("aegis.yml", 2, 1)


def test_the_worst_exit_counts() -> None:
    order = [2, 3, 1, 0]
    for some in itertools.product(order, repeat=3):
        assert worst_exit(some) == min(some, key=order.index)
    assert worst_exit([]) == 3
    assert worst_exit([0, 137]) == 3
    assert worst_exit([2, 137]) == 2


def test_several_gates_are_as_bad_as_the_worst() -> None:
    good, bad = verdict(Outcome(notices=("n",))), verdict(Outcome(findings=(finding(),)))
    both = merged([good, bad])
    assert (both.gate, both.result, exit_code(both)) == ("all", "fail", 1)
    assert both.findings == bad.findings
    assert both.notices == ("n",)
    assert exit_code(merged([good])) == 0


def test_a_crash_tells_its_place_and_not_its_text() -> None:
    try:
        raise ValueError("secret")
    except ValueError as error:
        told = crashed(error)
    assert "ValueError at test_verdict.py:" in told.problem
    assert "secret" not in str(told)


def test_fingerprints_keep_parts_apart() -> None:
    assert fingerprint_of("ab", "c") != fingerprint_of("a", "bc")
    assert fingerprint_of("1:a") != fingerprint_of("a")
    assert len(fingerprint_of("\udcff")) == 64


def test_codes_are_named_after_their_gate() -> None:
    gates = {"scan", "verify", "canary", "backup_check"}
    assert all(
        code.gate
        in gates
        | {
            "core",
            "runtime",
            "audit",
            "token",
            "init",
            "github",
            "doctor",
            "render",
            "report",
            "evidence",
            "fleet",
            "acceptance",
        }
        and code.id.replace(".", "_").isidentifier()
        for code in CODES.values()
    )
    assert all(code.why.endswith((".", "?")) and code.remedy.endswith(".") for code in CODES.values())


def test_the_tool_digest_is_stable() -> None:
    assert running_tool() == running_tool()
    assert len(running_tool().digest) == 64
