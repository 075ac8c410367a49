"""The statement that signs a model: a manifest of OpenSSF Model Signing 1.0, for `aegis sign model`.

What is written is accepted by `aegis.signatures.models.manifest` and by model_signing 1.1. Where these differ from
SPEC.md, the shards' algorithm is model_signing's `sha256-sharded-SIZE`, since it compares the label as well; the order
is that of the specification, since model_signing takes any. All files are signed, also those that belong to git:
model_signing finds these only with `--no-ignore-git-paths`.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Collection, Mapping

from aegis.core.errors import UsageError
from aegis.signatures.keys.public import PublicKey
from aegis.signatures.models.manifest import PREDICATE_TYPE, Hashed
from aegis.signatures.models.names import check_names
from aegis.signatures.shown import shown
from aegis.signatures.statement import MAX_BYTES, V1

ALGORITHM = "sha256"
"""The one that every verifier has to support (SPEC.md 7)."""
SHARD_SIZE = 1_000_000_000
"""Bytes: what SPEC.md 6.3.2 asks for if nobody says otherwise."""


def model_statement(
    name: str, files: Mapping[str, Hashed], *, shard_size: int = 0, ignore_paths: Collection[str] = ()
) -> bytes:
    """The payload to be signed in an envelope of `aegis.signatures.statement.PAYLOAD_TYPE`; equal for equal input.

    `name` is for people. `files` with their SHA-256: of the whole file, or, with a `shard_size` in bytes, of each
    shard. `ignore_paths` are those that were left out, among them the signature's own name if it will lie in the model.
    Raises UsageError `verify.cannot_sign_model`, and what `check_names` refuses.
    """
    check_names(files)
    if not name or not files:
        raise _cannot("there are no files" if name else "the model has no name", "a name and at least one file")
    covered = [file for file in files if any(file == path or file.startswith(f"{path}/") for path in ignore_paths)]
    if covered:
        raise _cannot(f"{shown(min(covered))} is both signed and left out", "only the files that are signed")
    label = f"{ALGORITHM}-sharded-{shard_size}" if shard_size else ALGORITHM
    resources = {
        resource: digest
        for file, hashed in files.items()
        for resource, digest in (_shards(file, hashed, shard_size) if shard_size else _whole(file, hashed)).items()
    }
    names = sorted(resources)
    serialization: dict[str, object] = {
        "method": "shards" if shard_size else "files",
        "hash_type": ALGORITHM,
        "allow_symlinks": False,
    }
    if shard_size:
        serialization["shard_size"] = shard_size
    if ignore_paths:
        serialization["ignore_paths"] = sorted(ignore_paths)
    root = hashlib.sha256(b"".join(resources[each] for each in names)).hexdigest()
    payload = canonical(
        {
            "_type": V1,
            "subject": [{"name": name, "digest": {"sha256": root}}],
            "predicateType": PREDICATE_TYPE,
            "predicate": {
                "serialization": serialization,
                "resources": [{"name": each, "algorithm": label, "digest": resources[each].hex()} for each in names],
            },
        }
    )
    if len(payload) > MAX_BYTES:
        raise _cannot(f"the manifest has {len(payload)} bytes", f"at most {MAX_BYTES} bytes: larger shards")
    return payload


def key_hint(key: PublicKey) -> str:
    """What `publicKey.hint` of a model's bundle has to be: SHA-256 (hex) of the public key's PEM text.

    SPEC.md 4.1 asks for a hex fingerprint without saying of what; model_signing refuses any other than this.
    """
    body = base64.b64encode(key.spki).decode()
    lines = [body[at : at + 64] for at in range(0, len(body), 64)]
    pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    return hashlib.sha256(pem.encode()).hexdigest()


def canonical(statement: Mapping[str, object]) -> bytes:
    """One spelling for equal statements: sorted keys, no white space, UTF-8."""
    return json.dumps(statement, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _whole(file: str, hashed: Hashed) -> dict[str, bytes]:
    _check_count(file, hashed, 1)
    return {file: hashed.digests[0]}


def _shards(file: str, hashed: Hashed, shard_size: int) -> dict[str, bytes]:
    if not hashed.size:
        raise _cannot(
            f"{shown(file)} is empty, and a manifest of shards cannot name it (SPEC.md 6.3.2)",
            "files with content, or a manifest of whole files",
        )
    starts = range(0, hashed.size, shard_size)
    _check_count(file, hashed, len(starts))
    return {
        f"{file}:{start}:{min(start + shard_size, hashed.size)}": digest
        for start, digest in zip(starts, hashed.digests, strict=True)
    }


def _check_count(file: str, hashed: Hashed, count: int) -> None:
    if len(hashed.digests) != count or any(len(digest) != hashlib.sha256().digest_size for digest in hashed.digests):
        raise _cannot(
            f"{shown(file)} was read as {len(hashed.digests)} shards", f"{count} digests of {ALGORITHM} for its size"
        )


def _cannot(problem: str, expected: str) -> UsageError:
    return UsageError(
        "verify.cannot_sign_model",
        f"the model cannot be signed: {problem}",
        expected=expected,
        remedy="Correct this and sign again.",
    )
