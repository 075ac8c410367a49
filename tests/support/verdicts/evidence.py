"""Stored verdicts as docs/evidence.md describes them, made without the code that stores and finds them."""

from __future__ import annotations

import datetime
import hashlib
import json
from dataclasses import dataclass
from typing import Any

from aegis.core.verdict import Verdict
from aegis.report import json_report, predicate
from aegis.signatures.keys.public import load_public_key
from aegis.signatures.types import KeySigner, Trust
from tests.support.signing.signing import Private, envelope_bundle, pem, private
from tests.support.verdicts import verdicts
from tests.support.verdicts.signed_verdicts import DIGEST, STATEMENT, TEST_RESULT

NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
COMMIT = verdicts.COMMIT
OTHER_COMMIT, OTHER_DIGEST = "5c" * 20, "cd" * 32


@dataclass(frozen=True)
class Made:
    """A verdict, signed."""

    verdict: Verdict
    document: bytes
    bundle: bytes

    @property
    def name(self) -> str:
        finished = datetime.datetime.fromisoformat(self.verdict.finished).astimezone(datetime.UTC)
        stamp = finished.strftime("%Y%m%dT%H%M%S%f")[:-3]
        return f"{stamp}Z-{hashlib.sha256(self.bundle).hexdigest()}.sigstore.json"

    @property
    def by_commit(self) -> str:
        return f"commit/{self.verdict.source.commit}/{self.verdict.gate}/{self.name}"

    @property
    def by_digest(self) -> str:
        return f"sha256/{DIGEST}/{self.verdict.gate}/{self.name}"

    @property
    def by_itself(self) -> str:
        return f"verdict/{hashlib.sha256(self.document).hexdigest()}.json"

    def objects(self, prefix: str = "") -> dict[str, bytes]:
        """All of it, in its places."""
        kept = {self.by_itself: self.document, self.by_digest: self.bundle, self.by_commit: self.bundle}
        return {prefix + key: content for key, content in kept.items()}


def made(
    gate: str = "verify",
    *,
    ago: datetime.timedelta = HOUR,
    now: datetime.datetime = NOW,
    key: Private | None = None,
    subjects: list[dict[str, Any]] | None = None,
    kind: str = TEST_RESULT,
    said: dict[str, Any] | None = None,
    **changes: Any,
) -> Made:
    """A verdict about COMMIT and DIGEST that passed so long ago. `said`: in its predicate, over what it says itself."""
    finished = (now - ago).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    verdict = verdicts.verdict(**{"gate": gate, "finished": finished, **changes})
    document = json_report.render(verdict)
    told = {**json.loads(predicate.render(verdict, document)), **(said or {})}
    own = {"name": "verdict.json", "digest": {"sha256": hashlib.sha256(document).hexdigest()}}
    image = {"name": "registry.example.com/shop/api", "digest": {"sha256": DIGEST}}
    named = [own, image] if subjects is None else subjects
    statement = {"_type": STATEMENT, "subject": named, "predicateType": kind, "predicate": told}
    bundle = envelope_bundle(key or private("ecdsa-p256"), json.dumps(statement).encode())
    return Made(verdict, document, json.dumps(bundle).encode())


def trust(now: datetime.datetime = NOW) -> Trust:
    """In the key that signs where no other is named."""
    key = load_public_key(pem(private("ecdsa-p256")), name="build.pub")
    return Trust(signers=(KeySigner("build.pub", key),), now=now)
