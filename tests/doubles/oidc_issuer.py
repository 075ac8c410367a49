"""OIDC issuers over TLS on loopback: discovery, keys that rotate, tokens, and the ways in which issuers break.

One server with an authority of its own serves three issuers: `github` (under the path that GitHub Enterprise Server
has), `cluster` (a Kubernetes API server) and `people`. Tokens are put together here, byte for byte, and signed with
`cryptography` alone: the code under test has no part in it. Nothing listens but on 127.0.0.1.
"""

from __future__ import annotations

import base64
import datetime
import ipaddress
import itertools
import json
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.x509.oid import NameOID

AUDIENCE = "aegis-api"
DISCOVERY = "/.well-known/openid-configuration"
_SERIAL = itertools.count(1)

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
Broken = Literal[
    "down",  # 503
    "html",  # 200, and no JSON
    "redirect",  # to the same document elsewhere on this server
    "huge",  # more bytes than a set of keys may have
    "trickle",  # a header that comes byte by byte and does not end
    "endless",  # no length, and it does not end by itself within the limit
    "cut",  # fewer bytes than announced
    "empty",  # a set without keys
    "other-issuer",  # discovery of somebody else
    "other-host",  # discovery that sends to keys elsewhere
    "plain-http",  # discovery that sends to keys without TLS
    "doubled",  # JSON with a name twice
]


def b64(data: bytes) -> str:
    """base64url without padding (RFC 7515 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(header: Mapping[str, Any] | bytes, payload: Mapping[str, Any] | bytes, key: SigningKey) -> str:
    """A signed JWT over exactly these; bytes stand for themselves."""
    parts = [
        b64(part if isinstance(part, bytes) else json.dumps(part, separators=(",", ":")).encode())
        for part in (header, payload)
    ]
    signed = ".".join(parts)
    return f"{signed}.{b64(key.sign(signed.encode()))}"


@dataclass(frozen=True)
class SigningKey:
    """A key of an issuer."""

    kid: str
    private: Private = field(repr=False)
    algorithm: str

    def sign(self, data: bytes) -> bytes:
        """As the algorithm's name in RFC 7518 3.1 or RFC 8037 3.1 says."""
        if isinstance(self.private, ed25519.Ed25519PrivateKey):
            return self.private.sign(data)
        hashed = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}[self.algorithm[2:]]
        if isinstance(self.private, ec.EllipticCurvePrivateKey):
            r, s = decode_dss_signature(self.private.sign(data, ec.ECDSA(hashed)))
            size = (self.private.curve.key_size + 7) // 8
            return r.to_bytes(size, "big") + s.to_bytes(size, "big")
        if self.algorithm.startswith("PS"):
            pss = padding.PSS(padding.MGF1(hashed), hashed.digest_size)
            return self.private.sign(data, pss, hashed)
        return self.private.sign(data, padding.PKCS1v15(), hashed)

    def jwk(self, **changes: Any) -> dict[str, Any]:
        """Its public half, as issuers publish it; None takes a member out."""
        members = {**_numbers(self.private), "kid": self.kid, "use": "sig", "alg": self.algorithm}
        return _without_none({**members, **changes})


def _numbers(private: Private) -> dict[str, str]:
    public = private.public_key()
    if isinstance(public, rsa.RSAPublicKey):
        numbers = public.public_numbers()
        n, e = (number.to_bytes((number.bit_length() + 7) // 8, "big") for number in (numbers.n, numbers.e))
        return {"kty": "RSA", "n": b64(n), "e": b64(e)}
    if isinstance(public, ec.EllipticCurvePublicKey):
        point, size = public.public_numbers(), (public.curve.key_size + 7) // 8
        x, y = (number.to_bytes(size, "big") for number in (point.x, point.y))
        return {"kty": "EC", "crv": f"P-{public.curve.key_size}", "x": b64(x), "y": b64(y)}
    return {"kty": "OKP", "crv": "Ed25519", "x": b64(public.public_bytes_raw())}


_CURVES: Mapping[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES384": ec.SECP384R1(), "ES512": ec.SECP521R1()}
_RSA: dict[str, rsa.RSAPrivateKey] = {}
_RSA_LOCK = threading.Lock()


def new_key(kid: str, algorithm: str = "RS256") -> SigningKey:
    """A key by this name. RSA keys are made once a process and name: making them is what takes time."""
    if algorithm in _CURVES:
        return SigningKey(kid, ec.generate_private_key(_CURVES[algorithm]), algorithm)
    if algorithm == "EdDSA":
        return SigningKey(kid, ed25519.Ed25519PrivateKey.generate(), algorithm)
    with _RSA_LOCK:
        if kid not in _RSA:
            _RSA[kid] = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        return SigningKey(kid, _RSA[kid], algorithm)


@dataclass
class Issuer:
    """One issuer: what it signs with, what it publishes, what is wrong with it."""

    url: str
    """Its name: the `iss` of its tokens."""
    signing: SigningKey
    claims: Mapping[str, Any]
    """Of each of its tokens, but for times and `jti`."""
    header: Mapping[str, Any]
    """Of each of its tokens, beside `alg` and `kid`."""
    published: list[SigningKey] = field(default_factory=list)
    cache_control: str = "public, max-age=600"
    """Of the set of keys."""
    broken: Broken | None = None
    bearer: str | None = None
    """The keys are only for who has this token, as in a cluster."""
    hold: threading.Event | None = None
    """Answers for keys wait for this."""
    asked: list[str] = field(default_factory=list)
    """Paths, in the order of the requests."""

    def __post_init__(self) -> None:
        self.published = self.published or [self.signing]

    def token(self, *, key: SigningKey | None = None, header: Mapping[str, Any] | None = None, **changes: Any) -> str:
        """A token of now, with changes to its claims; None takes one out."""
        now = int(time.time())
        signing = key or self.signing
        times = {"iat": now - 1, "nbf": now - 1, "exp": now + 4 * 3600, "jti": f"jti-{next(_SERIAL)}"}
        claims = {"iss": self.url, "aud": AUDIENCE, **self.claims, **times, **changes}
        top = {"alg": signing.algorithm, "kid": signing.kid, **self.header, **(header or {})}
        return compact(_without_none(top), _without_none(claims), signing)

    def rotate(self, kid: str, *, keep_old: bool = True) -> SigningKey:
        """Sign with a new key from now on, and publish it."""
        self.signing = new_key(kid, self.signing.algorithm)
        self.published = [*(self.published if keep_old else []), self.signing]
        return self.signing

    def revoke(self, kid: str) -> None:
        """Publish this key no more."""
        self.published = [key for key in self.published if key.kid != kid]

    @property
    def fetches(self) -> int:
        """How often the keys were asked for."""
        return sum(path.endswith("/keys") for path in self.asked)


def _without_none(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


@dataclass
class Issuers:
    """All issuers of one server."""

    github: Issuer
    cluster: Issuer
    people: Issuer
    ca: str
    """PEM of the authority that their certificate is of."""

    @property
    def each(self) -> Sequence[Issuer]:
        return (self.github, self.cluster, self.people)

    def auth_file(self, folder: Path, **changes: Any) -> Path:
        """A file for AEGIS_AUTH: all three issuers, and a role each for some of their tokens.

        `changes` replace top-level keys. GitHub's environment `production` may operate, the service account
        `ml:serving` may read, and people read, operate or administer by their group.
        """
        (folder / "issuer-ca.pem").write_text(self.ca)
        document = {
            "apiVersion": "apiserver.config.k8s.io/v1",
            "kind": "AuthenticationConfiguration",
            "jwt": [
                {
                    "issuer": {
                        "url": issuer.url,
                        "audiences": [AUDIENCE],
                        "certificateAuthorityFile": "issuer-ca.pem",
                        "privateNetwork": True,
                    },
                    **({"claimMappings": {"groups": {"claim": "groups"}}} if issuer is self.people else {}),
                }
                for issuer in self.each
            ],
            "roles": [
                {
                    "role": "operator",
                    "issuer": self.github.url,
                    "claims": {"repository_id": ["7001"], "environment": ["production"]},
                },
                {"role": "reader", "issuer": self.cluster.url, "claims": {"sub": [self.cluster.claims["sub"]]}},
                *(
                    {"role": role, "issuer": self.people.url, "groups": [f"ml-{role}s"]}
                    for role in ("reader", "operator", "admin")
                ),
            ],
            **changes,
        }
        path = folder / "auth.json"
        path.write_text(json.dumps(document, indent=1))
        return path


GITHUB: Mapping[str, Any] = {
    "sub": "repo:octo/shop:environment:production",
    "ref": "refs/heads/main",
    "sha": "3d2f1c0b9a8e7d6c5b4a39281706f5e4d3c2b1a0",
    "repository": "octo/shop",
    "repository_id": "7001",
    "repository_owner": "octo",
    "repository_owner_id": "42",
    "repository_visibility": "private",
    "run_id": "9001",
    "run_number": "12",
    "run_attempt": "1",
    "actor": "mona",
    "actor_id": "99",
    "workflow": "deploy",
    "head_ref": "",
    "base_ref": "",
    "event_name": "push",
    "ref_type": "branch",
    "ref_protected": "true",
    "environment": "production",
    "job_workflow_ref": "octo/shop/.github/workflows/deploy.yml@refs/heads/main",
    "workflow_ref": "octo/shop/.github/workflows/deploy.yml@refs/heads/main",
    "runner_environment": "github-hosted",
}
"""As https://docs.github.com/actions/reference/security/oidc describes them."""
CLUSTER: Mapping[str, Any] = {
    "sub": "system:serviceaccount:ml:serving",
    "aud": [AUDIENCE],
    "kubernetes.io": {
        "namespace": "ml",
        "node": {"name": "node-1", "uid": "6d8a0ad2-0000-4000-8000-000000000001"},
        "pod": {"name": "serving-0", "uid": "6d8a0ad2-0000-4000-8000-000000000002"},
        "serviceaccount": {"name": "serving", "uid": "6d8a0ad2-0000-4000-8000-000000000003"},
    },
}
"""As the TokenRequest API of Kubernetes 1.32 fills them (KEP 1205, KEP 4193)."""
PEOPLE: Mapping[str, Any] = {
    "sub": "248289761001",
    "email": "ada@example.com",
    "email_verified": True,
    "name": "Ada",
    "groups": ["ml-readers"],
}
"""As OpenID Connect Core 1.0 2 and 5.1 name them."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        issuer = next((each for each in self.server.issuers.each if self.server.url + self.path in _paths(each)), None)
        if issuer is None:
            return self._send(404, b"{}")
        issuer.asked.append(self.path)
        if issuer.bearer is not None and self.headers.get("Authorization") != f"Bearer {issuer.bearer}":
            return self._send(401, b"{}")
        if self.path.endswith(DISCOVERY):
            return self._discovery(issuer)
        if issuer.hold is not None:
            assert issuer.hold.wait(60)
        return self._keys(issuer)

    def _discovery(self, issuer: Issuer) -> None:
        keys = {
            "other-host": "https://keys.example.net/keys",
            "plain-http": f"{issuer.url}/keys".replace("https:", "http:"),
        }.get(issuer.broken or "", f"{issuer.url}/keys")
        name = issuer.url + "/other" if issuer.broken == "other-issuer" else issuer.url
        if issuer.broken == "down":
            return self._send(503, b"{}")
        return self._send(200, json.dumps({"issuer": name, "jwks_uri": keys}).encode())

    def _keys(self, issuer: Issuer) -> None:
        good = json.dumps({"keys": [key.jwk() for key in issuer.published]}).encode()
        if issuer.broken == "down":
            return self._send(503, b'{"keys": []}')
        if issuer.broken == "redirect":
            return self._send(302, b"", Location=self.path.replace("/keys", "/moved/keys"))
        if issuer.broken == "trickle":
            return self._trickle()
        if issuer.broken == "endless":
            return self._endless(good)
        if issuer.broken == "cut":
            return self._send(200, good[:-20], **{"Content-Length": str(len(good))})
        body = {
            "html": b"<html>Sign in</html>",
            "huge": b'{"keys": [' + b" " * (300 << 10) + b"]}",
            "empty": b'{"keys": []}',
            "doubled": good[:-1] + b', "keys": []}',
        }.get(issuer.broken or "", good)
        return self._send(200, body, **{"Cache-Control": issuer.cache_control})

    def _trickle(self) -> None:
        self.send_response(200)
        self.flush_headers()
        for _ in range(600):
            self.wfile.write(b"x")
            time.sleep(0.05)  # the pace of the play, until the client gives up

    def _endless(self, good: bytes) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(good)
        for _ in range(1024):
            self.wfile.write(b" " * 1024)

    def _send(self, status: int, content: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing: what was asked is in `asked`."""


def _paths(issuer: Issuer) -> Sequence[str]:
    return [issuer.url + path for path in (DISCOVERY, "/keys", "/moved/keys")]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    """With the five of the base class, one more who connects at once waits for seconds (its SYN is dropped)."""
    issuers: Issuers
    url: str

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that breaks off is part of the play."""


@contextmanager
def serve_issuers(*, port: int = 0) -> Iterator[Issuers]:
    """Serve them until the block ends, on 127.0.0.1."""
    server = _Server(("127.0.0.1", port), _Handler)
    server.url = f"https://127.0.0.1:{server.server_address[1]}"
    context, authority = _tls()
    # the handshake is each connection's own thread's business, lest a silent client holds up all others
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.issuers = Issuers(
        Issuer(server.url + "/_services/token", new_key("github-1"), GITHUB, {"typ": "JWT", "x5t": b64(bytes(20))}),
        Issuer(server.url + "/cluster", new_key("cluster-1"), CLUSTER, {}),
        Issuer(server.url + "/people", new_key("people-1", "ES256"), PEOPLE, {"typ": "JWT"}),
        authority,
    )
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.issuers
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
    key_agreement=False, key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
)  # fmt: skip


def _tls() -> tuple[ssl.SSLContext, str]:
    """The server's side of TLS, and the authority in PEM."""
    now = datetime.datetime.now(datetime.UTC)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    name, host = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)]) for text in ("Test CA", "127.0.0.1"))

    def certificate(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=2))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False
            )
        )

    authority = (
        certificate(name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    names = [x509.IPAddress(ipaddress.ip_address("127.0.0.1")), x509.DNSName("localhost")]
    leaf = (
        certificate(host, key.public_key())
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with _written(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + leaf.public_bytes(serialization.Encoding.PEM)
    ) as path:
        context.load_cert_chain(path)
    return context, authority.public_bytes(serialization.Encoding.PEM).decode()


@contextmanager
def _written(content: bytes) -> Iterator[str]:
    """`ssl` reads certificates from files alone."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        yield file.name
