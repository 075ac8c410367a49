"""A signed verdict of an earlier run: unchanged artifacts are not read again.

The prefix that `verify.earlier` names holds `verdict.json` and its signature, `verdict.json.sigstore.json`: either over
the file itself (`aegis sign file`) or an attestation of which it is a subject (`actions/attest`). It counts only if its
signers are those of the policy, it says pass without exceptions, and it is young enough. What it says of an artifact
counts only where everything that decided it is the same now: policy, signers, keys, trust root, and the version of each
object in the store. That the store gives the same bytes for the same version id is believed here; whoever loads an
artifact looks at the bytes again.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec

from aegis.artifacts.result import Result
from aegis.core import typed
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectStore
from aegis.core.verdict import PREDICATE_TYPE, SCHEMA_ID
from aegis.signatures import strict_json
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.types import Envelope, Trust
from aegis.signatures.verify import needed_digests, verify_envelopes, verify_message
from aegis.storage.transfer import read_small

VERDICT, SIGNATURE = "verdict.json", "verdict.json.sigstore.json"
_VERDICT_LIMIT, _SIGNATURE_LIMIT = 32 << 20, 1 << 20
_CLOCKS_DIFFER = datetime.timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class Earlier:
    """A verdict that holds."""

    digest: str
    """SHA-256 (hex) of its file."""
    known: Mapping[str, Result]
    """By record."""

    def result(self, record: str) -> Result | None:
        """What it says of an artifact of which nothing has changed."""
        return self.known.get(record) if record else None


def read_earlier(
    store: ObjectStore, prefix: str, trust: Trust, max_age: datetime.timedelta
) -> tuple[Earlier | None, str | None]:
    """The verdict, or a notice why there is none that counts. Nothing here makes a gate red: all is read then."""
    try:
        files = stored_verdict(store, prefix)
        if files is None:
            return None, None
        document, signature = files
        verify_verdict(document, signature, trust)
        results = passed_results(document)
        digest = hashlib.sha256(document).hexdigest()
        young = [each for each in results if each.record and is_young(each, trust.now, max_age)]
        return Earlier(digest, {each.record: replace(each, reused=digest) for each in young}), None
    except (Refused, CouldNotDecide) as error:
        return None, f"The earlier verdict at {store.location}/{prefix} does not count ({error.code}): {error.problem}"


def stored_verdict(store: ObjectStore, prefix: str) -> tuple[bytes, bytes] | None:
    """The verdict and its signature; None where one of them is not there."""
    infos = [store.head(prefix + name) for name in (VERDICT, SIGNATURE)]
    if infos[0] is None or infos[1] is None:
        return None
    return read_small(store, infos[0], _VERDICT_LIMIT), read_small(store, infos[1], _SIGNATURE_LIMIT)


def verify_verdict(document: bytes, signature: bytes, trust: Trust) -> None:
    """Raises Refused where none of those who are trusted has signed this document."""
    bundle = parse_bundle(signature, name=SIGNATURE)
    if not isinstance(bundle.content, Envelope):
        digests = {name: hashlib.new(name, document).digest() for name in {"sha256", *needed_digests([bundle], trust)}}
        verify_message([bundle], digests, trust, document)
        return
    from aegis.signatures.attestation import check_attestation
    from aegis.signatures.statement import parse_statement

    _, envelopes = verify_envelopes([bundle], trust)
    statements = [parse_statement(envelope) for envelope in envelopes]
    check_attestation(statements, {"sha256": hashlib.sha256(document).hexdigest()}, (PREDICATE_TYPE,))


def passed_results(document: bytes) -> tuple[Result, ...]:
    """What the verify gate found of each artifact. Raises Refused for anything but a plain pass."""
    verdict = strict_json.parse(document, what=VERDICT, limit=_VERDICT_LIMIT)
    try:
        whole = (verdict["schema"], verdict["gate"], verdict["decision"], verdict["observe"], verdict["bootstrap"])
        evidence = {each["name"]: each["value"] for each in verdict["evidence"]}
        results = typed.convert(evidence["artifacts"], tuple[Result, ...])
    except (KeyError, TypeError, msgspec.ValidationError) as error:
        raise _unusable("it is no verdict of this gate") from error
    if whole != (SCHEMA_ID, "verify", "pass", False, False):
        raise _unusable(f"it says {verdict['decision']!r} of gate {verdict['gate']!r}")
    return results


def is_young(result: Result, now: datetime.datetime, max_age: datetime.timedelta) -> bool:
    """By when the bytes were read, which a chain of verdicts that build on each other does not change."""
    try:
        moment = datetime.datetime.fromisoformat(result.read)
    except ValueError:
        return False
    return moment.tzinfo is not None and now - max_age <= moment <= now + _CLOCKS_DIFFER


def _unusable(problem: str) -> Refused:
    return Refused(
        "verify.earlier_invalid",
        problem,
        expected="a fresh verdict of the verify gate that says pass",
        remedy="nothing to do: everything is read anew",
    )
