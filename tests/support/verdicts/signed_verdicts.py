"""Verdicts about images, as a build signs them: the statement is written here, the predicate by the report."""

from __future__ import annotations

import base64
import datetime
import hashlib
import json
from typing import Any

from aegis.core.verdict import SCHEMA_ID
from aegis.report import json_report, predicate
from tests.support.signing.signing import Private, envelope_bundle, private
from tests.support.verdicts.verdicts import verdict

DIGEST = "ab" * 32
IMAGE = f"registry.example.com/shop/api@sha256:{DIGEST}"
STATEMENT = "https://in-toto.io/Statement/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"


def predicate_of(gate: str = "verify", finished: datetime.datetime | None = None, **changes: Any) -> dict[str, Any]:
    """`predicate.json` of a gate that passed."""
    moment = finished or datetime.datetime.now(datetime.UTC)
    given = verdict(gate=gate, finished=moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"), **changes)
    found: dict[str, Any] = json.loads(predicate.render(given, json_report.render(given)))
    return found


def bundle_of(
    said: dict[str, Any],
    *,
    digest: str = DIGEST,
    key: Private | None = None,
    kind: str = TEST_RESULT,
    subject: list[dict[str, Any]] | None = None,
) -> bytes:
    """A Sigstore bundle over a statement about an image."""
    named = [{"name": "registry.example.com/shop/api", "digest": {"sha256": digest}}] if subject is None else subject
    statement = {"_type": STATEMENT, "subject": named, "predicateType": kind, "predicate": said}
    return json.dumps(envelope_bundle(key or private("ecdsa-p256"), json.dumps(statement).encode())).encode()


def place(bundle: bytes, gate: str = "verify", digest: str = DIGEST, finished: datetime.datetime | None = None) -> str:
    """The name of a bundle below the policy's prefix, as docs/evidence.md has it. `finished`: None for its own."""
    if finished is None:
        payload = json.loads(bundle)["dsseEnvelope"]["payload"]
        said = json.loads(base64.b64decode(payload))["predicate"][SCHEMA_ID]
        finished = datetime.datetime.fromisoformat(said["finished"])
    stamp = finished.astimezone(datetime.UTC).strftime("%Y%m%dT%H%M%S%f")[:-3]
    return f"sha256/{digest}/{gate}/{stamp}Z-{hashlib.sha256(bundle).hexdigest()}.sigstore.json"


def stored(*gates: str, digest: str = DIGEST, **changes: Any) -> dict[str, bytes]:
    """Verdicts of gates that passed, each in its place below the prefix."""
    bundles = {gate: bundle_of(predicate_of(gate, **changes), digest=digest) for gate in gates}
    return {place(bundle, gate, digest): bundle for gate, bundle in bundles.items()}
