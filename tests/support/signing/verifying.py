"""What the tests of the verify gate share: policies, signed artifacts, and one call that judges them.

Everything is signed by `tests.support.signing.signing`, so that nothing of the code under test says what is right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from aegis.artifacts.preparing import OpenStore
from aegis.artifacts.trust import Materials
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.outcome import Run, conclude
from aegis.core.policy import Artifact, Aws, Policy, Release, Signer, VerifyPolicy
from aegis.core.policy_in_force import InForce
from aegis.core.ports.objects import ObjectStore
from aegis.core.verdict import Source, Tool, Verdict
from aegis.gates.verify.gate import Judged, Request, judge
from aegis.signatures.lock import Lock
from aegis.storage.location import Location
from tests.doubles.objects import Bucket
from tests.support.signing import models
from tests.support.signing.signing import NOW, dump, envelope_bundle, message_bundle, pem, private

KEYS = [private("ecdsa-p256", number) for number in range(4)]
ED25519 = private("ed25519")
P384 = private("ecdsa-p384")
FILES: Mapping[str, bytes] = {
    **{f"keys/{number}.pub": pem(key).encode() for number, key in enumerate(KEYS)},
    "keys/copy-of-0.pub": pem(KEYS[0]).encode(),
    "keys/ed25519.pub": pem(ED25519).encode(),
    "keys/p384.pub": pem(P384).encode(),
}
"""Files of the repository at the policy's commit."""
NO_VARIABLE = UsageError("verify.key_missing", "COSIGN_PUB_KEY is empty", expected="a key", remedy="set it")
MODEL: Mapping[str, bytes] = {"config.json": b"{}\n", "weights/a.bin": bytes(range(256)) * 8, "weights/b.bin": b"b" * 5}
SLSA = "https://slsa.dev/provenance/v1"


def by(key: str | int, **changes: Any) -> Signer:
    """Whoever holds a key."""
    return Signer(key=f"keys/{key}.pub", **changes)


def file_artifact(**changes: Any) -> Artifact:
    usual: dict[str, Any] = {"name": "tool", "kind": "file", "source": "s3://staging/tool.bin", "signers": (by(0),)}
    return Artifact(**{**usual, **changes})


def model_artifact(**changes: Any) -> Artifact:
    usual: dict[str, Any] = {"name": "model", "kind": "model", "source": "s3://staging/m/", "signers": (by(0),)}
    return Artifact(**{**usual, **changes})


def attestation_artifact(**changes: Any) -> Artifact:
    usual: dict[str, Any] = {"kind": "attestation", "predicate_types": (SLSA,)}
    return file_artifact(**{**usual, **changes})


def policy(*artifacts: Artifact, **changes: Any) -> VerifyPolicy:
    return VerifyPolicy(**{"artifacts": artifacts, "aws": Aws(), **changes})


def signed_file(name: str, content: bytes, key: Any = KEYS[0]) -> dict[str, bytes]:
    """A file and its bundle."""
    return {name: content, f"{name}.sigstore.json": dump(message_bundle(key, content))}


def model_signature(files: Mapping[str, bytes], key: Any = KEYS[0], *, shard_size: int = 0, **changes: Any) -> bytes:
    """The bundle over a model's manifest."""
    pieces = dict(files)
    label = None
    if shard_size:
        changes = {"method": "shards", "shard_size": shard_size, **changes}
        label = f"sha256-sharded-{shard_size}"
        pieces = {
            f"{name}:{start}:{min(start + shard_size, len(content))}": content[start : start + shard_size]
            for name, content in files.items()
            for start in range(0, len(content), shard_size)
        }
    resources = [models.resource(name, pieces[name], label=label) for name in sorted(pieces)]
    return dump(envelope_bundle(key, dump(models.document(resources, **changes))))


def signed_model(
    prefix: str = "m/", files: Mapping[str, bytes] = MODEL, key: Any = KEYS[0], **changes: Any
) -> dict[str, bytes]:
    """A model and its signature, as keys of a bucket."""
    signature = model_signature(files, key, **changes)
    return {**{prefix + name: content for name, content in files.items()}, f"{prefix}model.sig": signature}


def statement_about(sha256: str, kind: str = SLSA, key: Any = KEYS[0], predicate: Any = None) -> bytes:
    """The bundle of a statement."""
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "artifact", "digest": {"sha256": sha256}}],
        "predicateType": kind,
        "predicate": predicate or {"builder": "octo"},
    }
    return dump(envelope_bundle(key, dump(statement)))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def root_of(files: Mapping[str, bytes]) -> str:
    """A model's root digest (SPEC.md 6.5.1)."""
    return hashlib.sha256(b"".join(hashlib.sha256(files[name]).digest() for name in sorted(files))).hexdigest()


def content_of(files: Mapping[str, bytes]) -> str:
    """What a release of a model binds, written down once more from `Manifest.content`."""
    parts = [b"aegis-model-content/v1\n"]
    for name in sorted(files):
        parts.append(b"%d:%s sha256 1\n" % (len(name), name.encode()))
        parts.append(b"0-0 %s\n" % sha256(files[name]).encode())
    return sha256(b"".join(parts))


def release(digest: str, *, name: str = "tool", version: str = "1.0.0", key: Any = KEYS[0], **changes: Any) -> bytes:
    """A release statement's bundle."""
    predicate = {
        "name": name,
        "version": version,
        "digest": {"sha256": digest},
        "notAfter": "2026-12-31T00:00:00Z",
        **changes,
    }
    statement = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": {"sha256": digest}}],
        "predicateType": "urn:aegis-gates:predicate:release:v1",
        "predicate": predicate,
    }
    return dump(envelope_bundle(key, dump(statement)))


RELEASED = Release()
"""As a policy asks for one."""


def materials(files: Mapping[str, bytes] = FILES, variable: str | None = None) -> Materials:
    def read(path: str) -> bytes:
        if path not in files:
            raise UsageError("verify.key_missing", f"no {path}", expected="a file", remedy="commit it")
        return files[path]

    return Materials(read, variable, NO_VARIABLE)


def request(asked: VerifyPolicy, **changes: Any) -> Request:
    in_force = InForce(Policy(version=1, verify=asked), "base:aegis.yml", "ab" * 32)
    usual: dict[str, Any] = {
        "policy": asked,
        "in_force": in_force,
        "policy_file": "aegis.yml",
        "now": NOW,
        "materials": materials(),
        "trusted_root": None,
        "lock": Lock(),
    }
    return Request(**{**usual, **changes})


def opener(*buckets: Bucket) -> OpenStore:
    """The stores of a run, by their addresses."""
    places = {bucket.location: bucket for bucket in buckets}

    def open_store(location: Location) -> ObjectStore:
        place = location.store if location.scheme in {"https", "file"} else f"{location.scheme}://{location.store}"
        if place not in places:
            raise CouldNotDecide("verify.store_missing", f"no {place}", expected="a store", remedy="make it")
        return places[place]

    return open_store


def judged(asked: VerifyPolicy, *buckets: Bucket, **changes: Any) -> Judged:
    return judge(request(asked, **changes), opener(*buckets))


def codes(answer: Judged) -> list[str]:
    return [finding.rule for finding in answer.outcome.findings]


def verdict_of(answer: Judged, asked: Request) -> Verdict:
    """The whole verdict, as the command concludes it."""
    run = Run(
        gate="verify",
        subject=answer.subjects,
        source=Source(),
        tool=Tool(name="aegis", version="1", digest="00" * 32),
        started=NOW,
        reproduce="aegis verify",
    )
    return conclude(run, answer.outcome, asked.in_force, asked.policy, NOW)


def refusal_of(act: Callable[[], object], *kinds: type[Exception]) -> Any:
    """The error that an act ends with."""
    try:
        act()
    except kinds as error:
        return error
    raise AssertionError("nothing was refused")
