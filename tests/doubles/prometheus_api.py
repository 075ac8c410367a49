"""An HTTP server that gives answers of a test's choice where a Prometheus would, and keeps what it was asked."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    target: str
    parameters: Mapping[str, str]
    headers: Mapping[str, str]
    """By their names in lower case."""


@dataclass
class Api:
    """What it answers: a body, or a function of the request that gives status, body and headers."""

    answer: Callable[[Asked], tuple[int, bytes, Mapping[str, str]]]
    url: str = ""
    asked: list[Asked] = field(default_factory=list)


def always(body: bytes, status: int = 200, **headers: str) -> Callable[[Asked], tuple[int, bytes, Mapping[str, str]]]:
    """The same answer to everything."""
    return lambda _: (status, body, headers)


@contextmanager
def serve(api: Api) -> Iterator[Api]:
    """The server, while the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            headers = {name.lower(): value for name, value in self.headers.items()}
            asked = Asked(parts.path, self.path, dict(parse_qsl(parts.query, strict_parsing=True)), headers)
            api.asked.append(asked)
            status, body, more = api.answer(asked)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **more}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    api.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield api
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
