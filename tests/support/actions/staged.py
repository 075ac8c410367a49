"""What a staging bucket holds: models and files with the signatures that their builders made."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Mapping
from typing import Any

from aegis.signatures.models.manifest import read_manifest
from aegis.signatures.release import PREDICATE_TYPE
from aegis.signatures.statement import V1
from tests.doubles.sigstore.signer import PrivateSigstore
from tests.support.signing import models
from tests.support.signing.signing import dump, envelope_bundle, private

WEIGHTS = {"weights.bin": bytes(range(256)) * 40, "config/model.json": b'{"layers": 3}\n'}
Sign = Callable[[Mapping[str, Any]], Mapping[str, Any]]
"""Signs a statement; a bundle."""


def by_key(number: int = 0) -> Sign:
    """The builders' P-256 key; other numbers are other people's."""
    return lambda statement: envelope_bundle(private("ecdsa-p256", number), json.dumps(statement).encode())


def by_identity(sigstore: PrivateSigstore, **request: Any) -> Sign:
    """A workflow's own identity."""
    return lambda statement: sigstore.sign_statement(statement, request=sigstore.request(**request))


def model(files: Mapping[str, bytes], sign: Sign, *, shard_size: int = 0) -> dict[str, bytes]:
    """The files with `model.sig`."""
    return {**files, "model.sig": dump(sign(_manifest(files, shard_size)))}


def release(
    name: str,
    files: Mapping[str, bytes],
    version: str,
    sign: Sign,
    *,
    lifetime: datetime.timedelta = datetime.timedelta(days=30),
) -> dict[str, bytes]:
    """The statement that binds name and version to the model's files until a day."""
    content = read_manifest(models.statement(_manifest(files, 0)), allowed_ignores=()).content.hex()
    until = datetime.datetime.now(datetime.UTC) + lifetime
    digest = {"sha256": content}
    statement = {
        "_type": V1,
        "subject": [{"name": name, "digest": digest}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"name": name, "version": version, "digest": digest, "notAfter": f"{until:%Y-%m-%dT%H:%M:%SZ}"},
    }
    return {"release.sigstore.json": dump(sign(statement))}


def _manifest(files: Mapping[str, bytes], shard_size: int) -> dict[str, Any]:
    names = sorted(files)
    if not shard_size:
        return models.document([models.resource(name, files[name]) for name in names])
    pieces = [
        (f"{name}:{start}:{min(start + shard_size, len(files[name]))}", files[name][start : start + shard_size])
        for name in names
        for start in range(0, len(files[name]), shard_size)
    ]
    label = f"sha256-sharded-{shard_size}"
    resources = [models.resource(name, piece, label=label) for name, piece in sorted(pieces)]
    return models.document(resources, method="shards", shard_size=shard_size)
