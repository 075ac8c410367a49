"""Transparency logs without a server: Rekor v1 (ECDSA, promises) and v2 (Ed25519, tiles).

https://github.com/sigstore/rekor/blob/main/pkg/util/checkpoint.go, https://github.com/C2SP/C2SP/blob/main/signed-note.md.
"""

from __future__ import annotations

import datetime
import hashlib
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, ed25519

from tests.doubles.sigstore import merkle
from tests.doubles.sigstore.encoding import SigningKey, b64, canonical, raw, sign, spki


@dataclass
class Lies:
    """What a log may say that is not so. None: the truth."""

    size: int | None = None
    """In the checkpoint."""
    root: bytes | None = None
    origin: str | None = None
    key: SigningKey | None = None
    """That signs checkpoints in place of its own."""
    earlier_body: bytes | None = None
    """What the log really holds in place of the entry."""


class Log:
    """One log with one tree."""

    def __init__(self, host: str, *, tiled: bool, history: int = 5) -> None:
        self.host = host
        self.tiled = tiled
        self.key: SigningKey = (
            ed25519.Ed25519PrivateKey.generate() if tiled else ec.generate_private_key(ec.SECP256R1())
        )
        # Some history, so that proofs are not empty.
        self.leaves = [merkle.leaf_hash(b"earlier %d" % number) for number in range(history)]
        self.lies = Lies()

    @property
    def origin(self) -> str:
        """Go's clients tell Rekor v1 by the tree's id."""
        return self.host if self.tiled else f"{self.host} - 1234567890"

    @property
    def key_id(self) -> bytes:
        return _key_id(self.key, self.host)

    def add(
        self, body: bytes, kind: str, version: str, at: datetime.datetime, *, promise: bool = True, proof: bool = True
    ) -> dict[str, Any]:
        """Take up an entry; the answer is protojson of a TransparencyLogEntry."""
        self.leaves.append(merkle.leaf_hash(self.lies.earlier_body or body))
        index = len(self.leaves) - 1
        entry: dict[str, Any] = {
            "logIndex": str(index),
            "logId": {"keyId": b64(self.key_id)},
            "kindVersion": {"kind": kind, "version": version},
            "canonicalizedBody": b64(body),
        }
        if not self.tiled:
            entry["integratedTime"] = str(int(at.timestamp()))
        if not self.tiled and promise:
            entry["inclusionPromise"] = {"signedEntryTimestamp": b64(self.promise(body, index, at))}
        if proof:
            entry["inclusionProof"] = self.proof(index)
        return entry

    def promise(self, body: bytes, index: int, at: datetime.datetime) -> bytes:
        """A signed entry timestamp."""
        said = {"body": b64(body), "integratedTime": int(at.timestamp()), "logID": self.key_id.hex(), "logIndex": index}
        return sign(self.key, canonical(said))

    def proof(self, index: int) -> dict[str, Any]:
        """That the tree of now holds the leaf."""
        return {
            "logIndex": str(index),
            "rootHash": b64(merkle.root_hash(self.leaves)),
            "treeSize": str(len(self.leaves)),
            "hashes": [b64(each) for each in merkle.path(index, self.leaves)],
            "checkpoint": {"envelope": self.checkpoint()},
        }

    def checkpoint(self) -> str:
        """The signed tree head."""
        lies = self.lies
        key, origin = lies.key or self.key, lies.origin or self.origin
        name = origin.partition(" - ")[0]
        root = merkle.root_hash(self.leaves) if lies.root is None else lies.root
        text = f"{origin}\n{len(self.leaves) if lies.size is None else lies.size}\n{b64(root)}\n"
        # A stranger's signature under the log's own key id.
        hint = _key_id(self.key, name)[:4]
        return f"{text}\n— {name} {b64(hint + sign(key, text.encode()))}\n"


def _key_id(key: SigningKey, name: str) -> bytes:
    public = key.public_key()
    if isinstance(public, ed25519.Ed25519PublicKey):
        return hashlib.sha256(name.encode() + b"\n\x01" + raw(public)).digest()
    return hashlib.sha256(spki(public)).digest()
