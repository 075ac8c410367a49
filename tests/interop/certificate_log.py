"""A certificate transparency log on loopback, as far as an authority needs one: add-pre-chain (RFC 6962 4.2)."""

from __future__ import annotations

import base64
import datetime
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asn1crypto.x509 import Certificate, Extensions
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from tests.doubles.sigstore.certificate_log import CertificateLog
from tests.doubles.sigstore.encoding import b64

_POISON = "1.3.6.1.4.1.11129.2.4.3"


def _without_poison(precertificate: bytes) -> bytes:
    """The TBSCertificate as it is going to be, which is what a timestamp is over (RFC 6962 3.1, 3.2)."""
    inner = Certificate.load(precertificate)["tbs_certificate"]
    inner["extensions"] = Extensions([each for each in inner["extensions"] if each["extn_id"].dotted != _POISON])
    encoded: bytes = inner.dump(force=True)
    return encoded


def _answer(log: CertificateLog, chain: list[str]) -> dict[str, object]:
    precertificate, authority = (base64.b64decode(each) for each in chain[:2])
    key = x509.load_der_x509_certificate(authority).public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    stamp = log.stamp(_without_poison(precertificate), key, datetime.datetime.now(datetime.UTC))
    # version, key id, time, no extensions, signature: the same members as JSON
    return {
        "sct_version": stamp[0],
        "id": b64(stamp[1:33]),
        "timestamp": int.from_bytes(stamp[33:41]),
        "extensions": "",
        "signature": b64(stamp[43:]),
    }


@contextmanager
def serve(log: CertificateLog) -> Iterator[str]:
    """Its address, for as long as the block runs."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert self.path == "/ct/v1/add-pre-chain", self.path
            content = json.dumps(_answer(log, asked["chain"])).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Nothing on stderr: it would hold the test's output."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
