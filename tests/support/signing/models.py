"""Models and their manifests, for the tests: hashed with hashlib, and written as documents that can be spoiled."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from aegis.signatures.models.manifest import Hashed
from aegis.signatures.statement import PAYLOAD_TYPE, Statement, parse_statement
from aegis.signatures.types import Envelope

OMS = "https://model_signing/signature/v1.0"


def hashed(content: bytes, *, algorithm: str = "sha256", shard_size: int = 0) -> Hashed:
    """What a reader would say of a file."""
    pieces = [content[at : at + shard_size] for at in range(0, len(content), shard_size)] if shard_size else [content]
    return Hashed(len(content), tuple(hashlib.new(algorithm, piece).digest() for piece in pieces))


def hashed_all(files: Mapping[str, bytes], *, algorithm: str = "sha256", shard_size: int = 0) -> dict[str, Hashed]:
    return {name: hashed(content, algorithm=algorithm, shard_size=shard_size) for name, content in files.items()}


def write(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def resource(name: str, content: bytes, *, algorithm: str = "sha256", label: str | None = None) -> dict[str, Any]:
    return {"name": name, "algorithm": label or algorithm, "digest": hashlib.new(algorithm, content).hexdigest()}


def document(resources: Sequence[dict[str, Any]], **serialization: Any) -> dict[str, Any]:
    """A statement of Open Model Signing with a right root digest, whatever the resources are."""
    digests = [bytes.fromhex(each["digest"]) for each in resources if isinstance(each.get("digest"), str)]
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": hashlib.sha256(b"".join(digests)).hexdigest()}}],
        "predicateType": OMS,
        "predicate": {
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **serialization},
            "resources": list(resources),
        },
    }


def envelope(value: Any) -> Envelope:
    payload = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Envelope(PAYLOAD_TYPE, payload, b"")


def statement(value: Any) -> Statement:
    return parse_statement(envelope(value))
