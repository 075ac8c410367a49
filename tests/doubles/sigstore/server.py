"""Fulcio, Rekor v1 and v2 and a timestamp authority on loopback, for clients that sign.

The interfaces: Fulcio's fulcio.proto (`/api/v2/signingCert`), Rekor's openapi.yaml (`/api/v1/log/entries`),
rekor-tiles' rekor_service.proto (`/api/v2/log/entries`), RFC 3161 3.4.
"""

from __future__ import annotations

import base64
import datetime
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from tests.doubles.sigstore.authority import Request, issue
from tests.doubles.sigstore.encoding import canonical
from tests.doubles.sigstore.entries import Signature, body
from tests.doubles.sigstore.signer import PrivateSigstore

CERTIFICATES, ENTRIES, TILES, STAMPS = "/api/v2/signingCert", "/api/v1/log/entries", "/api/v2/log/entries", "/tsa"


@dataclass
class Service:
    """What runs, and how it misbehaves."""

    sigstore: PrivateSigstore
    url: str = ""
    fails: dict[str, list[int]] = field(default_factory=dict)
    """Statuses that the next requests for a path get; the last one stays."""
    requests: list[tuple[str, str | None]] = field(default_factory=list)
    """Paths, and what came as authorization."""

    def trust_config(self, *, tiled: bool = False, stamps: bool = True) -> dict[str, Any]:
        """A client trust config that names this service."""
        since = {"start": "2020-01-01T00:00:00Z"}

        def service(path: str, version: int) -> dict[str, Any]:
            return {"url": self.url + path, "majorApiVersion": version, "validFor": since, "operator": "private.test"}

        signing = {
            "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
            "caUrls": [service("", 1)],
            "oidcUrls": [],
            "rekorTlogUrls": [service("", 2 if tiled else 1)],
            "tsaUrls": [service(STAMPS, 1)] if stamps else [],
            "rekorTlogConfig": {"selector": "ANY"},
            "tsaConfig": {"selector": "ANY"},
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.sigstore.root.document(),
            "signingConfig": signing,
        }

    def answer(self, path: str, content: bytes, authorization: str | None) -> bytes:
        now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
        if path == STAMPS:
            return self.sigstore.timestamps.answer(content, now)
        asked = json.loads(content)
        if path == CERTIFICATES:
            return json.dumps(self._certificate(asked, authorization or "", now)).encode()
        if path == TILES:
            return json.dumps(self._tiled(asked["hashedRekordRequestV002"], now)).encode()
        return json.dumps(self._entry(asked, now)).encode()

    def _certificate(self, asked: dict[str, Any], authorization: str, now: datetime.datetime) -> dict[str, Any]:
        claims = jwt.decode(authorization.removeprefix("Bearer "), options={"verify_signature": False})
        key = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"])).public_key()
        assert isinstance(key, ec.EllipticCurvePublicKey)
        own = self.sigstore
        leaf = issue(
            own.authority, key, Request(identity=claims["sub"], issuer=claims["iss"], at=now), [own.certificate_log]
        )
        chain = [each.public_bytes(Encoding.PEM).decode() for each in (leaf, own.authority.certificate)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _entry(self, asked: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
        data = canonical(asked)
        if asked["kind"] == "dsse":
            proposed = asked["spec"]["proposedContent"]
            envelope = json.loads(proposed["envelope"])
            signed = Signature(
                signature=base64.b64decode(envelope["signatures"][0]["sig"]),
                certificate=x509.load_pem_x509_certificate(base64.b64decode(proposed["verifiers"][0])),
                digest=b"",
                payload=base64.b64decode(envelope["payload"]),
                payload_type=envelope["payloadType"],
            )
            data = body("dsse", signed).data
        added = self.sigstore.log.add(data, asked["kind"], asked["apiVersion"], now)
        proof = added["inclusionProof"]
        verification = {
            "inclusionProof": {
                "logIndex": int(proof["logIndex"]),
                "rootHash": base64.b64decode(proof["rootHash"]).hex(),
                "treeSize": int(proof["treeSize"]),
                "hashes": [base64.b64decode(each).hex() for each in proof["hashes"]],
                "checkpoint": proof["checkpoint"]["envelope"],
            },
            "signedEntryTimestamp": added["inclusionPromise"]["signedEntryTimestamp"],
        }
        return {
            "24296fb24b8ad77a": {
                "body": added["canonicalizedBody"],
                "integratedTime": int(added["integratedTime"]),
                "logID": self.sigstore.log.key_id.hex(),
                "logIndex": int(added["logIndex"]),
                "verification": verification,
            }
        }

    def _tiled(self, asked: dict[str, Any], now: datetime.datetime) -> dict[str, Any]:
        certificate = base64.b64decode(asked["signature"]["verifier"]["x509Certificate"]["rawBytes"])
        signed = Signature(
            signature=base64.b64decode(asked["signature"]["content"]),
            certificate=x509.load_der_x509_certificate(certificate),
            digest=base64.b64decode(asked["digest"]),
        )
        made = body("hashedrekord-v2", signed)
        return self.sigstore.tiled_log.add(made.data, made.kind, made.version, now)

    def status(self, path: str) -> int:
        """Of the next answer."""
        planned = self.fails.get(path, [])
        return (planned.pop(0) if len(planned) > 1 else planned[0]) if planned else 200


@contextmanager
def serve(sigstore: PrivateSigstore) -> Iterator[Service]:
    """Run it on a free port of loopback."""
    service = Service(sigstore)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"] or 0))
            authorization = self.headers["Authorization"]
            service.requests.append((self.path, authorization))
            status = service.status(self.path)
            answer = service.answer(self.path, content, authorization) if status == 200 else b'{"message":"no"}'
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr: it would hold the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
