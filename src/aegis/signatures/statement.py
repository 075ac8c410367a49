"""in-toto statements: what a DSSE envelope says of which artifacts.

The format: github.com/in-toto/attestation, spec/v1/statement.md. `cosign attest` and `attest-blob` (3.1, in their
pkg/cosign/attestation/attestation.go) still write `_type` v0.1, whose fields are the same, so both are taken here;
whoever defines its predicate for v1 only checks `Statement.version`. Fields that are not known are ignored, as
spec/v1/README.md ("Parsing rules") asks.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from aegis.core.errors import Refused
from aegis.signatures import strict_json
from aegis.signatures.shown import shown
from aegis.signatures.types import Envelope

PAYLOAD_TYPE = "application/vnd.in-toto+json"
V1 = "https://in-toto.io/Statement/v1"

MAX_BYTES = 32 << 20
"""A model's statement has about 150 bytes for each file or shard."""
_MAX_SUBJECTS = 4096
"""GitHub's own attestations have at most 1024."""

_VERSIONS: Mapping[str, Literal["v0.1", "v1"]] = {V1: "v1", "https://in-toto.io/Statement/v0.1": "v0.1"}
_SIZES = {"sha224": 28, "sha256": 32, "sha384": 48, "sha512": 64, "blake2b": 64, "blake3": 32}
"""Bytes of the digests whose length is known; a cut-off digest would match nothing, or too much."""
_HEX = re.compile(r"(?:[0-9a-f]{2}){1,128}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Subject:
    """One artifact that a statement is about."""

    name: str
    """Informational: artifacts are matched by digest."""
    digest: Mapping[str, str]
    """Lowercase hex by algorithm; at least one."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What was signed, read but not judged."""

    subjects: tuple[Subject, ...]
    predicate_type: str
    predicate: Mapping[str, Any] = field(repr=False)
    version: Literal["v0.1", "v1"]
    sha256: str
    """SHA-256 (hex) of the payload's bytes: names exactly this statement."""


def parse_statement(envelope: Envelope) -> Statement:
    """The statement in an envelope whose signature was verified.

    Refuses with `verify.wrong_payload_type`, `verify.bundle_too_large` and `verify.statement_malformed`.
    """
    if envelope.payload_type != PAYLOAD_TYPE:
        raise Refused(
            "verify.wrong_payload_type",
            f"the signed envelope holds {shown(envelope.payload_type)}",
            expected=PAYLOAD_TYPE,
            remedy="Sign an in-toto statement (`aegis sign model`, `cosign attest-blob`).",
        )
    document = _object(_parsed(envelope.payload), "the statement")
    kind = document.get("_type")
    if not isinstance(kind, str) or kind not in _VERSIONS:
        raise malformed(f"its _type is {_brief(kind)}", expected=f"{V1}")
    return Statement(
        subjects=_subjects(document.get("subject")),
        predicate_type=_text(document, "predicateType"),
        # Unset means empty, as statement.md has it; `null` is neither.
        predicate=_object(document.get("predicate", {}), "its predicate"),
        version=_VERSIONS[kind],
        sha256=hashlib.sha256(envelope.payload).hexdigest(),
    )


def malformed(problem: str, *, expected: str = "an in-toto statement with subjects and predicate type") -> Refused:
    """The refusal of a statement that does not have its form."""
    return Refused(
        "verify.statement_malformed",
        f"the signed statement cannot be read: {problem}",
        expected=expected,
        remedy="Sign again with a current cosign, model_signing or `aegis sign`.",
    )


def _parsed(payload: bytes) -> Any:
    try:
        return strict_json.parse(payload, what="the signed statement", limit=MAX_BYTES)
    except Refused as refused:
        if refused.code == "verify.bundle_too_large":
            raise
        raise Refused(
            "verify.statement_malformed", refused.problem, expected=refused.expected, remedy=refused.remedy
        ) from refused


def _subjects(value: Any) -> tuple[Subject, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= _MAX_SUBJECTS:
        raise malformed("its subject is no list of artifacts", expected=f"1 to {_MAX_SUBJECTS} subjects")
    return tuple(_subject(item) for item in value)


def _subject(value: Any) -> Subject:
    entry = _object(value, "a subject")
    name = entry.get("name", "")
    if not isinstance(name, str):
        raise malformed(f"the name of a subject is {_brief(name)}", expected="text")
    digests = _object(entry.get("digest"), f"the digest of the subject {shown(name)}")
    if not digests:
        raise malformed(f"the subject {shown(name)} has no digest", expected="at least one digest")
    for algorithm, digest in digests.items():
        if not isinstance(digest, str) or not _HEX.fullmatch(digest) or len(digest) != _length(algorithm, digest):
            raise malformed(
                f"the {shown(algorithm)} of the subject {shown(name)} is {_brief(digest)}",
                expected="the whole digest in lowercase hex",
            )
    return Subject(name, digests)


def _length(algorithm: str, digest: str) -> int:
    """Hex digits that a digest has; its own number where the algorithm is not known."""
    size = _SIZES.get(algorithm)
    return len(digest) if size is None else 2 * size


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise malformed(f"{what} is {_brief(value)}", expected="a JSON object")
    return value


def _text(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or not value:
        raise malformed(f"its {key} is {_brief(value)}", expected="text that is not empty")
    return value


def _brief(value: Any) -> str:
    """A value, or what kind of value it is."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    return "missing" if value is None else repr(value)
