"""A Python package index of the test's own (PEP 503), on loopback, serving the wheels of a folder."""

from __future__ import annotations

import hashlib
import html
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote


@dataclass
class Index:
    """A running index."""

    url: str
    requests: list[str] = field(default_factory=list)
    """Each path that was asked for."""


def download(lock: Path, to: Path, environ: Mapping[str, str]) -> None:
    """Fetch the wheels that a lock names for this platform, by hash, with pip."""
    python = getattr(sys, "_base_executable", sys.executable)
    argv = [python, "-I", "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    argv += ["--only-binary", ":all:", "--require-hashes", "--dest", str(to), "-r", str(lock)]
    subprocess.run(argv, env=dict(environ), check=True, capture_output=True, timeout=300)


@contextmanager
def serving(folder: Path) -> Iterator[Index]:
    """Serve the wheels of the folder."""
    index = Index("")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, folder, index))
    index.url = f"http://127.0.0.1:{server.server_port}/simple"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, folder: Path, index: Index, *rest: object) -> None:
        self._folder = folder
        self._index = index
        super().__init__(*rest)  # type: ignore[arg-type] # the server's own three arguments

    def do_GET(self) -> None:
        self._index.requests.append(self.path)
        parts = [unquote(part) for part in self.path.split("/") if part]
        if parts[:1] == ["simple"] and len(parts) == 2:
            self._answer(self._listing(parts[1]), "text/html")
        elif parts[:1] == ["files"] and len(parts) == 2 and (self._folder / parts[1]).is_file():
            self._answer((self._folder / parts[1]).read_bytes(), "application/octet-stream")
        else:
            self.send_error(404)

    def _listing(self, project: str) -> bytes:
        wheels = [wheel for wheel in sorted(self._folder.glob("*.whl")) if _normal(wheel.name.split("-")[0]) == project]
        links = (
            f'<a href="/files/{html.escape(wheel.name)}#sha256={hashlib.sha256(wheel.read_bytes()).hexdigest()}">'
            f"{html.escape(wheel.name)}</a>"
            for wheel in wheels
        )
        return f"<!DOCTYPE html><html><body>{''.join(links)}</body></html>".encode()

    def _answer(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Quiet: the requests are kept in the index."""


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
