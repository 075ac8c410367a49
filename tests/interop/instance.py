"""A Sigstore of real services on loopback: Fulcio, Rekor v2 and a timestamp authority, with GitHub's issuer played.

Fulcio is configured for GitHub's tokens as the public instance is: by the file in its own module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.doubles import github_oidc
from tests.doubles.github_oidc import Issuer
from tests.doubles.sigstore.certificate_log import CertificateLog
from tests.doubles.sigstore.encoding import PublicKey, b64, raw, spki
from tests.doubles.sigstore.trusted_root import MEDIA_TYPE
from tests.interop import certificate_log, login, tools
from tests.interop.processes import Running, free_ports, start

HOST = "127.0.0.1"
AUDIENCE = "sigstore"
_SINCE = {"start": "2020-01-01T00:00:00Z"}
_CLAIMS = {
    "repository_visibility": "private",
    "workflow_sha": github_oidc.CLAIMS["sha"],
    "job_workflow_sha": github_oidc.CLAIMS["sha"],
}
"""What Fulcio wants in addition to what other takers of GitHub's tokens do."""


@dataclass
class Sigstore:
    """One instance, and how to sign and verify with it."""

    issuer: Issuer
    trusted_root: dict[str, Any]
    signing_config: dict[str, Any]
    services: dict[str, Running]

    @property
    def identity(self) -> str:
        """What Fulcio makes of the tokens of this issuer."""
        return f"https://github.com/{self.issuer.claims['job_workflow_ref']}"

    @property
    def trust_config(self) -> dict[str, Any]:
        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root,
            "signingConfig": self.signing_config,
        }


@contextmanager
def running(folder: Path) -> Iterator[Sigstore]:
    """Everything, ready, until the block ends."""
    with ExitStack() as stack:
        issuer = stack.enter_context(github_oidc.serve(Issuer(github_oidc.claims(**_CLAIMS))))
        issuer.claims["iss"] = issuer.address
        log = CertificateLog()
        log_address = stack.enter_context(certificate_log.serve(log))
        rekor_key = ed25519.Ed25519PrivateKey.generate()
        people = stack.enter_context(login.serve())
        addresses, answers, services = _start(folder, stack, issuer, log, log_address, rekor_key)
        chains = json.loads(answers["fulcio"])["chains"]
        origin = hashlib.sha256(f"{HOST}\n\x01".encode() + raw(rekor_key.public_key())).digest()
        root = {
            "mediaType": MEDIA_TYPE,
            "tlogs": [_log(addresses["rekor"], rekor_key.public_key(), "PKIX_ED25519", origin)],
            "certificateAuthorities": [
                _authority(addresses["fulcio"], "".join(chain["certificates"]).encode()) for chain in chains
            ],
            "ctlogs": [_log(log_address, log.key.public_key(), "PKIX_ECDSA_P256_SHA_256", log.key_id)],
            "timestampAuthorities": [_authority(addresses["timestamp-authority"], answers["timestamp-authority"])],
        }
        yield Sigstore(issuer, root, _signing_config(addresses, people), services)


def _start(
    folder: Path,
    stack: ExitStack,
    issuer: Issuer,
    log: CertificateLog,
    log_address: str,
    key: ed25519.Ed25519PrivateKey,
) -> tuple[dict[str, str], dict[str, bytes], dict[str, Running]]:
    """The three services: their addresses, what each said first, and the processes."""
    (folder / "ct.pem").write_bytes(log.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    (folder / "rekor.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "fulcio.yaml").write_text(yaml.safe_dump(_fulcio_config(issuer.address)))
    (folder / "tiles").mkdir()
    fulcio, fulcio_grpc, fulcio_metrics, rekor, rekor_grpc, rekor_metrics, stamps = map(str, free_ports(7))
    commands: dict[str, tuple[str, str, Sequence[str]]] = {
        "fulcio": (fulcio, "/api/v2/trustBundle", (
            "serve", "--host", HOST, "--port", fulcio, "--grpc-host", HOST, "--grpc-port", fulcio_grpc,
            "--metrics-port", fulcio_metrics, "--legacy-unix-domain-socket", f"@aegis-{fulcio}", "--ca", "ephemeralca",
            "--config-path", "fulcio.yaml", "--ct-log-url", log_address, "--ct-log-public-key-path", "ct.pem",
        )),
        "rekor": (rekor, "/healthz", (
            "serve", "--hostname", HOST, "--http-address", HOST, "--http-port", rekor, "--grpc-address", HOST,
            "--grpc-port", rekor_grpc, "--http-metrics-port", rekor_metrics, "--signer-filepath", "rekor.pem",
            "--storage-dir", "tiles", "--checkpoint-interval", "1s", "--batch-max-age", "100ms",
        )),
        "timestamp-authority": (stamps, "/api/v1/timestamp/certchain", (
            "serve", "--host", HOST, "--port", stamps, "--timestamp-signer", "memory", "--disable-ntp-monitoring",
        )),
    }  # fmt: skip
    addresses, answers, services = {}, {}, {}
    for name, (port, path, arguments) in commands.items():
        addresses[name] = f"http://{HOST}:{port}"
        services[name], answers[name] = start(name, [tools.service(name), *arguments], folder, addresses[name] + path)
        stack.callback(services[name].stop)
    return addresses, answers, services


def _fulcio_config(issuer: str) -> dict[str, Any]:
    """The public instance's, with the issuer of the test in the place of GitHub's."""
    public = yaml.safe_load((tools.source("fulcio") / "config/identity/config.yaml").read_text(encoding="utf-8"))
    github = public["oidc-issuers"][github_oidc.ISSUER]
    assert github["client-id"] == AUDIENCE
    return {
        "oidc-issuers": {issuer: {**github, "issuer-url": issuer}},
        "ci-issuer-metadata": {github["ci-provider"]: public["ci-issuer-metadata"][github["ci-provider"]]},
    }


def _log(address: str, key: PublicKey, details: str, key_id: bytes) -> dict[str, Any]:
    return {
        "baseUrl": address,
        "hashAlgorithm": "SHA2_256",
        "publicKey": {"rawBytes": b64(spki(key)), "keyDetails": details, "validFor": _SINCE},
        "logId": {"keyId": b64(key_id)},
    }


def _authority(address: str, chain: bytes) -> dict[str, Any]:
    certificates = [each.public_bytes(Encoding.DER) for each in x509.load_pem_x509_certificates(chain)]
    return {
        "subject": {"organization": "interop", "commonName": "interop"},
        "uri": address,
        "certChain": {"certificates": [{"rawBytes": b64(each)} for each in certificates]},
        "validFor": _SINCE,
    }


def _signing_config(addresses: dict[str, str], people: str) -> dict[str, Any]:
    def service(address: str, version: int) -> dict[str, Any]:
        return {"url": address, "majorApiVersion": version, "validFor": _SINCE, "operator": "interop"}

    return {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        "caUrls": [service(addresses["fulcio"], 1)],
        "oidcUrls": [service(people, 1)],
        "rekorTlogUrls": [service(addresses["rekor"], 2)],
        "tsaUrls": [service(f"{addresses['timestamp-authority']}/api/v1/timestamp", 1)],
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
