from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from aegis.acceptance import result
from aegis.acceptance.judging import judge, remedy_of
from aegis.acceptance.result import Attempt, CheckSeen
from tests.support.acceptance.runs import attempt, check, criterion, run

SEEN = "probe.planted"
GOOD = attempt("positive", check("one"), check("two"))


def negative(*checks: CheckSeen, error: str | None = None) -> Attempt:
    return attempt("planted", *(checks or (check("one", SEEN),)), expected=[SEEN], error=error)


@pytest.mark.parametrize(
    ("attempts", "status", "reason"),
    [
        pytest.param((GOOD, negative()), "pass", "core.passed", id="seen"),
        pytest.param((GOOD, negative(), negative()), "pass", "core.passed", id="both-seen"),
        pytest.param((), "error", "acceptance.probe_broken", id="nothing"),
        pytest.param((GOOD,), "error", "acceptance.probe_broken", id="no-fault"),
        pytest.param((negative(), GOOD), "error", "acceptance.probe_broken", id="no-positive-first"),
        pytest.param((attempt("positive", check("one", "scan.cli")),), "fail", "scan.cli", id="red"),
        pytest.param((attempt(error="acceptance.probe_timed_out"),), "error", "acceptance.probe_timed_out", id="none"),
        pytest.param(
            (GOOD, attempt("planted", check("one"), expected=[SEEN])), "fail", "acceptance.fault_unnoticed", id="unseen"
        ),
        pytest.param(
            (GOOD, negative(error="acceptance.probe_broken")), "error", "acceptance.probe_broken", id="crashed"
        ),
        pytest.param(
            (GOOD, negative(check("one", "scan.cli"))), "error", "acceptance.fault_misread", id="another-reason"
        ),
        pytest.param(
            (GOOD, negative(check("three", SEEN))), "error", "acceptance.fault_misread", id="a-check-of-its-own"
        ),
        pytest.param(
            (GOOD, negative(check("three", SEEN), check("one", "scan.cli"))),
            "error", "acceptance.fault_misread", id="the-right-check-for-another-reason",
        ),
        pytest.param(
            (GOOD, negative(), attempt("other", check("one"), expected=[SEEN])),
            "fail", "acceptance.fault_unnoticed", id="only-one-seen",
        ),
    ],
)  # fmt: skip
def test_a_criterion(attempts: tuple[Attempt, ...], status: str, reason: str) -> None:
    judgement = judge(attempts)
    assert (judgement.status, judgement.reason) == (status, reason)


_CHECKS = st.lists(
    st.tuples(st.sampled_from(["one", "two", "three"]), st.sampled_from([None, SEEN, "scan.cli"])),
    min_size=1, max_size=3, unique_by=lambda each: each[0],
)  # fmt: skip


@st.composite
def attempts(draw: st.DrawFn, *, expected: bool) -> Attempt:
    if draw(st.booleans()) and draw(st.booleans()):
        return attempt("planted" if expected else "positive", expected=[SEEN] if expected else [], error="core.crashed")
    checks = [check(name, reason) for name, reason in draw(_CHECKS)]
    return attempt("planted" if expected else "positive", *checks, expected=[SEEN] if expected else [])


@given(attempts(expected=False), st.lists(attempts(expected=True), max_size=3))
@settings(max_examples=300, deadline=None)
def test_a_pass_has_seen_everything(positive: Attempt, negatives: list[Attempt]) -> None:
    """Whatever else may be answered: pass means a positive without a failed check, and each fault at a good check."""
    passed = judge([positive, *negatives]).status == "pass"
    good = {one.name for one in positive.checks if one.reason is None}
    seen = [
        one.result == "fail" and one.reason == SEEN and any(c.reason == SEEN and c.name in good for c in one.checks)
        for one in negatives
    ]
    assert passed is (positive.result == "pass" and bool(negatives) and all(seen))


@given(st.lists(st.sampled_from(["pass", "fail", "error", "not-run"]), max_size=5), st.data())
@settings(max_examples=200, deadline=None)
def test_a_run_is_what_its_worst_criterion_is(statuses: list[Any], data: st.DataObject) -> None:
    criteria = [criterion(f"A{number + 1}", status) for number, status in enumerate(statuses)]
    asked = data.draw(st.lists(st.sampled_from([one.id for one in criteria]), unique=True)) if criteria else []
    whole = result.overall(criteria, asked)
    of_asked = [one.status for one in criteria if one.id in asked]
    assert (whole == "pass") is (bool(of_asked) and set(of_asked) == {"pass"})
    assert (result.exit_code(whole) == 0) is (whole == "pass")
    accepted = result.accepted(criteria, planted=(), commit="a" * 40, uncommitted=False)
    assert accepted is (bool(statuses) and set(statuses) == {"pass"})


@pytest.mark.parametrize(
    "changes",
    [{"planted": ("A1:x",)}, {"commit": None}, {"uncommitted": True}],
    ids=["planted", "no-commit", "changed"],
)
def test_what_is_never_accepted(changes: dict[str, Any]) -> None:
    known: dict[str, Any] = {"planted": (), "commit": "a" * 40, "uncommitted": False}
    assert result.accepted([criterion("A1")], **known)
    assert not result.accepted([criterion("A1")], **{**known, **changes})


def test_local_is_not_staging() -> None:
    whole = run(criterion("A1"), criterion("A2", "not-run"))
    assert whole.text.startswith(
        "local (simulated parts: the cloud is a server on this machine): 1 of 2 criteria passed"
    )
    assert whole.text.endswith("1 not run: not accepted")
    assert result.kind("staging", []) == "staging (real)"


def test_each_reason_has_a_remedy_but_a_pass() -> None:
    assert remedy_of("core.passed") == ""
    assert remedy_of("acceptance.fault_unnoticed").startswith("Correct the probe")
    assert "output.txt" in remedy_of("probe.not_rolled_back")
