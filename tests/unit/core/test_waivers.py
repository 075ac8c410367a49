from __future__ import annotations

import datetime

import pytest

from aegis.core.policy import MAX_EXCEPTION_DAYS, Waiver
from aegis.core.verdict import AppliedWaiver, Finding
from aegis.core.waivers import Waived, apply_waivers, ending, term

TODAY = datetime.date(2026, 3, 1)
F1, F2 = "1" * 64, "2" * 64


def finding(fingerprint: str = F1, rule: str = "scan.runtime") -> Finding:
    return Finding(rule=rule, message="m", remedy="r", fingerprint=fingerprint, path="a.py")


def waiver(
    fingerprint: str = F1, *, rule: str = "scan.runtime", days: int = 90, owner: str = "ada", reason: str = "because"
) -> Waiver:
    expires = TODAY + datetime.timedelta(days)
    return Waiver(gate="scan", rule=rule, fingerprint=fingerprint, owner=owner, reason=reason, expires=expires)


def apply(findings: list[Finding], *waivers: Waiver, whole: bool = True, gate: str = "scan") -> Waived:
    return apply_waivers(findings, waivers, gate=gate, today=TODAY, whole=whole, policy_path="aegis.yml")


def test_the_named_finding_is_let_through_in_plain_sight() -> None:
    done = apply([finding(F1), finding(F2)], waiver(F1))
    assert done.remaining == (finding(F2),)
    assert done.applied == (
        AppliedWaiver(fingerprint=F1, rule="scan.runtime", reason="because", owner="ada", expires="2026-05-30"),
    )
    assert (done.problems, done.notices) == ((), ())


@pytest.mark.parametrize("other", [waiver(F2), waiver(F1, rule="scan.test")])
def test_another_finding_is_not_let_through(other: Waiver) -> None:
    done = apply([finding()], other)
    assert (done.remaining, done.applied) == ((finding(),), ())


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        (waiver(days=-1), "expired on 2026-02-28"),
        (waiver(days=MAX_EXCEPTION_DAYS + 1), "more than 180 days"),
        (waiver(owner=" "), "empty owner"),
        (waiver(reason="\t"), "empty owner or reason"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_a_waiver_that_does_not_hold_lets_nothing_through_and_fails(wrong: Waiver, match: str, whole: bool) -> None:
    done = apply([finding()], wrong, whole=whole)
    assert (done.remaining, done.applied) == ((finding(),), ())
    (problem,) = done.problems
    assert (problem.rule, problem.path) == ("core.waiver_invalid", "aegis.yml")
    assert match in problem.message


def test_a_waiver_that_is_not_needed_fails_where_everything_was_looked_at() -> None:
    (problem,) = apply([], waiver()).problems
    assert "matches no finding" in problem.message
    assert apply([], waiver(), whole=False).problems == ()


def test_a_second_waiver_of_the_same_finding_is_not_needed() -> None:
    done = apply([finding()], waiver(), waiver())
    assert (len(done.applied), len(done.problems)) == (1, 1)


def test_a_waiver_of_another_gate_is_left_alone() -> None:
    done = apply([finding()], waiver(days=-1), gate="verify")
    assert (done.remaining, done.problems) == ((finding(),), ())


@pytest.mark.parametrize(
    ("days", "expected"),
    [(-1, "expired"), (0, "holds"), (1, "holds"), (180, "holds"), (181, "too-long")],
)
def test_the_last_day_still_holds(days: int, expected: str) -> None:
    assert term(TODAY + datetime.timedelta(days), TODAY) == expected


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (-1, None),
        (0, "it ends today"),
        (1, "it ends in 1 day, on 2026-03-02"),
        (14, "it ends in 14 days, on 2026-03-15"),
        (15, None),
    ],
)
def test_an_end_is_announced_two_weeks_before(days: int, expected: str | None) -> None:
    assert ending("it", TODAY + datetime.timedelta(days), TODAY) == expected


def test_an_ending_waiver_still_holds_and_is_announced() -> None:
    done = apply([finding()], waiver(days=3))
    assert (done.remaining, len(done.applied)) == ((), 1)
    assert "ends in 3 days" in done.notices[0]
