"""A judge that is asked over HTTP, as a process of its own; and questions to it, byte by byte where that is tested."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.cli.command import AEGIS, environment

UID = "0f0e0d0c-0b0a-4908-8706-050403020100"
SECONDS = 300
"""Far more than anything here takes."""
TRIES = 20
"""Of what a judge gives up after 5 s: to wait for a head, for TLS, and for a look."""


@dataclass(frozen=True)
class Said:
    """An answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Of an answer in JSON."""
        assert self.headers["content-type"] in {"application/json", "application/problem+json"}
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class Service:
    """A judge that runs."""

    url: str
    process: subprocess.Popen[str]
    authority: Path | None = None
    """Of its certificate."""

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rpartition(":")[2])

    def raw(self, request: bytes) -> bytes:
        """What comes back for these bytes until the connection ends.

        Where that is nothing, the head came too late, or what TLS has to say: on a busy machine, once more.
        """
        for _ in range(TRIES):
            with suppress(ConnectionError, ssl.SSLError):
                if answer := self._sent(request):
                    return answer
        return b""

    def _sent(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS) as plain:
            if self.authority is None:
                return _exchange(plain, request)
            context = ssl.create_default_context(cafile=self.authority)
            with context.wrap_socket(plain, server_hostname="127.0.0.1") as secured:
                return _exchange(secured, request)

    def get(self, target: str, *headers: str) -> Said:
        """A GET."""
        lines = [f"GET {target} HTTP/1.1", "Host: judge", *headers, "", ""]
        return parsed(self.raw("\r\n".join(lines).encode("latin-1")))

    def ask(self, revision: int = 2, *headers: str, **changes: str) -> Said:
        """About shop/web, as Argo Rollouts would; once more while the look goes on."""
        for _ in range(TRIES):
            said = self.get(question(revision, **changes), *headers)
            if said.status != 200 or said.document["reason"] != "canary.look_slow":
                break
        return said

    def end(self) -> tuple[int, str, str]:
        """Ask it to end: its exit code, and what it wrote."""
        self.process.terminate()
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


def question(revision: int | None = 2, *, rollout: str = "shop/web", **changes: str) -> str:
    """The target of a question; a parameter that is empty is left out."""
    given = {
        "uid": UID,
        "revision": "" if revision is None else str(revision),
        "step": "1",
        "canary": "new",
        "stable": "old",
    } | changes
    return f"/v1/rollouts/{rollout}?" + "&".join(f"{name}={value}" for name, value in given.items() if value)


def parsed(answer: bytes) -> Said:
    """An answer's parts. Its length is the one that it says."""
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    assert first.startswith("HTTP/1.1 "), answer[:200]
    assert int(headers["content-length"]) == len(body)
    assert headers["connection"] == "close"
    return Said(int(first.split(" ")[1]), headers, body)


@contextmanager
def judge(folder: Path, policy: Path, *more: str, authority: Path | None = None, **environ: str) -> Iterator[Service]:
    """A judge with its states in `folder`, while the block runs."""
    arguments = ["canary", "serve", "--policy", str(policy), "--state", str(folder), "--port", "0", *more]
    process = subprocess.Popen(
        [*AEGIS, *arguments],
        cwd=policy.parent,
        env=environment(policy.parent, **environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        said = process.stdout.readline()
        if not said.startswith("listening on "):
            process.kill()
            raise AssertionError(said + process.communicate()[1])
        yield Service(said.removeprefix("listening on ").strip(), process, authority)
    finally:
        process.kill()
        process.communicate()


def _exchange(connection: socket.socket, request: bytes) -> bytes:
    connection.sendall(request)
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)
