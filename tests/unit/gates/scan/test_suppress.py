from __future__ import annotations

import datetime

import pytest
from msgspec.structs import replace

from aegis.core.codes import CODES
from aegis.core.policy import Suppression
from aegis.core.verdict import Finding
from aegis.gates.scan.suppress import RULES, Suppressed, apply_suppressions

TODAY = datetime.date(2026, 3, 1)
F1, F2 = "1" * 64, "2" * 64


def finding(path: str = "a.py", fingerprint: str = F1, rule: str = "scan.runtime") -> Finding:
    return Finding(rule=rule, message="m", remedy="r", fingerprint=fingerprint, path=path)


ENTRY = Suppression(
    rule="scan.runtime", path="a.py", owner="ada", reason="until the port exists", expires=datetime.date(2026, 6, 1)
)


def apply(findings: list[Finding], *entries: Suppression, whole: bool = True) -> Suppressed:
    return apply_suppressions(findings, entries, today=TODAY, whole=whole, policy_path="aegis.yml")


def test_a_rule_in_a_file_is_let_through() -> None:
    done = apply([finding(), finding(fingerprint=F2), finding("b.py")], ENTRY)
    assert done.remaining == (finding("b.py"),)
    assert done.suppressed == ((finding(), ENTRY), (finding(fingerprint=F2), ENTRY))
    assert (done.problems, done.notices) == ((), ())


@pytest.mark.parametrize("other", [finding("b.py"), finding("A.py"), finding("x/a.py"), finding(rule="scan.test")])
def test_another_file_or_rule_is_not(other: Finding) -> None:
    assert apply([other], ENTRY).remaining == (other,)


def test_a_fingerprint_means_one_use() -> None:
    done = apply([finding(), finding(fingerprint=F2)], replace(ENTRY, fingerprint=F2))
    assert done.remaining == (finding(),)


def test_an_entry_for_one_use_comes_before_one_for_the_file() -> None:
    one = replace(ENTRY, fingerprint=F1)
    done = apply([finding(), finding(fingerprint=F2)], ENTRY, one)
    assert (done.remaining, done.problems) == ((), ())
    assert done.suppressed == ((finding(), one), (finding(fingerprint=F2), ENTRY))


@pytest.mark.parametrize(
    ("wrong", "code", "match"),
    [
        (replace(ENTRY, expires=datetime.date(2026, 2, 28)), "scan.suppression_expired", "expired on 2026-02-28"),
        (replace(ENTRY, expires=datetime.date(2026, 8, 29)), "scan.suppression_too_long", "more than 180 days"),
        (replace(ENTRY, rule="scan.*"), "scan.suppression_invalid", r"'scan.*'"),
        (replace(ENTRY, rule="runtime"), "scan.suppression_invalid", "'runtime'"),
        (replace(ENTRY, rule="scan.suppression_unused"), "scan.suppression_invalid", "none of"),
        (replace(ENTRY, path="*.py"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="**"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="?.py"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="src/"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="/a.py"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="./a.py"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, path="b/../a.py"), "scan.suppression_invalid", "not one file"),
        (replace(ENTRY, owner=" "), "scan.suppression_invalid", "empty owner"),
        (replace(ENTRY, reason="\n"), "scan.suppression_invalid", "empty owner or reason"),
    ],
)
@pytest.mark.parametrize("whole", [True, False])
def test_an_entry_that_does_not_hold_lets_nothing_through_and_fails(
    wrong: Suppression, code: str, match: str, whole: bool
) -> None:
    found = finding(wrong.path, rule=wrong.rule)
    done = apply([found], wrong, whole=whole)
    assert (done.remaining, done.suppressed) == ((found,), ())
    (problem,) = done.problems
    assert (problem.rule, problem.path) == (code, "aegis.yml")
    assert match in problem.message


def test_an_entry_that_matches_nothing_fails_where_everything_was_looked_at() -> None:
    (problem,) = apply([], ENTRY).problems
    assert problem.rule == "scan.suppression_unused"
    assert "matches nothing" in problem.message
    assert apply([], ENTRY, whole=False).problems == ()


def test_an_entry_whose_findings_another_one_took_is_not_needed() -> None:
    (problem,) = apply([finding()], ENTRY, ENTRY).problems
    assert problem.rule == "scan.suppression_unused"


def test_the_last_day_holds_and_is_announced() -> None:
    done = apply([finding()], replace(ENTRY, expires=TODAY))
    assert (done.remaining, done.problems) == ((), ())
    assert done.notices == ("the suppression of scan.runtime in a.py ends today",)


def test_different_faults_have_different_fingerprints() -> None:
    expired = replace(ENTRY, expires=datetime.date(2026, 1, 1))
    done = apply([], expired, replace(expired, path="b.py"), replace(expired, fingerprint=F1), ENTRY)
    assert len({problem.fingerprint for problem in done.problems}) == 4


def test_every_rule_that_can_be_suppressed_is_registered() -> None:
    assert CODES.keys() >= RULES
