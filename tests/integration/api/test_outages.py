"""The service over TLS, and while its log or its database is away."""

from __future__ import annotations

import socket
import ssl
from contextlib import ExitStack, closing
from pathlib import Path

from tests.doubles.oidc_issuer import Issuers
from tests.support.databases.postgres import running
from tests.support.network.tls import loopback
from tests.support.runtime.asgi import Answer
from tests.support.runtime.service import PATIENCE, Running, answer_of, environment, roles, started

WHY = {"reason": "a test"}


def refuses_writes(service: Running, code: str) -> None:
    """Nothing is changed, and readiness says why."""
    for verb, body in (("prepare", None), ("quarantine", WHY), ("revoke", WHY)):
        answer = service.ask("POST", f"/v1/models/shop/{verb}", body=body)
        assert (answer.status, answer.code) == (503, code), (verb, answer)
    assert service.ask("GET", "/healthz", role=None).status == 200


def test_a_log_that_cannot_be_written_stops_every_write(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers
) -> None:
    folder = tmp_path / "data" / "audit"
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    with started(environ, tokens=roles(issuers)) as service:
        assert service.ask("POST", "/v1/models/shop/quarantine", body=WHY).status == 200
        folder.rename(tmp_path / "elsewhere")
        folder.write_bytes(b"")
        refuses_writes(service, "audit.unavailable")
        assert service.ask("GET", "/v1/models/shop").json()["state"] == "quarantined"
        # a denied call stays denied, though nobody can note it
        assert service.ask("POST", "/v1/models/shop/revoke", role="reader", body=WHY).status == 403
        # the log could not be closed as it should, which is not passed over
        assert service.end() == 3
        assert service.wait_for("the service ends")["code"] == "audit.unavailable"


def test_a_database_that_is_away_stops_everything_but_health_until_it_is_back(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers
) -> None:
    with running() as server:
        url = server.url(server.new_database())
        environ = environment(
            tmp_path / "data", config, AEGIS_AUTH=str(auth_file), DATABASE_URL=url, AEGIS_AUDIT="disk"
        )
        with started(environ, tokens=roles(issuers)) as service:
            assert service.ask("POST", "/v1/models/shop/prepare").status == 200
            server.stop()
            refuses_writes(service, "runtime.states_unavailable")
            service.ready(database="runtime.states_unavailable")
            server.start()
            assert service.ask("GET", "/v1/models/shop").json()["state"] == "verified"
            assert server.password not in str(service.lines)
            assert service.end() == 0


def test_a_flood_of_connections_takes_neither_probes_nor_loads(
    tmp_path: Path, config: Path, auth_file: Path, issuers: Issuers
) -> None:
    """Nobody in it has a token, and none of it says anything, not even hello to TLS."""
    authority, _ = loopback(tmp_path)
    environ = environment(tmp_path / "data", config, AEGIS_AUTH=str(auth_file))
    context = ssl.create_default_context(cafile=str(authority))
    files = ("--tls-cert", str(tmp_path / "server.pem"), "--tls-key", str(tmp_path / "server.key"))
    with started(
        environ, "--probe-port", "0", *files, tokens=roles(issuers), descriptors=256, context=context
    ) as service:
        answer = prepared_in_a_flood(service)
        while answer.status == 408:  # a busy machine took longer for all of it than the service waits for a request
            answer = prepared_in_a_flood(service)
        assert answer.status == 200, answer
        assert "strict-transport-security" in answer.headers
        assert service.end() == 0


def prepared_in_a_flood(service: Running) -> Answer:
    """By a caller who was there before it."""
    with closing(service.connected()) as caller, ExitStack() as flood:
        for _ in range(400):
            flood.enter_context(socket.create_connection(("127.0.0.1", service.ports[0]), PATIENCE))
        assert service.ask("GET", "/healthz", role=None, port=1).status == 200
        assert set(service.ready(port=1).values()) == {"ok"}
        assert service.ask("GET", "/metrics", role=None, port=1).status == 200
        caller.request(
            "POST", "/v1/models/shop/prepare", headers={"Authorization": f"Bearer {service.tokens['admin']}"}
        )
        return answer_of(caller.getresponse())
