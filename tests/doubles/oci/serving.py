"""HTTP on loopback for the doubles of OCI: what they answer, and what goes wrong on the way."""

from __future__ import annotations

import json
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol


@dataclass(frozen=True)
class Request:
    """One request as it came."""

    method: str
    target: str
    """Path and query, undecoded."""
    headers: Mapping[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def line(self) -> str:
        return f"{self.method} {self.target}"


@dataclass(frozen=True)
class Answer:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Fault:
    """What happens instead of an answer, or to it."""

    answer: Answer | None = None
    """Instead of the true one."""
    alter: Callable[[Answer], Answer] | None = None
    raw: bytes | None = None
    """These bytes instead of an HTTP answer, then the connection is closed."""
    cut: int | None = None
    """So many bytes of the body, then the connection is closed."""
    silence: float = 0.0
    """Seconds without a word before the answer; none is waited for once the service ends."""
    on: str = ""
    """Only for requests whose line holds this."""
    times: int = 1


class Service(Protocol):
    """What is served."""

    faults: list[Fault]
    requests: list[Request]
    address: str

    def answer(self, request: Request) -> Answer: ...


def json_answer(status: int, document: Any, **headers: str) -> Answer:
    return Answer(status, json.dumps(document).encode(), {"Content-Type": "application/json", **headers})


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names are the base class's

    def _serve(self) -> None:
        service = self.server.service
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        request = Request(self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body)
        service.requests.append(request)
        fault = _next(service, request)
        self.server.ended.wait(fault.silence)
        if fault.raw is not None:
            self.wfile.write(fault.raw)
            self.close_connection = True
            return
        answer = fault.answer or service.answer(request)
        answer = fault.alter(answer) if fault.alter else answer
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            if value:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body[: fault.cut])
        if fault.cut is not None:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `requests`."""


def _next(service: Service, request: Request) -> Fault:
    for index, fault in enumerate(service.faults):
        if fault.on in request.line:
            service.faults[index : index + 1] = [] if fault.times == 1 else [replace(fault, times=fault.times - 1)]
            return fault
    return Fault()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    service: Service
    ended: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up waiting is part of the play; any other error is shown."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            traceback.print_exc()


@contextmanager
def serve(service: Service) -> Iterator[None]:
    """Serve it on a free port of 127.0.0.1 until the block ends."""
    server = _Server(("127.0.0.1", 0), _Handler)
    server.service, server.ended = service, threading.Event()
    service.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
