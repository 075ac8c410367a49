"""A real Prometheus reads our metrics, and a real Alertmanager takes our alert and tells it on."""

from __future__ import annotations

import json
import os
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import quote

import pytest

from aegis_multimodal_ai_system.alerts import Alert
from aegis_multimodal_ai_system.alerts.alertmanager import Alertmanager
from aegis_multimodal_ai_system.metrics import CONTENT_TYPE, Metrics
from tests.e2e.verify.versitygw import free_port, running
from tests.support.debian import program, started

T = TypeVar("T")
FAILURES = "aegis_model_verification_failures_total"
NEW = f"({FAILURES} unless {FAILURES} offset 5m) > 0 or increase({FAILURES}[5m]) > 0"
"""What an alert rule asks for: a counter that is seen for the first time has no increase yet."""


@dataclass
class Site:
    """Gives out text, and keeps what it is sent."""

    text: Callable[[], bytes] = bytes
    sent: list[Any] = field(default_factory=list)
    address: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = site.text()
            self.send_response(200)
            self.send_header("Content-Type", CONTENT_TYPE)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            site.sent.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.address = f"127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def awaited(ask: Callable[[], T], what: str) -> T:
    """The first answer that is something, within a minute."""
    end = time.monotonic() + 60
    while True:
        try:
            if found := ask():
                return found
        except OSError:
            pass
        assert time.monotonic() < end, what
        time.sleep(0.05)


def got(address: str) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(address, timeout=10) as answer:
        return json.load(answer)


class TestPrometheus:
    @pytest.fixture
    def metrics(self) -> Metrics:
        states = {"fraud": "unverified", "speech": "verified"}
        return Metrics(["fraud", "speech"], states=lambda: states)

    @pytest.fixture
    def prometheus(self, metrics: Metrics, tmp_path: Path) -> Iterator[str]:
        port = free_port()
        with serve(Site(metrics.render)) as site:
            (tmp_path / "prometheus.json").write_text(
                json.dumps(
                    {
                        "global": {"scrape_interval": "200ms", "scrape_timeout": "200ms"},
                        "scrape_configs": [{"job_name": "aegis", "static_configs": [{"targets": [site.address]}]}],
                    }
                )
            )
            arguments = [
                str(program("prometheus", "prometheus")),
                f"--config.file={tmp_path / 'prometheus.json'}",
                f"--storage.tsdb.path={tmp_path / 'tsdb'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ]
            with running("prometheus", tmp_path, arguments, port, {"PATH": os.environ["PATH"]}) as address:
                yield address

    def query(self, prometheus: str, text: str) -> dict[tuple[tuple[str, str], ...], float]:
        """Series by their labels, without those of the scrape."""
        found = got(f"{prometheus}/api/v1/query?query={quote(text)}")
        assert found["status"] == "success", found
        kept = {"model", "version", "reason", "state"}
        return {
            tuple(sorted(each["metric"].items() & {(name, each["metric"].get(name)) for name in kept})): float(
                each["value"][1]
            )
            for each in found["data"]["result"]
        }

    def test_it_answers_for_refusals_loads_and_states(self, metrics: Metrics, prometheus: str) -> None:
        for _ in range(3):
            metrics.refused("fraud", "verify.wrong_signature", version="1.2.0")
        metrics.refused("nobody knows", "verify.store_failed")
        metrics.loaded("speech", 0.2, version="2.0")
        refused = awaited(lambda: self.query(prometheus, FAILURES), "no refusal was scraped")
        assert refused == {
            (("model", "fraud"), ("reason", "verify.wrong_signature"), ("version", "1.2.0")): 3,
            (("model", "other"), ("reason", "verify.store_failed"), ("version", "none")): 1,
        }
        assert self.query(prometheus, f'sum by (model) ({FAILURES}{{model="fraud"}})') == {(("model", "fraud"),): 3}
        loaded = self.query(prometheus, "aegis_model_loads_total")
        assert loaded == {(("model", "speech"), ("version", "2.0")): 1}
        states = self.query(prometheus, "aegis_model_state == 1")
        assert set(states) == {
            (("model", "fraud"), ("state", "unverified")),
            (("model", "speech"), ("state", "verified")),
        }
        assert self.query(prometheus, "histogram_quantile(0.5, aegis_model_load_seconds_bucket)")

    def test_the_first_refusal_of_all_is_seen(self, metrics: Metrics, prometheus: str) -> None:
        awaited(lambda: self.query(prometheus, "aegis_build_info"), "nothing was scraped")
        assert self.query(prometheus, NEW) == {}
        metrics.refused("fraud", "verify.wrong_signature")
        assert awaited(lambda: self.query(prometheus, NEW), "the rule does not see it")

    def test_its_own_linter_has_nothing_to_say(self, metrics: Metrics) -> None:
        metrics.refused("fraud", "verify.wrong_signature")
        metrics.loaded("speech", 0.2)
        metrics.answered("GET", "/healthz", 200, 0.01)
        # the client library's own `_created` series are no counters to the linter
        text = b"".join(line for line in metrics.render().splitlines(keepends=True) if b"_created" not in line)
        arguments = [str(program("prometheus", "promtool")), "check", "metrics"]
        done = subprocess.run(arguments, input=text, capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stderr.decode()) == (0, "")


class TestAlertmanager:
    @pytest.fixture
    def receiver(self) -> Iterator[Site]:
        with serve(Site()) as site:
            yield site

    @pytest.fixture
    def alertmanager(self, receiver: Site, tmp_path: Path) -> Iterator[str]:
        port = free_port()
        route = {"receiver": "people", "group_wait": "100ms", "group_interval": "1s", "group_by": ["..."]}
        people = {"name": "people", "webhook_configs": [{"url": f"http://{receiver.address}/", "send_resolved": True}]}
        (tmp_path / "alertmanager.json").write_text(json.dumps({"route": route, "receivers": [people]}))
        arguments = [
            *started("prometheus-alertmanager", "prometheus-alertmanager"),
            f"--config.file={tmp_path / 'alertmanager.json'}",
            f"--storage.path={tmp_path / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ]
        with running("alertmanager", tmp_path, arguments, port, {"PATH": os.environ["PATH"]}) as address:
            yield address

    def alert(self, **changes: Any) -> Alert:
        return replace(
            Alert(
                model="fraud",
                version="1.2.0",
                reason="verify.wrong_signature",
                message='the "signature" <is> not valid 🦊',
                digest="ab" * 32,
                correlation_id="018f-1",
                time=datetime.now(UTC),
            ),
            **changes,
        )

    def test_it_takes_the_alert_and_tells_it_on(self, alertmanager: str, receiver: Site) -> None:
        assert awaited(lambda: not Alertmanager(alertmanager, "shop").send(self.alert(), 0), "it takes no alert")
        (told,) = awaited(lambda: list(receiver.sent), "nobody was told")[:1]
        (alert,) = told["alerts"]
        assert told["status"] == "firing"
        assert alert["labels"]["alertname"] == "AegisModelRefused"
        assert (alert["labels"]["model"], alert["labels"]["version"]) == ("fraud", "1.2.0")
        assert alert["annotations"]["description"] == 'the "signature" <is> not valid 🦊'

    def test_the_same_again_is_the_same_alert(self, alertmanager: str) -> None:
        sink = Alertmanager(alertmanager, "shop")
        assert awaited(lambda: not sink.send(self.alert(), 0), "it takes no alert")
        assert sink.send(self.alert(correlation_id="018f-2", time=datetime.now(UTC) + timedelta(seconds=2)), 7) == ""
        held = got(f"{alertmanager}/api/v2/alerts")
        assert len(held) == 1
        assert held[0]["annotations"]["repeated"] == "7"
        assert sink.send(self.alert(version=None), 0) == ""
        assert len(got(f"{alertmanager}/api/v2/alerts")) == 2

    def test_one_that_has_ended_is_resolved(self, alertmanager: str, receiver: Site) -> None:
        past = datetime.now(UTC) - timedelta(hours=1)
        assert awaited(lambda: not Alertmanager(alertmanager).send(self.alert(time=past), 0), "it takes no alert")
        assert got(f"{alertmanager}/api/v2/alerts") == []
