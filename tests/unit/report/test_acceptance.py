from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from aegis.acceptance.result import Acceptance
from aegis.report import acceptance_junit, acceptance_markdown, acceptance_page
from aegis.report.markdown import LIMIT
from tests.support.acceptance.runs import attempt, check, criterion, mixed, run

HOSTILE = "</td><script>alert(1)</script> | [x](javascript:y) `z` @octocat \x1b[31m ::error::owned \udcff \ufffe"


def hostile() -> Acceptance:
    seen = attempt("positive", check("one", "probe.red", HOSTILE), facts={"canary_looks": HOSTILE, "restores": [1, {}]})
    return run(criterion("A1", "fail", seen, reason="probe.red", message=HOSTILE), command=HOSTILE)


def test_a_suite_a_criterion_and_no_skipped_test() -> None:
    suites = ElementTree.fromstring(acceptance_junit.render(mixed()))
    assert {key: suites.get(key) for key in ("tests", "failures", "errors")} == {
        "tests": "11", "failures": "1", "errors": "2",
    }  # fmt: skip
    assert [suite.get("name", "")[:2] for suite in suites] == ["A1", "A2", "A3", "A4", "A5"]
    assert not list(suites.iter("skipped"))
    (case,) = (each for each in suites[3] if each.get("name") == "accepted")
    assert (case[0].tag, case[0].get("type")) == ("error", "acceptance.precondition_missing")
    assert suites[0][0].get("time") == "12.500"


def test_a_row_a_criterion() -> None:
    text = acceptance_markdown.render(mixed())
    rows = [line for line in text.splitlines() if line.startswith("| A")]
    assert [row.split("|")[3].strip() for row in rows] == [
        "**pass**",
        "**fail**",
        "**error**",
        "**not-run**",
        "**pass**",
    ]
    assert "<code>planted-fault</code>: fail as expected" in rows[0]
    assert "not accepted" in text.splitlines()[0]


def test_both_charts() -> None:
    page = acceptance_page.render(mixed()).decode()
    assert page.count("<figcaption") == 2
    assert "The degraded canary, look by look" in page
    assert "Restores" in page


@pytest.mark.parametrize(
    "render",
    [
        pytest.param(lambda whole: acceptance_markdown.render(whole).encode(), id="markdown"),
        pytest.param(acceptance_junit.render, id="junit"),
        pytest.param(acceptance_page.render, id="page"),
    ],
)
def test_hostile_words_stay_words(render: Callable[[Acceptance], bytes]) -> None:
    page = render(hostile()).decode()
    assert "<script" not in page
    assert "\x1b" not in page
    assert render(hostile()) == render(hostile())


def test_a_summary_fits() -> None:
    long = "| " * 100_000
    whole = run(*(criterion(f"A{number}", "fail", reason="probe.red", message=long) for number in range(1, 100)))
    assert len(acceptance_markdown.render(whole).encode()) < LIMIT
