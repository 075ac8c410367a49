"""A value of a label that is misspelt looks like no errors: what is there instead is told, and what was there."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import CanaryMetric, Rollout
from aegis.core.ports.metrics import Series
from aegis.gates.canary.samples.sources import Source, source_of
from aegis.gates.canary.samples.spelling import DAYS, never_matched, unmatched
from tests.doubles.metrics_store import MetricsStore

T0 = 1_700_000_000.0
DAY = 86_400
ROLLOUT = Rollout(namespace="shop", name="web")


def own(bad: str, total: str = "http_requests_total") -> Source:
    return source_of(CanaryMetric(name="http", total=total, bad=bad), ROLLOUT)


WRONG = own('http_requests_total{code="5xx"}')


def series(**labels: str) -> Series:
    return Series({"__name__": "http_requests_total", **labels}, ((T0, 1.0),))


def scrape(
    store: MetricsStore, code: str, *, days: int = 0, pod: str = "web-old-bbbbb", namespace: str = "shop"
) -> None:
    target = {"namespace": namespace, "pod": pod, "job": "web", "instance": f"{pod}:80"}
    store.scrape(target, {("http_requests_total", f'code="{code}"'): 1.0}, T0 - days * DAY)


def asked(store: MetricsStore, source: Source = WRONG) -> str:
    return never_matched(store, source, ROLLOUT, window=20, at=T0)


def test_the_values_that_are_there_are_told() -> None:
    seen = [series(code="404", method="GET"), series(code="200", method="GET")]
    assert unmatched(WRONG, seen) == 'code has the values 200, 404; no series has code="5xx"'
    both = own('http_requests_total{code="500",method="PUT"}')
    told = 'code has the values 200, 404; method has the values GET; no series has code="500",method="PUT"'
    assert unmatched(both, seen) == told


def test_what_all_events_have_too_tells_no_bad_ones() -> None:
    narrowed = own('http_requests_total{code="5xx",job="a"}', 'http_requests_total{code!="404",job="a"}')
    assert unmatched(narrowed, [series(code="200", job="a")]) == 'code has the values 200; no series has code="5xx"'


def test_of_a_presets_labels_those_are_told_that_are_there() -> None:
    preset = source_of(CanaryMetric(preset="http"), ROLLOUT)
    assert unmatched(preset, [series(status="OK")]) == 'status has the values OK; no series has status=~"5(..|xx)"'


def test_where_no_label_tells_them_nothing_is_said() -> None:
    assert unmatched(own("errors_total"), [series(code="200")]) == ""
    assert unmatched(source_of(CanaryMetric(preset="restarts"), ROLLOUT), [series(code="200")]) == ""
    assert unmatched(WRONG, [series(status="200")]) == ""


def test_many_and_long_values_are_not_all_told() -> None:
    told = unmatched(WRONG, [series(code=f"{number:02}" + "x" * 500) for number in range(30)])
    assert told.count("xxx,") == 11
    assert " and 18 more; " in told
    assert len(told) < 700


def test_bad_events_of_an_earlier_version_show_that_the_value_is_right() -> None:
    store = MetricsStore(clock=T0)
    scrape(store, "200")
    scrape(store, "200", days=3, pod="web-older-ccccc")
    right = own('http_requests_total{code=~"5.."}')
    assert asked(store, right) == 'code has the values 200; no series has code=~"5.."'
    scrape(store, "503", days=3, pod="web-older-ccccc")
    assert asked(store, right) == ""
    assert asked(store) == 'code has the values 200, 503; no series has code="5xx"'


@pytest.mark.parametrize(
    "other",
    [{"pod": "web-api-7c9d8f6b4c-bbbbb"}, {"pod": "web2-old-bbbbb"}, {"namespace": "other"}, {"days": DAYS + 1}],
    ids=str,
)
def test_what_is_not_of_this_rollout_of_late_shows_nothing(other: dict[str, Any]) -> None:
    store = MetricsStore(clock=T0)
    scrape(store, "200")
    scrape(store, "5xx", **other)
    assert asked(store) == 'code has the values 200; no series has code="5xx"'


@pytest.mark.parametrize("pod", ["w" * 52 + "-7c9d8" + "bbbbb", "w" * 58 + "bbbbb"])
def test_pods_of_a_long_name_are_found(pod: str) -> None:
    store = MetricsStore(clock=T0)
    scrape(store, "5xx", pod=pod)
    rollout = Rollout(namespace="shop", name="w" * pod.count("w"))
    assert never_matched(store, WRONG, rollout, window=20, at=T0) == ""


class Forgetful(MetricsStore):
    """Refuses what is older than it keeps."""

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        if at < self.clock - 1.5 * DAY:
            raise CouldNotDecide("canary.query_refused", "too old", expected="", remedy="")
        return super().samples(selector, window, at)


def test_a_past_that_is_not_kept_is_not_needed() -> None:
    store = Forgetful(clock=T0)
    scrape(store, "200")
    scrape(store, "418", days=1)
    assert asked(store) == 'code has the values 200, 418; no series has code="5xx"'
    store.down = True
    with pytest.raises(CouldNotDecide):
        asked(store)
