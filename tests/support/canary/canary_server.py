"""A store of metrics behind Prometheus's HTTP API, and pods of a service that it scrapes."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.doubles.metrics_store import MetricsStore
from tests.doubles.prometheus_api import Api, Asked, serve
from tests.support.scan.gitrepo import GitRepo

T0 = 1_700_000_000.0
POLICY = """version: 1
canary:
  prometheus: {{url: "{url}", scrape-interval: 10s{prometheus}}}
  rollout: {{namespace: shop, name: web}}
  metrics:
    - {{preset: http}}
  spread: 0
  cluster: 1
  deadline: {deadline}
{more}"""


@dataclass
class Shop:
    """A service of one canary pod and four stable ones, 25 requests a second each."""

    store: MetricsStore
    url: str
    folder: Path
    errors: float = 0.005
    """Of the canary; 0.5 % of stable's requests fail."""
    canary: str = "new"
    """The hash of its pods."""
    stable: str = "old"
    down: bool = False
    unscraped: bool = False
    """The canary serves, and nobody scrapes it."""
    looked: int = 0
    chance: random.Random = field(default_factory=lambda: random.Random(7))
    codes: dict[str, dict[str, int]] = field(default_factory=dict)

    def live(self, seconds: int = 10) -> None:
        """Pods serve, and are scraped at the end of each ten seconds."""
        for _ in range(seconds // 10):
            self.store.clock += 10
            for pod in (f"web-{self.canary}-00000", *(f"web-{self.stable}-0000{number}" for number in range(1, 5))):
                codes = self.codes.setdefault(pod, {"200": 1000, "500": 5})
                bad = self.errors if pod.endswith("-00000") else 0.005
                for _ in range(250):
                    codes["500" if self.chance.random() < bad else "200"] += 1
                if self.unscraped and pod.endswith("-00000"):
                    continue
                labels = {"namespace": "shop", "pod": pod, "job": "web", "instance": f"{pod}:80"}
                told = {("http_requests_total", f'code="{code}"'): float(count) for code, count in codes.items()}
                self.store.scrape(labels, told, self.store.clock - 1)

    def answer(self, parameters: Mapping[str, str]) -> tuple[int, bytes]:
        """Of the query API: status and body."""
        if self.down:
            return 503, b"upstream connect error"
        query, store = parameters["query"], self.store
        if query == "time()":
            self.looked += 1
            return 200, _success("scalar", [store.clock, f"{store.clock:.3f}"])
        parsed = re.fullmatch(r"(?P<selector>.*)\[(?P<window>[0-9]+)s\]", query, re.DOTALL)
        assert parsed is not None, query
        found = store.samples(parsed["selector"], int(parsed["window"]), float(parameters["time"]))
        return 200, _success("matrix", [_series(each.labels, each.samples) for each in found])

    def policy(self, more: str = "", *, deadline: str = "10m", url: str = "", prometheus: str = "") -> None:
        """Commit a policy."""
        repository = GitRepo.init(self.folder)
        repository.write(
            {"aegis.yml": POLICY.format(url=url or self.url, deadline=deadline, more=more, prometheus=prometheus)}
        )
        repository.git("add", ".")
        repository.git("commit", "--quiet", "--message=policy")

    def arguments(self, *more: str) -> list[str]:
        """Of `judge` and `watch`."""
        state = str(self.folder / "state.json")
        return ["--path", str(self.folder), "--state", state, "--canary", "new", "--stable", "old", *more]


@contextmanager
def shop(folder: Path) -> Iterator[Shop]:
    """The service and its Prometheus, while the block runs."""
    store = MetricsStore(clock=T0)
    made = Shop(store, "", folder)

    def answer(asked: Asked) -> tuple[int, bytes, Mapping[str, str]]:
        return *made.answer(asked.parameters), {}

    with serve(Api(answer)) as api:
        made.url = api.url
        yield made


def _success(kind: str, result: object) -> bytes:
    return json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode()


def _series(labels: Mapping[str, str], samples: tuple[tuple[float, float], ...]) -> object:
    return {
        "metric": dict(labels),
        "values": [[time, f"{value:g}" if value < 1e5 else repr(value)] for time, value in samples],
    }
