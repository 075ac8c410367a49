"""The service's whole life as a process: embedded parts and PostgreSQL, good and refused models, its end."""

from __future__ import annotations

import base64
import http.server
import json
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.audit import verify
from aegis.audit.keys import Verifier, load_or_create_key, verifier_of
from aegis.audit.proof import verify_proof
from aegis.core.merkle import is_consistent
from aegis_multimodal_ai_system.api.__main__ import main
from tests.doubles.oidc_issuer import Issuers
from tests.support.databases.postgres import Server, running
from tests.support.runtime.deployments import MODEL
from tests.support.runtime.own_logging import logging_as_before
from tests.support.runtime.service import PATIENCE, Running, config_folder, environment, roles, started
from tests.support.signing.verifying import signed_file

ORIGIN = "aegis.local/audit"
WEIGHTS = "/shop.safetensors"


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    with running() as server:
        yield server


class Webhook(http.server.BaseHTTPRequestHandler):
    """Takes alerts."""

    server: Any

    def do_POST(self) -> None:
        self.server.alerts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture(scope="module")
def webhook() -> Iterator[Any]:
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    server.alerts = []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(params=["embedded", "postgresql"], scope="module")
def deployed(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    auth_file: Path,
    issuers: Issuers,
    webhook: Any,
) -> Iterator[tuple[Running, Verifier]]:
    """A service that several tests share, each with a model of its own, and its log's key."""
    folder = tmp_path_factory.mktemp(request.param)
    address = f"http://127.0.0.1:{webhook.server_address[1]}/alerts"
    more = {"AEGIS_AUTH": str(auth_file), "AEGIS_ALERT_WEBHOOK": address}
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgres")
        more["DATABASE_URL"] = server.url(server.new_database())
    environ = environment(folder / "data", config_folder(folder), **more)
    with started(environ, "--probe-port", "0", tokens=roles(issuers)) as service:
        yield service, verifier(folder)
        assert service.end() == 0, service.lines
        service.wait_for("ended")  # the last line: all of them are here
        assert service.told("no JSON") == []
        for token in service.tokens.values():
            for part in token.split("."):
                assert part not in json.dumps(service.lines)


@pytest.fixture
def service(deployed: tuple[Running, Verifier]) -> Running:
    return deployed[0]


def verifier(tmp_path: Path) -> Verifier:
    return verifier_of(load_or_create_key(tmp_path / "data" / "audit.key"), ORIGIN)


def entries(service: Running) -> list[dict[str, Any]]:
    return [found["entry"] for found in service.ask("GET", "/v1/audit/entries?limit=256").json()["entries"]]


def test_a_model_from_the_first_call_to_the_proof_of_its_entry(deployed: tuple[Running, Verifier]) -> None:
    service, key = deployed
    assert set(service.ready().values()) == {"ok"}
    models = service.ask("GET", "/v1/models", role="reader").json()["models"]
    assert (models[0]["name"], models[0]["state"], models[0]["changed"]) == ("shop", "unverified", None)
    prepared = service.ask(
        "POST", "/v1/models/shop/prepare", role="operator", headers={"X-Request-Id": "deploy-0001"}
    ).json()
    assert prepared["state"] == "verified"
    assert {file["name"] for file in prepared["files"]} == {
        "config.json",
        "weights/a.safetensors",
        "weights/b.safetensors",
    }
    shown = service.ask("GET", "/v1/models/shop", role="reader").json()
    assert (shown["state"], shown["digest"]) == ("verified", prepared["digest"])

    recorded = [entry for entry in entries(service) if entry["correlation_id"] == "deploy-0001"]
    assert [entry["action"] for entry in recorded] == ["model.load.requested", "model.load.verified"]
    assert {entry["actor"]["subject"] for entry in recorded} == {"a-operator"}

    listed = service.ask("GET", "/v1/audit/entries?limit=256")
    index = [found["entry"]["id"] for found in listed.json()["entries"]].index(recorded[1]["id"])
    proven = service.ask("GET", f"/v1/audit/entries/{index}")
    raw = proven.body[proven.body.index(b'"entry":') + 8 : proven.body.index(b',"size":')]
    head = verify_proof(proven.json()["tlog_proof"].encode(), raw, key)
    assert head.size == proven.json()["size"]

    metrics = service.ask("GET", "/metrics", role=None, port=1).body.decode()
    assert 'aegis_model_loads_total{model="shop",version="none"} 1.0' in metrics
    assert 'aegis_model_state{model="shop",state="verified"} 1.0' in metrics


def test_a_forged_model_is_refused_recorded_counted_alerted_and_unverified(service: Running, webhook: Any) -> None:
    webhook.alerts.clear()
    answer = service.ask("POST", "/v1/models/forged/prepare", headers={"X-Request-Id": "deploy-0002"})
    assert answer.status == 422
    code = answer.code
    assert code.startswith("verify.")
    state = service.ask("GET", "/v1/models/forged", role="reader").json()
    assert (state["state"], state["reason"]) == ("unverified", code)
    recorded = [entry for entry in entries(service) if entry["correlation_id"] == "deploy-0002"]
    assert [(entry["action"], entry["reason"]) for entry in recorded] == [
        ("model.load.requested", None),
        ("model.load.refused", code),
    ]
    metrics = service.ask("GET", "/metrics", role="reader").body.decode()
    assert f'failures_total{{model="forged",reason="{code}",version="none"}} 1.0' in metrics
    assert [(alert["model"], alert["reason"], alert["correlation_id"]) for alert in webhook.alerts] == [
        ("forged", code, "deploy-0002")
    ]


def test_what_is_quarantined_or_revoked_is_not_prepared(service: Running) -> None:
    reason = {"reason": "it talks"}
    assert service.ask("POST", "/v1/models/talker/quarantine", role="operator", body=reason).status == 200
    answer = service.ask("POST", "/v1/models/talker/prepare")
    assert (answer.status, answer.code) == (409, "runtime.model_quarantined")
    assert service.ask("POST", "/v1/models/talker/release", role="operator", body=reason).status == 403
    assert service.ask("POST", "/v1/models/talker/release", body=reason).json()["state"] == "unverified"
    assert service.ask("POST", "/v1/models/talker/prepare").json()["state"] == "verified"
    assert service.ask("POST", "/v1/models/talker/revoke", body=reason).json()["state"] == "revoked"
    answer = service.ask("POST", "/v1/models/talker/prepare")
    assert (answer.status, answer.code) == (409, "runtime.model_revoked")
    assert "api.denied" in [entry["action"] for entry in entries(service)]


class OverHttp:
    """The log as another tool reads it."""

    def __init__(self, service: Running) -> None:
        self._service = service

    def read(self, path: str) -> bytes | None:
        answer = self._service.ask("GET", f"/v1/audit/tiles/{path}", role="reader")
        return answer.body if answer.status == 200 else None


def test_the_log_is_verified_over_http(deployed: tuple[Running, Verifier]) -> None:
    service, key = deployed
    for number in range(3):
        service.ask("POST", "/v1/models/noted/quarantine", body={"reason": f"number {number}"})
    early = service.ask("GET", "/v1/audit/checkpoint", role="reader").body
    service.ask("POST", "/v1/models/noted/release", body={"reason": "fine"})
    report = verify.verify_log(OverHttp(service), key, against=[early])
    assert report.result == "intact", report.findings
    size = service.ask("GET", "/v1/audit/entries?limit=1").json()["size"]
    old, new = 3, size
    proof = service.ask("GET", f"/v1/audit/consistency?from={old}&to={new}").json()
    assert (proof["from"], proof["to"]) == (old, new)
    nodes = [base64.b64decode(node) for node in proof["proof"]]
    roots = {}
    for at in (old, new):
        leaves = [
            base64.b64decode(found["leaf_hash"])
            for found in service.ask("GET", f"/v1/audit/entries?limit={at}").json()["entries"]
        ]
        roots[at] = root_of(leaves)
    assert is_consistent(old=old, old_root=roots[old], new=new, new_root=roots[new], hashes=nodes)


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    import hashlib

    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


# --- its start and its end --------------------------------------------------------------------------------------------


def test_the_log_is_whole_after_the_service_has_ended(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers
) -> None:
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    with started(environ, tokens=roles(issuers)) as service:
        for _ in range(5):
            assert service.ask("POST", "/v1/models/shop/revoke", role="reader", body={"reason": "no"}).status == 403
        assert service.end() == 0
    report = verify.verify_folder(tmp_path / "data" / "audit", verifier(tmp_path))
    assert report.result == "intact"
    with started(environ, tokens=roles(issuers)) as service:
        recorded = entries(service)
        assert [entry["details"]["count"] for entry in recorded if entry["action"] == "api.denied"] == [1, 4]
        starts = [entry for entry in recorded if entry["action"] == "log.started"]
        assert [(entry["actor"]["id"], entry["actor"]["kind"], entry["resource"]["name"]) for entry in starts] == [
            ("process:aegis", "process", ORIGIN),
        ] * 2
        assert recorded[0] == starts[0]
        assert starts[1]["producer"]["pid"] == service.process.pid


def test_without_issuers_everything_but_health_is_refused(tmp_path: Path, config: Path, issuers: Issuers) -> None:
    with started(environment(tmp_path / "data", config), tokens=roles(issuers)) as service:
        assert service.told("AEGIS_AUTH is not set: every call but health is refused")[0]["level"] == "warning"
        assert service.ask("GET", "/healthz", role=None).status == 200
        service.ready(auth="runtime.api_auth_unset")
        for method, target in (("GET", "/v1/models"), ("GET", "/metrics"), ("POST", "/v1/models/shop/prepare")):
            assert service.ask(method, target, role=None).status == 401
            answer = service.ask(method, target)
            assert (answer.status, answer.code) == (503, "runtime.api_auth_unset")


class SlowStore(http.server.BaseHTTPRequestHandler):
    """A store that waits to be told before it gives the weights."""

    server: Any

    def do_HEAD(self) -> None:
        self._give(head=True)

    def do_GET(self) -> None:
        self._give(head=False)

    def _give(self, *, head: bool) -> None:
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        if not head and self.path == WEIGHTS:
            self.server.downloads.append(self.path)
            self.server.asked.set()
            assert self.server.go.wait(PATIENCE)
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"1"')
        self.end_headers()
        if not head:
            self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


@pytest.fixture
def slow_store(config: Path) -> Iterator[Any]:
    """The artifact `shop` is one file, and comes from a server that waits."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), SlowStore)
    weights = MODEL["weights/a.safetensors"]
    server.files = {f"/{name}": content for name, content in signed_file(WEIGHTS[1:], weights).items()}
    server.asked, server.go, server.downloads = threading.Event(), threading.Event(), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    artifact = {
        "name": "shop",
        "kind": "file",
        "source": f"http://127.0.0.1:{server.server_address[1]}{WEIGHTS}",
        "signers": [{"key": "keys/0.pub"}],
    }
    (config / "aegis.yml").write_text(yaml.safe_dump({"version": 1, "verify": {"artifacts": [artifact]}}))
    try:
        yield server
    finally:
        server.go.set()
        server.shutdown()
        thread.join()
        server.server_close()


def preparing(service: Running, results: list[int]) -> threading.Thread:
    thread = threading.Thread(
        target=lambda: results.append(service.ask("POST", "/v1/models/shop/prepare", role="operator").status)
    )
    thread.start()
    return thread


def test_many_callers_of_one_model_make_one_download(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers, slow_store: Any
) -> None:
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    with started(environ, tokens=roles(issuers)) as service:
        results: list[int] = []
        threads = [preparing(service, results) for _ in range(6)]
        assert slow_store.asked.wait(PATIENCE)
        slow_store.go.set()
        for thread in threads:
            thread.join(PATIENCE)
        assert results == [200] * 6
        assert slow_store.downloads == [WEIGHTS]
        assert [entry["action"] for entry in entries(service)].count("model.load.verified") == 6


def test_a_signal_ends_readiness_first_and_requests_under_way_are_answered(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers, slow_store: Any
) -> None:
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    with started(environ, "--drain-seconds", "300", "--end-seconds", "300", tokens=roles(issuers)) as service:
        results: list[int] = []
        thread = preparing(service, results)
        assert slow_store.asked.wait(PATIENCE)
        service.process.terminate()
        service.wait_for("stopping")
        # while it drains: not ready, and what still comes is answered
        service.ready(stopping="runtime.api_stopping")
        assert service.ask("GET", "/v1/models").status == 200
        service.process.terminate()
        service.wait_for("Shutting down")
        is_closed(service.ports[0])
        assert service.process.poll() is None
        slow_store.go.set()
        thread.join(PATIENCE)
        assert results == [200]
        assert service.process.wait(PATIENCE) == 0
        assert service.wait_for("ended")
    report = verify.verify_folder(tmp_path / "data" / "audit", verifier(tmp_path))
    assert report.result == "intact"


def is_closed(port: int) -> None:
    """Nobody listens there any more, or will not in a moment."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        try:
            socket.create_connection(("127.0.0.1", port), PATIENCE).close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:  # it was accepted, and then nobody was there
            continue
    raise AssertionError(port)


def test_a_load_that_never_ends_does_not_hold_the_end(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers, slow_store: Any
) -> None:
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    with started(environ, "--end-seconds", "1", tokens=roles(issuers)) as service:
        connection = service.connect()
        connection.request(
            "POST", "/v1/models/shop/prepare", headers={"Authorization": f"Bearer {service.tokens['operator']}"}
        )
        assert slow_store.asked.wait(PATIENCE)
        assert service.end() == 0
        connection.close()
    report = verify.verify_folder(tmp_path / "data" / "audit", verifier(tmp_path))
    assert report.result == "intact"


@pytest.mark.parametrize(
    ("change", "arguments", "exit_code", "code"),
    [
        ({"AEGIS_AUDIT": "paper"}, (), 2, "runtime.setting_invalid"),
        ({"AEGIS_POLICY": "/nowhere/aegis.yml"}, (), 2, "runtime.policy_unreadable"),
        ({"AEGIS_AUTH": "/nowhere/auth.json"}, (), 2, "token.config_invalid"),
        ({"DATABASE_URL": "mysql://user:pass-word-1@host/db"}, (), 2, "runtime.database_url_invalid"),
        ({"DATABASE_URL": "postgresql://user:pass-word-1@127.0.0.1:1/db"}, (), 3, "runtime.states_unavailable"),
        ({}, ("--host", "192.0.2.1"), 2, "runtime.api_address_refused"),
        ({}, ("--tls-cert", "/nowhere.pem", "--tls-key", "/nowhere.key"), 2, "runtime.api_certificate_invalid"),
        ({}, ("--tls-cert", "/nowhere.pem"), 2, "runtime.setting_invalid"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_a_service_that_cannot_work_says_why_and_does_not_start(
    tmp_path: Path,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    own_logging: None,
    change: dict[str, str],
    arguments: tuple[str, ...],
    exit_code: int,
    code: str,
) -> None:
    for name, value in environment(tmp_path / "data", config, **change).items():
        monkeypatch.setenv(name, value)
    assert main(["--port", "0", *arguments]) == exit_code
    text = capsys.readouterr().err
    line = json.loads(text.splitlines()[-1])
    assert (line["message"], line["level"], line["code"]) == ("the service ends", "error", code)
    assert "pass-word-1" not in text
    assert "Traceback" not in text
    # what has not started is in no log as started
    assert not any(b"log.started" in file.read_bytes() for file in (tmp_path / "data").rglob("*") if file.is_file())


@pytest.fixture
def own_logging() -> Iterator[None]:
    with logging_as_before():
        yield
