"""A Pushgateway that keeps what it is sent by group, and takes nothing that Prometheus would not.

https://github.com/prometheus/pushgateway#api: PUT replaces the group that the path names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from prometheus_client.parser import text_string_to_metric_families

_PATH = re.compile(r"/metrics/job/([a-z_]+)/database/([A-Za-z0-9._-]+)")


@dataclass
class Pushgateway:
    """What it keeps, and how it answers."""

    groups: dict[str, dict[str, float]] = field(default_factory=dict)
    """By the database's name."""
    statuses: list[int] = field(default_factory=list)
    """Instead of the right answer, for the next requests."""
    requests: int = 0
    address: str = ""

    def put(self, path: str, kind: str, body: bytes) -> int:
        self.requests += 1
        if self.statuses:
            return self.statuses.pop(0)
        found = _PATH.fullmatch(path)
        if found is None or not kind.startswith("text/plain; version=0.0.4"):
            return 400
        try:
            families = list(text_string_to_metric_families(body.decode()))
        except ValueError:
            return 400
        samples = {sample.name: sample for family in families for sample in family.samples}
        if any(sample.labels != {"database": found[2]} for sample in samples.values()):
            return 400
        self.groups[found[2]] = {name: sample.value for name, sample in samples.items()}
        return 200


@contextmanager
def serve() -> Iterator[Pushgateway]:
    """On a free port of 127.0.0.1 until the block ends."""
    gateway = Pushgateway()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(gateway.put(self.path, self.headers.get("Content-Type", ""), body))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    gateway.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield gateway
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
