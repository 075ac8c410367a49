"""git over HTTPS, as GitHub serves it: git's own `http-backend` behind TLS, for whoever shows the token.

https://git-scm.com/docs/git-http-backend
"""

from __future__ import annotations

import base64
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tests.support.network.tls import loopback


@dataclass
class GitServer:
    """One that runs."""

    address: str
    authority: Path
    """For GIT_SSL_CAINFO."""
    redirect: str = ""
    """Where every request is sent instead."""
    seen: list[tuple[str, bool]] = field(default_factory=list)
    """The path of each request, and whether it showed the token."""


@contextmanager
def git_server(repositories: Path, folder: Path, token: str) -> Iterator[GitServer]:
    """Serve the bare repositories below a folder on a free port of this machine."""
    authority, context = loopback(folder)
    made = GitServer("", authority)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(made, repositories, token))
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    made.address = f"https://localhost:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(made: GitServer, repositories: Path, token: str) -> type[BaseHTTPRequestHandler]:
    wanted = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._serve(b"")

        def do_POST(self) -> None:
            self._serve(self.rfile.read(int(self.headers.get("Content-Length", "0"))))

        def _serve(self, body: bytes) -> None:
            shown = self.headers.get("Authorization") == wanted
            made.seen.append((self.path, shown))
            if made.redirect:
                self._answer(302, [("Location", made.redirect + self.path)], b"")
            elif not shown:
                self._answer(401, [("WWW-Authenticate", 'Basic realm="git"')], b"")
            else:
                self._answer(*self._asked(body))

        def _asked(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
            path, _, query = self.path.partition("?")
            environ = {
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(repositories),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REQUEST_METHOD": self.command,
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            }
            done = subprocess.run(["git", "http-backend"], env=environ, input=body, capture_output=True, check=True)
            head, _, content = done.stdout.partition(b"\r\n\r\n")
            lines = [line.partition(": ") for line in head.decode().split("\r\n")]
            status = next((int(value[:3]) for name, _, value in lines if name == "Status"), 200)
            return status, [(name, value) for name, _, value in lines if name != "Status"], content

        def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
            self.send_response(status)
            for name, value in [*headers, ("Content-Length", str(len(content)))]:
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
            """Say nothing: what was asked is in `seen`."""

    return Handler
