from __future__ import annotations

import math
import re

import pytest

from aegis.gates.canary.explain import chart, lines, looks
from aegis.gates.canary.plan import MetricPlan, Plan
from aegis.gates.canary.state import Point
from tests.support.canary.counted import Watched
from tests.support.canary.rollouts import plan


def test_a_line_says_what_was_counted_and_what_it_means() -> None:
    watched = Watched(plan(ceiling=0.5))
    judgement = watched.look((1_000.0, 40.0), (19_000.0, 95.0))
    (line,) = lines(watched.state, watched.plan)
    assert (line.canary_exposure, line.canary_bad, line.stable_exposure, line.stable_bad) == (1_000, 40, 19_000, 95)
    assert (line.canary_rate, line.stable_rate) == (0.04, 0.005)
    assert line.ratio_low < 8 < line.ratio_high
    assert line.ratio_low > 2
    assert line.evidence > 100
    assert line.p_value == pytest.approx(1 / line.evidence)
    assert line.over_ceiling is not None
    assert line.over_ceiling < 1
    assert line.good < 1
    assert (line.weight, line.critical, line.clustering, line.spread) == (1.0, True, 1.0, 0.0)
    assert line.more_requests == 0.0
    assert judgement.decision == "abort"


def test_before_anything_was_counted_nothing_is_claimed() -> None:
    watched = Watched(plan())
    (line,) = lines(watched.state, watched.plan)
    assert (line.canary_rate, line.stable_rate, line.more_requests) == (None, None, None)
    assert (line.ratio_low, line.ratio_high) == (0.0, math.inf)
    assert (line.evidence, line.p_value) == (1.0, 1.0)


def test_the_p_value_remembers_the_worst_moment() -> None:
    watched = Watched(plan(alpha=1e-9))
    watched.look((1_000.0, 14.0), (19_000.0, 95.0))
    worst = lines(watched.state, watched.plan)[0].p_value
    for _ in range(10):
        watched.look((1_000.0, 2.0), (19_000.0, 95.0))
    (line,) = lines(watched.state, watched.plan)
    assert line.p_value == worst < 0.2
    assert line.evidence < 1


def test_the_strongest_evidence_stands_first() -> None:
    names = ("a", "b", "c")
    watched = Watched(Plan(metrics=tuple(MetricPlan(name=name, spread=0.0, cluster=1.0) for name in names)))
    watched.now += 10
    bad = {"a": 1.0, "b": 30.0, "c": 10.0}
    watched.take(
        *(one for name in names for one in watched.counts((1_000.0, bad[name]), (19_000.0, 95.0), metric=name))
    )
    assert [line.metric for line in lines(watched.state, watched.plan)] == ["b", "c", "a"]
    assert [line.metric for line in lines(watched.state, watched.plan, 2)] == ["b", "c"]


def test_fewer_events_are_told_as_a_ratio_below_one() -> None:
    watched = Watched(plan(direction="decrease"))
    watched.look((1_000.0, 100.0), (19_000.0, 9_500.0))
    (line,) = lines(watched.state, watched.plan)
    assert line.ratio_low <= 0.2 <= line.ratio_high
    assert line.ratio_high < 0.5


def test_a_first_version_has_no_comparison() -> None:
    first = Plan(metrics=(MetricPlan(name="errors", ceiling=0.1, cluster=1.0),), first=True)
    watched = Watched(first)
    watched.look((1_000.0, 5.0), None)
    (line,) = lines(watched.state, first)
    assert (line.ratio_low, line.ratio_high) == (0.0, math.inf)
    assert line.evidence == pytest.approx(1.0)
    assert line.good > 20


class TestChart:
    def test_a_single_look_is_no_chart(self) -> None:
        watched = Watched(plan())
        watched.look((100.0, 1.0), (1_900.0, 19.0))
        assert chart(watched.state, watched.plan) == ""

    def test_four_lines_of_numbers_within_its_borders(self) -> None:
        watched = Watched(plan())
        for _ in range(300):
            if watched.look((100.0, 1.2), (1_900.0, 19.0)).decision != "continue":
                break
        text = chart(watched.state, watched.plan)
        rows = re.findall(r"^    line \[(.*)\]$", text, re.MULTILINE)
        values = [[float(value) for value in row.split(", ")] for row in rows]
        assert len(values) == 4
        assert len({len(row) for row in values}) == 1
        assert 2 <= len(values[0]) <= 61
        assert all(-3 <= value <= 6 for row in values for value in row)
        assert set(values[1]) == {2.0}
        assert set(values[3]) == {1.3}
        assert values[2][-1] >= 1.3
        assert text.startswith("xychart-beta\n")

    def test_overwhelming_evidence_stands_at_the_border(self) -> None:
        watched = Watched(plan())
        watched.look((100.0, 0.0), (1_900.0, 19.0))
        watched.look((1e6, 1e6), (1_900.0, 19.0))
        assert "6.00]" in chart(watched.state, watched.plan)


class TestLooks:
    def test_are_the_chart_s_numbers_with_their_times(self) -> None:
        watched = Watched(plan())
        for _ in range(150):
            watched.look((100.0, 1.2), (1_900.0, 19.0))
        seen = looks(watched.state)
        assert 2 <= len(seen) <= 61
        seconds = [each["seconds"] for each in seen]
        assert seconds == sorted(seconds)
        last = watched.state.history[-1]
        assert seen[-1]["harm"] == pytest.approx(last.harm / math.log(10), abs=1e-3)
        assert seen[-1]["good"] == pytest.approx(last.good / math.log(10), abs=1e-3)

    def test_what_is_endless_can_be_written(self) -> None:
        watched = Watched(plan())
        watched.look((100.0, 1.0), (1_900.0, 19.0))
        watched.state.history.append(Point(watched.state.now, math.inf, -math.inf))
        assert looks(watched.state)[-1] == {
            "seconds": pytest.approx(watched.state.now - watched.state.start),
            "harm": 300.0,
            "good": -300.0,
        }
