"""What a gate says of one artifact."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

import aegis
from aegis.core.codes import CODES
from aegis.core.errors import AegisError, CouldNotDecide
from aegis.core.outcome import fingerprint_of
from aegis.core.policy import Artifact
from aegis.core.ports.objects import ObjectInfo
from aegis.core.verdict import Finding
from aegis.signatures.types import SignedBy


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """An artifact that is what the policy asks for."""

    name: str
    kind: str
    source: str
    sha256: str
    """Hex: of the file, or the root digest of the model."""
    content: str
    """Hex: the digest that releases bind. Of a model it covers the files' names too, which its root digest does not."""
    objects: int
    size: int
    """Bytes of all objects that are signed."""
    signed_by: tuple[SignedBy, ...] = ()
    release: str | None = None
    """The version that its release statement gives."""
    notices: tuple[str, ...] = ()
    reused: str | None = None
    """Digest of the earlier verdict that stands for it; None where it was read now."""
    read: str = ""
    """When its bytes were read, RFC 3339 UTC."""
    record: str = ""
    """SHA-256 (hex) of what the answer rests on, see `record_of`."""

    def evidence(self) -> dict[str, Any]:
        """As plain values."""
        return asdict(self)


def record_of(artifact: Artifact, trust: Iterable[str], objects: Iterable[ObjectInfo]) -> str:
    """SHA-256 (hex) over everything that decides an answer: equal records need no second look.

    That is the artifact's policy, the digests of who is trusted, this tool's version, and each object's key, size,
    version and ETag. Empty where an object has no version id: then nothing says that it is the same bytes.
    """
    listed = sorted((o.key, o.size, o.version, o.etag) for o in objects)
    if not listed or any(version is None for _, _, version, _ in listed):
        return ""
    facts = ["aegis-verify-record/v1", aegis.__version__, repr(artifact), *trust, *listed]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def finding_of(artifact: Artifact, error: AegisError) -> Finding:
    """Why an artifact does not pass: refused, or not decided."""
    known = CODES.get(error.code)
    return Finding(
        rule=error.code,
        message=f"{artifact.name}: {error.problem} (expected: {error.expected})",
        remedy=error.remedy or (known.remedy if known else ""),
        fingerprint=fingerprint_of(error.code, artifact.name, artifact.source, error.problem),
        cause="could-not-decide" if isinstance(error, CouldNotDecide) else "artifact",
    )
