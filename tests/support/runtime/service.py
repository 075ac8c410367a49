"""The API as its users start it: a process of its own, over real sockets, with a signed model in a folder."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.doubles.oidc_issuer import Issuers
from tests.support.runtime.asgi import Answer
from tests.support.runtime.deployments import MODEL
from tests.support.signing.verifying import FILES, KEYS, model_signature

PATIENCE = 60
"""Seconds that a busy machine may need for anything."""
AGAIN = ((503, True), (408, False))
"""Without keys, and too slow: status, and whether it is for want of keys."""


MODELS = ("shop", "talker", "noted", "forged")


def config_folder(folder: Path) -> Path:
    """A policy with its keys, signed models, and one, `forged`, whose weights were changed afterwards."""
    for name, content in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    artifacts = []
    for name in MODELS:
        # each its own bytes: a forged model whose true ones are kept already would rightly be loaded
        model = {**MODEL, "config.json": json.dumps({"name": name}).encode()}
        files = {**model, "model.sig": model_signature(model, KEYS[0])}
        for path, content in files.items():
            (folder / "models" / name / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / "models" / name / path).write_bytes(content)
        artifacts.append(
            {"name": name, "kind": "model", "source": f"models/{name}/", "signers": [{"key": "keys/0.pub"}]}
        )
    (folder / "models" / "forged" / "config.json").write_text('{"name": "FORGED"}')
    (folder / "aegis.yml").write_text(yaml.safe_dump({"version": 1, "verify": {"artifacts": artifacts}}))
    return folder


@dataclass
class Running:
    """A process of the service."""

    process: subprocess.Popen[str]
    ports: list[int]
    lines: list[dict[str, Any]]
    """Of its log, so far."""
    changed: threading.Condition
    context: ssl.SSLContext | None = None
    ended: bool = False
    """Nothing more comes."""
    tokens: Mapping[str, str] = field(default_factory=dict)

    def connect(self, port: int = 0) -> http.client.HTTPConnection:
        number = self.ports[port]
        if self.context is not None:
            return http.client.HTTPSConnection("localhost", number, timeout=PATIENCE, context=self.context)
        return http.client.HTTPConnection("127.0.0.1", number, timeout=PATIENCE)

    def connected(self, port: int = 0) -> http.client.HTTPConnection:
        """The same, made: the service gives TLS some seconds, which a busy machine may need for less."""
        end = time.monotonic() + PATIENCE
        while True:
            connection = self.connect(port)
            try:
                connection.connect()
                return connection
            except (ssl.SSLError, ConnectionResetError):
                connection.close()
                if time.monotonic() > end:
                    raise

    def ask(
        self,
        method: str,
        target: str,
        *,
        role: str | None = "admin",
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        port: int = 0,
    ) -> Answer:
        """One request on a connection of its own. `body` is sent as JSON.

        An issuer in a thread of a busy test process may not answer the service in time, nor may the request be sent
        in time: like any client it then comes again.
        """
        end = time.monotonic() + PATIENCE
        while True:
            answer = self._ask_once(method, target, role=role, body=body, headers=headers, port=port)
            if time.monotonic() > end or (answer.status, b"token.keys_unavailable" in answer.body) not in AGAIN:
                return answer
            # for the report of a test that fails
            print("no keys:", [line for line in self.lines if str(line.get("message")).startswith("keys of")])
            time.sleep(int(answer.headers.get("retry-after", "0")))

    def ready(self, *, port: int = 0, **checks: str) -> dict[str, str]:
        """What it says of its parts, once it is ready, or once those of `checks` are so.

        Each has a second to answer, which a busy machine may not give it: whoever asks comes again.
        """
        end = time.monotonic() + PATIENCE
        while True:
            answer = self.ask("GET", "/readyz", role=None, port=port)
            found: dict[str, str] = answer.json().get("checks", {})
            if answer.status == (503 if checks else 200) and checks.items() <= found.items():
                return found
            assert time.monotonic() < end, answer
            time.sleep(0.1)

    def _ask_once(
        self, method: str, target: str, *, role: str | None, body: Any, headers: Mapping[str, str] | None, port: int
    ) -> Answer:
        sent = dict(headers or {})
        if role is not None:
            sent["Authorization"] = f"Bearer {self.tokens[role]}"
        if body is not None:
            sent["Content-Type"] = "application/json"
        connection = self.connected(port)
        try:
            connection.request(method, target, None if body is None else json.dumps(body), sent)
            return answer_of(connection.getresponse())
        finally:
            connection.close()

    def raw(self, data: bytes) -> bytes:
        """Whatever it answers to these bytes, until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.ports[0]), PATIENCE) as connection:
            connection.sendall(data)
            found = b""
            while piece := connection.recv(65536):
                found += piece
            return found

    def wait_for(self, message: str, count: int = 1) -> dict[str, Any]:
        """The line of the log with this message, once there are `count` of them."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or len(self.told(message)) >= count, PATIENCE)
            assert len(self.told(message)) >= count, self.lines
            return self.told(message)[-1]

    def told(self, message: str) -> list[dict[str, Any]]:
        return [line for line in self.lines if line.get("message") == message]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Its exit code."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


def answer_of(response: http.client.HTTPResponse) -> Answer:
    return Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())


@contextmanager
def started(
    environ: Mapping[str, str],
    *arguments: str,
    tokens: Mapping[str, str] | None = None,
    ready: bool = True,
    descriptors: int | None = None,
    context: ssl.SSLContext | None = None,
    program: Sequence[str] = (sys.executable, "-m", "aegis_multimodal_ai_system.api"),
) -> Iterator[Running]:
    """The service until the block ends.

    `ready`: wait until it listens and has the keys of who made the `tokens`, so that no refusal for want of them is
    among what a test counts; `descriptors`: its limit of open files; `context`: for a service that speaks TLS.
    """
    command = [*program, "--port", "0", *arguments]
    if descriptors is not None:
        command = ["prlimit", f"--nofile={descriptors}", *command]
    process = subprocess.Popen(
        command,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(p for p in sys.path if p), **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    running = Running(process, [], [], threading.Condition(), context, tokens=tokens or {})
    reader = threading.Thread(target=_read, args=(running,))
    reader.start()
    try:
        if ready:
            line = running.wait_for("listening")
            running.ports = [int(port) for port in re.findall(r":(\d+)", line["addresses"])]
            for role in running.tokens:
                running.ask("GET", "/v1/models", role=role)
        yield running
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(PATIENCE)
        reader.join(PATIENCE)


def _read(running: Running) -> None:
    assert running.process.stderr is not None
    with running.process.stderr as lines:
        for line in lines:
            with running.changed:
                # anything but JSON is a mistake that a test sees
                running.lines.append(json.loads(line) if line.startswith("{") else {"message": "no JSON", "line": line})
                running.changed.notify_all()
    with running.changed:
        running.ended = True
        running.changed.notify_all()


def environment(folder: Path, config: Path, **more: str) -> dict[str, str]:
    """Of a deployment whose data is in `folder`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    return {"AEGIS_POLICY": str(config / "aegis.yml"), "AEGIS_DATA": str(folder), **more}


def roles(issuers: Issuers) -> dict[str, str]:
    """A token a role."""
    people = issuers.people
    return {role: people.token(groups=[f"ml-{role}s"], sub=f"a-{role}") for role in ("reader", "operator", "admin")}
