"""GitHub's OIDC provider on loopback: the endpoint that gives a job its tokens, discovery and keys.

Tokens look as https://docs.github.com/actions/reference/security/oidc describes them; claims and faults are scripted.
"""

from __future__ import annotations

import itertools
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.doubles.github import Fault

ISSUER = "https://token.actions.githubusercontent.com"
BEARER = "eyJ" + "r3qU" * 30
PATH = "/_apis/distributedtask/hubs/Actions/plans/p/jobs/j/idtoken"
CLAIMS: dict[str, Any] = {
    "iss": ISSUER,
    "sub": "repo:octo/shop:ref:refs/heads/main",
    "ref": "refs/heads/main",
    "sha": "3d2f1c0b9a8e7d6c5b4a39281706f5e4d3c2b1a0",
    "repository": "octo/shop",
    "repository_id": "7001",
    "repository_owner": "octo",
    "repository_owner_id": "42",
    "run_id": "9001",
    "run_number": "12",
    "run_attempt": "1",
    "actor": "mona",
    "actor_id": "99",
    "workflow": "verify",
    "head_ref": "",
    "base_ref": "",
    "event_name": "push",
    "ref_type": "branch",
    "ref_protected": "true",
    "job_workflow_ref": "octo/shop/.github/workflows/verify.yml@refs/heads/main",
    "workflow_ref": "octo/shop/.github/workflows/verify.yml@refs/heads/main",
    "runner_environment": "github-hosted",
}
_SERIAL = itertools.count(1)


@cache
def signing_key(name: str) -> rsa.RSAPrivateKey:
    """One key for all tests of a process: making it is what takes time."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**changes: object) -> dict[str, Any]:
    """The claims of a run, with changes; None takes one out."""
    return {name: value for name, value in {**CLAIMS, **changes}.items() if value is not None}


def sign(payload: dict[str, Any], key: str = "k1", algorithm: str = "RS256") -> str:
    """A JWT over exactly these claims."""
    return jwt.encode(payload, signing_key(key), algorithm, headers={"kid": "k1"})


@dataclass
class Issuer:
    """The provider: its script before, what it saw afterwards."""

    claims: dict[str, Any] = field(default_factory=claims)
    lifetime: int = 300
    """Seconds."""
    faults: list[Fault] = field(default_factory=list)
    """For the token endpoint."""
    give: str | None = None
    """This text as the token, whatever was asked."""
    requests: list[str] = field(default_factory=list)
    minted: list[str] = field(default_factory=list)
    address: str = ""

    @property
    def environ(self) -> dict[str, str]:
        """What a job with `id-token: write` has in its environment."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.address}{PATH}?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": BEARER,
        }

    def token(self, audience: str = "sts.amazonaws.com", key: str = "k1", **changes: object) -> str:
        """A token as the endpoint would give it, with changes to its claims."""
        now = int(time.time())
        times = {"iat": now, "nbf": now - 600, "exp": now + self.lifetime, "jti": f"jti-{next(_SERIAL)}"}
        payload = {**self.claims, **times, "aud": audience, **changes}
        return sign({name: value for name, value in payload.items() if value is not None}, key)

    def answer(self, path: str, authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Status and document for a GET."""
        parts = urlsplit(path)
        if parts.path == "/.well-known/openid-configuration":
            return 200, {"issuer": self.claims["iss"], "jwks_uri": f"{self.address}/.well-known/jwks"}
        if parts.path == "/.well-known/jwks":
            public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(signing_key("k1").public_key()))
            return 200, {"keys": [{**public, "kid": "k1", "alg": "RS256", "use": "sig"}]}
        if parts.path != PATH:
            return 404, {"message": "Not Found"}
        # the scheme's name has no case (RFC 9110 11.1): cosign and sigstore-python write it small
        scheme, _, bearer = (authorization or "").partition(" ")
        if (scheme.lower(), bearer) != ("bearer", BEARER):
            return 401, {"message": "The token is not valid"}
        query = parse_qs(parts.query, strict_parsing=True)
        if query.get("api-version") != ["2.0"]:
            return 400, {"message": "No api version was given"}
        audience = query.get("audience", [f"https://github.com/{self.claims['repository_owner']}"])
        assert len(audience) == 1, path
        token = self.give if self.give is not None else self.token(audience[0])
        self.minted.append(token)
        return 200, {"count": len(token), "value": token}


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        issuer = self.server.issuer
        issuer.requests.append(self.path)
        if issuer.faults and self.path.startswith(PATH):
            fault = issuer.faults[0]
            issuer.faults[:1] = [] if fault.times == 1 else [
                Fault(fault.status, fault.message, fault.headers, fault.times - 1, fault.raw, fault.silence)
            ]  # fmt: skip
            self.server.ended.wait(fault.silence)
            if fault.raw is not None:
                self.wfile.write(fault.raw)
                self.close_connection = True
                return
            self._send(fault.status, {"message": fault.message}, dict(fault.headers))
            return
        status, document = issuer.answer(self.path, self.headers.get("Authorization"))
        self._send(status, document, {})

    def _send(self, status: int, document: dict[str, Any], headers: dict[str, str]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `requests`."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    issuer: Issuer
    ended: threading.Event

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that gave up waiting is part of the play."""


@contextmanager
def serve(
    issuer: Issuer, *, at: tuple[str, int] = ("127.0.0.1", 0), tls: ssl.SSLContext | None = None
) -> Iterator[Issuer]:
    """Serve it until the block ends: on a free port of 127.0.0.1, or where and how it is said."""
    # before there are threads: two that ask at once would each make a key
    signing_key("k1")
    server = _Server(at, _Handler)
    server.issuer, server.ended = issuer, threading.Event()
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    # with TLS, under the name that the tokens have
    issuer.address = f"http://127.0.0.1:{server.server_address[1]}" if tls is None else str(issuer.claims["iss"])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield issuer
    finally:
        server.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()
