"""Bytes on the wire that are no request, or none that ends; over uvicorn, in a thread of this process."""

from __future__ import annotations

import asyncio
import json
import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from uvicorn import Config, Server

from aegis_multimodal_ai_system.api.app import make_app
from aegis_multimodal_ai_system.api.connection import MAX_HEAD, Connection
from aegis_multimodal_ai_system.api.listener import Loop, call_connections, listen
from aegis_multimodal_ai_system.api.readiness import Readiness
from tests.doubles.deployment import deployment
from tests.support.network.tls import loopback

SECONDS = 60
GOOD = b"GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


class Waiting(Connection):
    """Waits longer than the real one: a busy machine may keep the test from its next word."""

    head_seconds = 300.0


class Hasty(Connection):
    """Waits less than the real one."""

    head_seconds = 0.3


MOST = 8
"""Connections to the calls' port."""


@dataclass
class Served:
    port: int
    probe_port: int
    service: Any

    def connect(self, port: int | None = None) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port or self.port), SECONDS)

    def ask(self, data: bytes) -> bytes:
        """What comes until it closes."""
        with self.connect() as connection:
            connection.sendall(data)
            return rest_of(connection)


def rest_of(connection: socket.socket) -> bytes:
    found = b""
    try:
        while piece := connection.recv(65536):
            found += piece
    except ConnectionResetError:
        pass
    return found


def ended(connection: socket.socket) -> None:
    """Closed on both sides, so that its place is free."""
    connection.shutdown(socket.SHUT_WR)
    rest_of(connection)
    connection.close()


def problem_in(answer: bytes) -> tuple[int, str]:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, answer
    assert b"x-request-id: " in head
    problem = json.loads(body)
    assert problem["status"] == int(head.split()[1])
    return problem["status"], problem["code"]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("served")) as found:
        assert found.ask(GOOD).startswith(b"HTTP/1.1 200 ")
        yield found


@pytest.fixture(scope="module")
def hasty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("hasty"), http=Hasty) as found:
        yield found


@contextmanager
def serving_tls(folder: Path, seconds: float) -> Iterator[Served]:
    loopback(folder)
    with serving(
        folder, tls_seconds=seconds, ssl_certfile=folder / "server.pem", ssl_keyfile=folder / "server.key"
    ) as found:
        yield found


@contextmanager
def serving(folder: Path, *, tls_seconds: float = SECONDS, **changes: Any) -> Iterator[Served]:
    listeners = [listen("127.0.0.1", 0, MOST), listen("127.0.0.1", 0, 2)]
    port, probe_port = (listener.getsockname()[1] for listener in listeners)
    runtime: Any = deployment(folder)  # as much of a Runtime as the API uses
    app = make_app(runtime, None, probe_port=probe_port)
    settings = {
        "http": Waiting,
        "ws": "none",
        "log_config": None,
        "server_header": False,
        "h11_max_incomplete_event_size": MAX_HEAD,
        "timeout_keep_alive": 300,
        **changes,
    }
    server = Server(Config(app, **settings))

    class Bounded(Loop):
        pass

    Bounded.tls_seconds = tls_seconds

    def serve() -> None:
        with asyncio.Runner(loop_factory=Bounded) as runner:
            runner.run(server.serve(sockets=listeners))

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Served(port, probe_port, app.state.service)
    finally:
        server.should_exit = True
        thread.join(SECONDS)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n\r\nx\r\n\r\n",
        b"hello\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /healthz HTTP/9.9\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\n",
        b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: a\x00b\r\n\r\n",
        b"GET /healthz\xff HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET / healthz HTTP/1.1\r\nHost: a\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 0x3\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_what_is_no_request_is_a_problem(served: Served, data: bytes) -> None:
    assert problem_in(served.ask(data)) == (400, "runtime.api_request_malformed")


def test_a_request_in_two_framings_is_never_two_requests(served: Served) -> None:
    """CL.TE smuggling (RFC 9112 6.3): whatever is answered, the second request is not."""
    data = (
        b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"0\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    )
    assert served.ask(data).count(b"HTTP/1.1 ") == 1


def test_what_is_left_of_a_body_is_no_request(served: Served) -> None:
    hidden = b"GET /readyz HTTP/1.1\r\nHost: a\r\n\r\n"
    data = b"POST /v1/models/shop/revoke HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % len(hidden) + hidden
    answer = served.ask(data)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert problem_in(answer) == (401, "runtime.api_token_missing")


@pytest.mark.parametrize("end", [b"", b"\r\n\r\n"], ids=["endless", "whole"])
def test_a_head_is_bounded(served: Served, end: bytes) -> None:
    data = b"GET /healthz HTTP/1.1\r\nHost: a\r\nX: " + b"a" * (MAX_HEAD + 1024) + end
    assert problem_in(served.ask(data)) == (431, "runtime.api_headers_too_large")


@pytest.mark.parametrize(
    "sent", [b"", b"GET", b"GET /healthz HTTP/1.1\r\nHost: a\r\n"], ids=["silent", "word", "lines"]
)
def test_a_head_that_does_not_arrive_is_not_waited_for(hasty: Served, sent: bytes) -> None:
    assert problem_in(hasty.ask(sent)) == (408, "runtime.api_too_slow")


def test_a_trickle_does_not_prolong_the_wait(hasty: Served) -> None:
    with hasty.connect() as connection:
        connection.settimeout(0.02)
        found = b""
        for _ in range(10_000):
            try:
                connection.sendall(b"x")
                found = connection.recv(65536)
                break
            except TimeoutError:
                continue
        connection.settimeout(SECONDS)
        assert problem_in(found + rest_of(connection)) == (408, "runtime.api_too_slow")


def test_the_wait_begins_anew_with_each_request(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    # of each head in turn, as its wait begins: an answer may be here before the server waits for what comes after it
    waits = iter([Waiting.head_seconds] * 3)
    monkeypatch.setattr(Waiting, "head_seconds", property(lambda _: next(waits, Hasty.head_seconds)))
    with served.connect() as connection:
        for _ in range(3):
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            found = b""
            while not found.endswith(b'{"status":"alive"}'):
                piece = connection.recv(65536)
                assert piece, found
                found += piece
        connection.sendall(b"GET /hea")
        assert problem_in(rest_of(connection)) == (408, "runtime.api_too_slow")


def test_a_request_under_way_is_not_cut_by_the_heads_timer(hasty: Served) -> None:
    going, readiness = threading.Event(), hasty.service.readiness
    hasty.service.readiness = Readiness({"slow": lambda: going.wait(SECONDS)}, seconds=SECONDS)
    try:
        with hasty.connect() as connection:
            connection.sendall(b"GET /readyz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            # meanwhile another one runs into the head's timer, so that its time has passed
            assert problem_in(hasty.ask(b"GET"))[0] == 408
            going.set()
            assert rest_of(connection).startswith(b"HTTP/1.1 ")
    finally:
        going.set()
        hasty.service.readiness = readiness


def test_one_connection_too_many_is_closed_and_the_others_are_served(served: Served) -> None:
    held = []
    try:
        for _ in range(MOST):
            connection = served.connect()
            held.append(connection)
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
        assert served.ask(b"") == b""
        # nothing of it concerns the port for probes
        with served.connect(served.probe_port) as probe:
            probe.sendall(GOOD)
            assert rest_of(probe).startswith(b"HTTP/1.1 200 ")
    finally:
        for connection in held:
            ended(connection)


def test_a_place_is_free_again_after_each_connection(served: Served) -> None:
    for _ in range(3 * MOST):
        assert served.ask(GOOD).startswith(b"HTTP/1.1 200 ")


def test_the_port_for_probes_is_bounded_too(served: Served) -> None:
    held = [served.connect(served.probe_port) for _ in range(2)]
    for connection in held:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    with served.connect(served.probe_port) as one_more:
        assert rest_of(one_more) == b""
    for connection in held:
        ended(connection)


BEGIN = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
"""Of a TLS handshake."""


def ask_by_tls(served: Served) -> bytes:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with served.connect() as connection, context.wrap_socket(connection) as wrapped:
        wrapped.sendall(GOOD)
        return rest_of(wrapped)


def test_a_tls_handshake_that_does_not_arrive_is_counted(tmp_path: Path) -> None:
    with serving_tls(tmp_path, 300) as served:
        held = [served.connect() for _ in range(MOST)]
        for connection in held[::2]:
            connection.sendall(BEGIN)
        with served.connect() as one_more:
            assert rest_of(one_more) == b""
        for connection in held:
            ended(connection)
        for _ in range(MOST + 1):
            assert ask_by_tls(served).startswith(b"HTTP/1.1 200 ")


def test_a_tls_handshake_that_does_not_arrive_is_not_waited_for(tmp_path: Path) -> None:
    with serving_tls(tmp_path, 0.3) as served:
        for sent in (b"", BEGIN):
            held = [served.connect() for _ in range(MOST)]
            for connection in held:
                connection.sendall(sent)
            for connection in held:
                connection.settimeout(SECONDS - 10)  # asyncio's own bound is a minute
                assert rest_of(connection) == b""
                connection.close()
        end, answer = time.monotonic() + SECONDS, b""
        while not answer:  # a busy machine may need longer than that for its own handshake: then it is an error or none
            assert time.monotonic() < end
            with suppress(OSError):
                answer = ask_by_tls(served)
        assert answer.startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(("limit", "most"), [(1024, 512), (256, 128), (1, 1), (1 << 20, 1000), (-1, 1000)])
def test_half_of_the_descriptors_are_left_for_models(monkeypatch: pytest.MonkeyPatch, limit: int, most: int) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda what: (limit, limit) if what == resource.RLIMIT_NOFILE else None)
    assert call_connections() == most


def test_an_upgrade_is_not_taken(served: Served) -> None:
    data = GOOD.replace(b"Connection: close", b"Connection: Upgrade, close\r\nUpgrade: websocket")
    assert served.ask(data).startswith(b"HTTP/1.1 200 ")


@given(
    st.lists(st.sampled_from([b"GET ", b"/healthz", b" HTTP/1.1", b"\r\n", b"Host: a", b":", b"\x00", b"5", b"\xff"]))
)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_whatever_is_sent_is_answered_as_http(hasty: Served, pieces: list[bytes]) -> None:
    answer = hasty.ask(b"".join(pieces) + b"\r\n\r\n\r\n\r\n" + GOOD)
    assert answer.startswith(b"HTTP/1.1 ")
    status = int(answer.split()[1])
    assert status in {200, 400, 404, 405, 408, 431}
