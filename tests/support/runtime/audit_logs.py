"""Logs for tests: events, and folders as a log would publish them, made without a disk log."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis.audit.entry import Producer, encode
from aegis.audit.event import Event, Resource
from aegis.audit.journal import journal_header, pack_record
from aegis.audit.keys import SigningKey, Verifier, signing_key, verifier_of
from aegis.core.actor import Actor
from tests.doubles.sigstore import merkle

ORIGIN = "log.test/audit"
KEY: SigningKey = signing_key(Ed25519PrivateKey.from_private_bytes(b"k" * 32))
OTHER_KEY: SigningKey = signing_key(Ed25519PrivateKey.from_private_bytes(b"o" * 32))
VERIFIER: Verifier = verifier_of(KEY, ORIGIN)
START = 1_700_000_000_000_000_000
SECOND = 1_000_000_000
ACTOR = Actor(
    id="github:1:2", kind="github-workflow", display="org/app", issuer="https://token.actions.githubusercontent.com",
    subject="repo:org/app:environment:prod", attributes={"run_id": "77"},
)  # fmt: skip
PRODUCER = Producer("1.0.0", "host.test", 7)


def event(number: int = 0, **changes: object) -> Event:
    """The event of this number: all are different."""
    given: dict[str, object] = {
        "action": "model.load.verified", "actor": ACTOR, "outcome": "success", "details": {"number": number},
        "resource": Resource(kind="model", name="org/model", sha256="ab" * 32, version="1.2.0"),
    }  # fmt: skip
    return Event(**{**given, **changes})  # type: ignore[arg-type]


def entry(number: int, *, time: int | None = None, **changes: object) -> bytes:
    """An event as the log keeps it, one each second."""
    name = hashlib.sha256(b"%d" % number).hexdigest()
    return encode(
        event(number, **changes),
        id=f"01a00000-{name[:4]}-7{name[4:7]}-8{name[7:10]}-{name[10:22]}",
        time=START + number * SECOND if time is None else time,
        producer=PRODUCER,
    )


def entries(count: int) -> list[bytes]:
    """The first entries of a log."""
    return [entry(number) for number in range(count)]


def root(given: Sequence[bytes]) -> bytes:
    """By RFC 6962's definition."""
    return merkle.root_hash([merkle.leaf_hash(each) for each in given]) if given else hashlib.sha256().digest()


def note(given: Sequence[bytes], *, key: SigningKey = KEY, origin: str = ORIGIN, signed_as: str = "") -> bytes:
    """A checkpoint, written as the signed-note specification says."""
    name = signed_as or origin
    text = f"{origin}\n{len(given)}\n{base64.b64encode(root(given)).decode()}\n"
    key_id = hashlib.sha256(name.encode() + b"\n\x01" + key.public).digest()[:4]
    signature = base64.b64encode(key_id + key.private.sign(text.encode())).decode()
    return f"{text}\n— {name} {signature}\n".encode()


def bundle(given: Sequence[bytes]) -> bytes:
    """Entries with their lengths."""
    return b"".join(len(each).to_bytes(2, "big") + each for each in given)


def publish(folder: Path, given: Sequence[bytes], checkpoint: bytes | None = None) -> Path:
    """A log's folder, written by tlog-tiles' definitions; fewer than 65,536 entries."""
    for number in range(0, len(given), 256):
        part = given[number : number + 256]
        suffix = "" if len(part) == 256 else f".p/{len(part)}"
        put(folder, f"tile/entries/{number // 256:03d}{suffix}", bundle(part))
        put(folder, f"tile/0/{number // 256:03d}{suffix}", b"".join(merkle.leaf_hash(each) for each in part))
    if full := len(given) // 256:
        put(folder, f"tile/1/000.p/{full}", b"".join(root(given[at * 256 : at * 256 + 256]) for at in range(full)))
    put(folder, "checkpoint", note(given) if checkpoint is None else checkpoint)
    return folder


def journal(folder: Path, before: Sequence[bytes], given: Sequence[bytes]) -> Path:
    """The journal of a running service: each entry in a record of its own, on top of those that were published."""
    there, records = list(before), b""
    for each in given:
        there.append(each)
        signature = note(there).split(b"\n\n")[1].split()[-1]
        records += pack_record(
            [each], first=len(there) - 1, durable=len(there) - 1,
            signature=base64.b64decode(signature)[4:], mac=KEY.mac,
        )  # fmt: skip
    put(folder, "journal", (journal_header(len(before), KEY.mac) + records).ljust(65_536, b"\0"))
    return folder


def put(folder: Path, path: str, data: bytes) -> None:
    """A file, with its folders."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(data)
