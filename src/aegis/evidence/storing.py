"""Putting a signed verdict where it is found: create-only, everything or an error, and again without harm."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.writing import RetainingStore, WritableStore
from aegis.core.verdict import Verdict
from aegis.evidence.layout import key_of, verdict_key
from aegis.evidence.record import Said, altered, places_of
from aegis.storage.transfer import read_small


@dataclass(frozen=True, slots=True)
class Stored:
    """Where a verdict is now."""

    keys: tuple[str, ...]
    """The whole keys in the store; the verdict's own first."""
    new: int
    """How many of them were not there before."""


def put(
    store: WritableStore,
    prefix: str,
    document: bytes,
    bundle: bytes,
    said: Said,
    verdict: Verdict,
    *,
    until: datetime.datetime | None = None,
) -> Stored:
    """Store a verdict and its bundle below every digest and commit that they are about.

    The verdict first and the commits last: whoever finds it by its commit finds the rest too. `until`: the least day to
    which the store must hold all of it fast. Refuses with `evidence.nowhere`, `evidence.altered` where other bytes lie
    under one of the names, and `evidence.not_retained`; CouldNotDecide is the store's.
    """
    places = places_of(said, verdict)
    objects: Sequence[tuple[str, bytes]] = [
        (prefix + verdict_key(said.document), document),
        *((prefix + key_of(about, said.gate, said.finished, bundle), bundle) for about in places),
    ]
    new = 0
    for key, content in objects:
        new += _create(store, key, content)
        if until is not None:
            _check_retained(store, key, until)
    return Stored(tuple(key for key, _ in objects), new)


def _create(store: WritableStore, key: str, content: bytes) -> bool:
    """Whether it was not there before."""
    try:
        with store.create(key) as upload:
            upload.write(content)
    except CouldNotDecide as error:
        if error.code != "backup_check.object_exists":
            raise
    else:
        return True
    info = store.head(key)
    found = read_small(store, info, len(content)) if info is not None and info.size == len(content) else b""
    if found != content:
        raise altered(
            f"{store.location}/{key} holds other bytes than its name says",
            f"sha256:{hashlib.sha256(content).hexdigest()}",
        )
    return False


def _check_retained(store: WritableStore, key: str, until: datetime.datetime) -> None:
    """A store may take the wish and forget it: so it is asked."""
    held = store.retained_until(key) if isinstance(store, RetainingStore) else None
    if held is None or held < until:
        raise Refused(
            "evidence.not_retained",
            f"{store.location}/{key} is held {f'until {held.isoformat()}' if held else 'by nothing'}",
            expected=f"Object Lock until {until.isoformat()} at least",
            remedy="Make the bucket with Object Lock, and let the writer's role s3:PutObjectRetention and"
            " s3:GetObjectRetention; or take evidence.retain out of the policy.",
        )
