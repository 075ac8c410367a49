"""A real Prometheus scrapes the service, and a real Alertmanager takes our alert and tells it on."""

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
from tests.doubles.oidc_issuer import serve_issuers
from tests.e2e.verify.versitygw import free_port, running
from tests.support.programs.debian import program, started
from tests.support.runtime.service import Running, config_folder, environment, roles
from tests.support.runtime.service import started as served

T = TypeVar("T")
FAILURES = "aegis_model_verification_failures_total"
NEW = f"({FAILURES} unless {FAILURES} offset 5m) > 0 or increase({FAILURES}[5m]) > 0"
"""What an alert rule asks for: a counter that is seen for the first time has no increase yet."""


@dataclass
class Site:
    """Keeps what it is sent."""

    sent: list[Any] = field(default_factory=list)
    address: str = ""


@contextmanager
def serve(site: Site) -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
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
    """The first answer that is something, within some minutes."""
    end = time.monotonic() + 180
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
    with opener.open(address, timeout=60) as answer:
        return json.load(answer)


@pytest.fixture
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The API with its port for probes, as it runs in a cluster."""
    folder = tmp_path_factory.mktemp("service")
    (folder / "config").mkdir()
    config = config_folder(folder / "config")
    with serve_issuers() as issuers:
        environ = environment(folder / "data", config, AEGIS_AUTH=str(issuers.auth_file(folder)))
        with served(environ, "--probe-port", "0", tokens=roles(issuers)) as process:
            yield process
            assert process.end() == 0


class TestPrometheus:
    @pytest.fixture
    def prometheus(self, service: Running, tmp_path: Path) -> Iterator[str]:
        port = free_port()
        targets = [f"127.0.0.1:{service.ports[1]}"]
        (tmp_path / "prometheus.json").write_text(
            json.dumps(
                {
                    "global": {"scrape_interval": "1s", "scrape_timeout": "1s"},
                    "scrape_configs": [{"job_name": "aegis", "static_configs": [{"targets": targets}]}],
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

    def test_it_sees_the_services_refusals_loads_and_states_and_its_linter_has_nothing_to_say(
        self, service: Running, prometheus: str
    ) -> None:
        awaited(lambda: self.query(prometheus, "aegis_build_info"), "nothing was scraped")
        assert self.query(prometheus, NEW) == {}

        answer = service.ask("POST", "/v1/models/forged/prepare", role="operator")
        assert answer.status == 422
        series = (("model", "forged"), ("reason", answer.code), ("version", "none"))
        # a scrape between a series' birth and its first event shows 0
        assert awaited(lambda: self.query(prometheus, f"{FAILURES} > 0"), "no refusal was scraped") == {series: 1}
        # the first of all is what an alert rule must not miss
        assert awaited(lambda: self.query(prometheus, NEW), "the rule does not see it")

        for _ in range(2):
            assert service.ask("POST", "/v1/models/forged/prepare", role="operator").code == answer.code
        awaited(lambda: self.query(prometheus, f"{FAILURES} == 3"), "it did not rise")
        # after a scrape that took too long there is nothing for a moment
        total = awaited(lambda: self.query(prometheus, f"sum by (model) ({FAILURES})"), "no sum")
        assert total == {(("model", "forged"),): 3}

        assert service.ask("POST", "/v1/models/shop/prepare", role="operator").status == 200
        loaded = awaited(lambda: self.query(prometheus, "aegis_model_loads_total > 0"), "no load was scraped")
        assert loaded == {(("model", "shop"), ("version", "none")): 1}
        expected = {(("model", "forged"), ("state", "unverified")), (("model", "shop"), ("state", "verified"))}
        awaited(lambda: set(self.query(prometheus, "aegis_model_state == 1")) == expected, "the states are others")
        median = "histogram_quantile(0.5, aegis_model_load_seconds_bucket)"
        assert awaited(lambda: self.query(prometheus, median), "no load was timed")
        assert_linted(service)


def assert_linted(service: Running) -> None:
    """Prometheus' own linter has nothing to say."""
    metrics = service.ask("GET", "/metrics", role=None, port=1).body
    # the client library's own `_created` series are no counters to the linter
    text = b"".join(line for line in metrics.splitlines(keepends=True) if b"_created" not in line)
    arguments = [str(program("prometheus", "promtool")), "check", "metrics"]
    done = subprocess.run(arguments, input=text, capture_output=True, timeout=180, check=False)
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
        # that of a service is short, and no part of this: a busy machine may not answer in it
        sink = Alertmanager(alertmanager, "shop", timeout=180)
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
