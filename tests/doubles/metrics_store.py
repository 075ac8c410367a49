"""A store of metrics in memory: what was scraped, by selectors with label matchers, as Prometheus gives it.

Written from https://prometheus.io/docs/prometheus/latest/querying/basics/: matchers are anchored, an absent label is
the empty text, a window holds the samples from its beginning to the time of the query. Of one target all samples of a
scrape have one time, and come into the store together.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.metrics import Series

_SELECTOR = re.compile(r"(?P<name>[a-zA-Z_]\w*)\{(?P<matchers>.*)\}")
_MATCHER = re.compile(r'(?P<label>\w+)(?P<how>=~|!~|!=|=)(?P<quote>["\'`])(?P<value>.*?)(?P=quote)(?:,|$)')


@dataclass
class MetricsStore:
    """Fulfils `aegis.core.ports.metrics.Metrics`."""

    clock: float = 1_700_000_000.0
    down: bool = False
    asked: list[str] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    _held: dict[tuple[tuple[str, str], ...], list[tuple[float, float]]] = field(default_factory=dict)

    def scrape(self, target: Mapping[str, str], counters: Mapping[tuple[str, str], float], at: float) -> None:
        """Take a target's exposition: (name, labels as `a="b",c="d"`) → value."""
        for (name, labels), value in counters.items():
            own = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            key = tuple(sorted({**own, **target, "__name__": name}.items()))
            samples = self._held.setdefault(key, [])
            if samples and samples[-1][0] >= at:
                continue  # out of order: dropped, as Prometheus does
            samples.append((at, float(value)))

    def now(self) -> float:
        """The clock of the test."""
        self._check()
        return self.clock

    def samples(self, selector: str, window: int, at: float) -> tuple[Series, ...]:
        """What the selector selects."""
        self._check()
        self.asked.append(selector)
        self.windows.append(window)
        parsed = _SELECTOR.fullmatch(selector)
        if parsed is None:
            raise CouldNotDecide("canary.query_refused", f"parse error in {selector}", expected="PromQL", remedy="")
        matchers, position = [], 0
        while position < len(parsed["matchers"]):
            one = _MATCHER.match(parsed["matchers"], position)
            if one is None:
                raise CouldNotDecide("canary.query_refused", f"parse error in {selector}", expected="PromQL", remedy="")
            matchers.append((one["label"], one["how"], one["value"].replace("\\\\", "\\")))
            position = one.end()
        found = []
        for key, samples in self._held.items():
            labels = dict(key)
            inside = tuple(sample for sample in samples if at - window <= sample[0] <= at)
            if inside and labels["__name__"] == parsed["name"] and all(_matches(labels, *each) for each in matchers):
                found.append(Series(labels, inside))
        return tuple(found)

    def _check(self) -> None:
        if self.down:
            raise CouldNotDecide("canary.prometheus_unavailable", "it is down", expected="an answer", remedy="wait")


def _matches(labels: Mapping[str, str], label: str, how: str, value: str) -> bool:
    own = labels.get(label, "")
    held = own == value if how in {"=", "!="} else re.fullmatch(value, own) is not None
    return held == (how in {"=", "=~"})
