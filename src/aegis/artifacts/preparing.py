"""From a policy's artifact to what has to be read of it."""

from __future__ import annotations

import datetime
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from aegis.artifacts import attestations, files, models
from aegis.artifacts.prepared import Case, Prepared, ReadSmall
from aegis.artifacts.reading import Gotten
from aegis.artifacts.result import Result, record_of
from aegis.artifacts.trust import Materials, digest_of, trust_of
from aegis.core.policy import Artifact, Signer, VerifyPolicy
from aegis.core.ports.objects import ObjectStore
from aegis.signatures.lock import Lock
from aegis.storage.location import Location, parse_location
from aegis.storage.transfer import read_small

OpenStore = Callable[[Location], ObjectStore]
"""The store of an address, with credentials that read just what the policy names. Raises AegisError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What every artifact of a policy is judged by."""

    policy: VerifyPolicy
    now: datetime.datetime
    materials: Materials
    trusted_root: bytes | None
    """What `verify.trusted-root` names; None for the packaged one."""
    lock: Lock
    """`aegis.lock` of the policy's own commit."""


def case_of(artifact: Artifact, basis: Basis, open_store: OpenStore) -> Case:
    """An artifact with its store and those whom it is trusted from."""
    policy, now = basis.policy, basis.now
    location = parse_location(artifact.source)
    rules = artifact.signers or policy.signers
    trust = trust_of(rules, artifact.threshold, basis.trusted_root, basis.materials, now)
    release_trust = None
    if artifact.release is not None:
        of_release = artifact.release.signers or rules
        release_trust = trust_of(of_release, 1, basis.trusted_root, basis.materials, now)
    return Case(
        artifact=artifact,
        location=location,
        store=open_store(location),
        trust=trust,
        release_trust=release_trust,
        lock=basis.lock,
        now=now,
        read_small=_read_small,
        sign=_how_to_sign(artifact, rules),
    )


_read_small: ReadSmall = read_small


def prepare_one(case: Case) -> Prepared:
    """Read the signatures of one artifact. Raises Refused."""
    match case.artifact.kind:
        case "file":
            return files.prepare(case)
        case "model":
            return models.prepare(case)
        case "attestation":
            return attestations.prepare(case)


def finish(prepared: Prepared, gotten: Gotten) -> Result:
    """Hold what was read against the signatures. Raises Refused."""
    read = prepared.case.now.isoformat(timespec="seconds")
    return replace(prepared.finish(gotten), read=read, record=record(prepared))


def record(prepared: Prepared) -> str:
    """What the answer to it rests on (`aegis.artifacts.result.record_of`)."""
    case = prepared.case
    trusts = [case.trust, *([case.release_trust] if case.release_trust is not None else [])]
    return record_of(case.artifact, map(digest_of, trusts), prepared.objects)


def _how_to_sign(artifact: Artifact, rules: Sequence[Signer]) -> str:
    """The line that signs an artifact as its policy asks."""
    how = "--key KEY.pem" if any(signer.key is not None for signer in rules) else "--keyless"
    match artifact.kind:
        case "file":
            line = "file FILE"
        case "model":
            line = "model FOLDER"
            line += f" --signature {shlex.quote(f'FOLDER/{artifact.signatures[0]}')}" if artifact.signatures else ""
        case "attestation":
            kind = shlex.quote(artifact.predicate_types[0])
            what = "FOLDER" if artifact.source.endswith("/") else "FILE"
            line = f"attestation {what} --predicate PREDICATE.json --type {kind}"
    return f"aegis sign {line} {how}, then upload what it writes beside {artifact.source}"
