"""Verdicts about images, as a build signs them: the statement is written here, the predicate by the report."""

from __future__ import annotations

import datetime
import json
from typing import Any

from aegis.report import json_report, predicate
from tests.support.signing import Private, envelope_bundle, private
from tests.support.verdicts import verdict

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


def place(gate: str, digest: str = DIGEST) -> str:
    """The name of a bundle below the policy's prefix."""
    return f"{digest}/{gate}.sigstore.json"
