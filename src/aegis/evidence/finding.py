"""Looking for verdicts about a commit or a digest: the newest of each gate decides.

A listing says where to look, and nothing else. Each bundle that counts is read and verified; whatever lies there and is
no verdict about just this, by just that gate, at just that time, is a no, for somebody put it there. What is missing
is a no too.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import GateName
from aegis.core.ports.objects import FolderStore, ObjectInfo, ObjectStore, VersionedStore
from aegis.core.verdict import Verdict
from aegis.evidence.layout import About, Entry, entry_of, stamp_of, verdict_key
from aegis.evidence.record import (
    MAX_BUNDLE,
    MAX_VERDICT,
    Said,
    altered,
    check_about,
    document_of,
    misplaced,
    verified,
)
from aegis.signatures.shown import shown
from aegis.signatures.types import SignedBy, Trust
from aegis.storage.parallel import Stop, each
from aegis.storage.patience import Patience
from aegis.storage.transfer import WORKERS, read_small

MAX_ENTRIES: Final = 10_000
"""Verdicts about one commit or digest that are all read: 27 years of one a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A verdict that holds: it is where it belongs, as it was put there, and by one of those who are trusted."""

    entry: Entry
    said: Said
    signed_by: SignedBy
    verdict: Verdict | None
    """The whole of it, where it was read."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a verdict has to be, to be a yes."""

    gates: tuple[GateName, ...] = ()
    """None named: every gate that there is a verdict of, at least one."""
    max_age: datetime.timedelta | None = None
    """Of the newest, by when its gate ended."""
    any_result: bool = False
    """Whatever it says, as long as it holds."""


@dataclass(frozen=True, slots=True)
class Found:
    """What there is, and every reason why it is not a yes."""

    held: tuple[Held, ...]
    """Newest first."""
    problems: tuple[AegisError, ...]
    newest: tuple[Entry, ...]
    """Of each gate, asked for or not, by the listing."""


def find(
    store: FolderStore, prefix: str, about: About, asked: Asked, trust: Trust, *, everything: bool = False
) -> Found:
    """The verdicts about a commit or digest. `everything`: read all of them, and let each have to hold.

    Raises CouldNotDecide where the store does not tell.
    """
    found, problems = entries(store, prefix, about)
    newest = {entry.gate: entry for entry in found}
    gates = asked.gates or tuple(newest)
    wanted = [entry for entry in found if entry.gate in gates]
    if everything and len(wanted) > MAX_ENTRIES:
        raise CouldNotDecide(
            "evidence.too_many",
            f"there are {len(wanted)} verdicts about {about}",
            expected=f"at most {MAX_ENTRIES}",
            remedy="Ask for one gate, or leave out --all: the newest of each gate decides.",
        )
    deciding = [entry for gate, entry in newest.items() if gate in gates]
    held, more = _read(store, prefix, about, wanted if everything else deciding, trust)
    problems += more
    for gate in gates:
        if gate not in newest:
            problems.append(missing(about, gate, store, prefix))
        elif (one := held.get(newest[gate].key)) is not None:
            problems += problems_of(one, asked, trust.now)
    if not gates:
        problems.append(missing(about, None, store, prefix))
    shown_first = sorted(held.values(), key=lambda one: (one.entry.stamp, one.entry.key), reverse=True)
    return Found(tuple(shown_first), tuple(problems), tuple(newest.values()))


def entries(
    store: FolderStore, prefix: str, about: About, gate: GateName | None = None
) -> tuple[list[Entry], list[AegisError]]:
    """The bundles that a listing names, oldest first; whatever else lies among them is a problem, and what is gone."""
    folder = f"{prefix}{about.folder}"
    below = f"{folder}{gate}/" if gate is not None else folder
    found: list[Entry] = []
    problems: list[AegisError] = []
    # Object Lock keeps every version, and lets anybody who may delete hide the latest behind a marker
    # (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html#object-lock-managing-delete)
    for key in store.removed(below) if isinstance(store, VersionedStore) else ():
        problems.append(
            Refused(
                "evidence.rolled_back",
                f"{store.location}/{shown(key)} was deleted",
                expected="every verdict that was there once",
                remedy="Look who has deleted it, and get it back by removing its delete marker.",
            )
        )
    for info in _listed(store, below):
        entry = entry_of(info.key, folder)
        if entry is None:
            problems.append(
                misplaced(
                    f"{store.location}: there is {shown(info.key)} among the verdicts about {about}",
                    "bundles by the name that `aegis evidence put` gives them",
                )
            )
        else:
            found.append(entry)
    return sorted(found, key=lambda entry: (entry.stamp, entry.sha256)), problems


def read_entry(
    store: ObjectStore, prefix: str, about: About, entry: Entry, trust: Trust, *, whole: bool = True
) -> Held:
    """One bundle, and unless `whole` is false the verdict that it speaks for.

    A digest is among what the signer vouches for, so the bundle alone answers for it; a commit stands in the verdict.
    Raises Refused with the signature's reason or `evidence.altered`, `.misplaced`, `.malformed`, `.document_missing`.
    """
    bundle = _content(store, entry.key, MAX_BUNDLE)
    sha256 = hashlib.sha256(bundle).hexdigest()
    if sha256 != entry.sha256:
        raise altered(f"{store.location}/{entry.key} has the bytes sha256:{sha256}", "the bytes that its name says")
    said, signed_by = verified(bundle, trust, name=entry.key)
    if (said.gate, stamp_of(said.finished)) != (entry.gate, entry.stamp):
        raise misplaced(
            f"{store.location}/{entry.key} is by the gate {said.gate} of {said.finished}",
            f"a verdict by the gate {entry.gate} of {entry.stamp}",
        )
    verdict = None
    if whole or about.kind == "commit":
        verdict = document_of(_content(store, prefix + verdict_key(said.document), MAX_VERDICT), said)
    check_about(said, about, verdict)
    return Held(entry=entry, said=said, signed_by=signed_by, verdict=verdict)


def problems_of(one: Held, asked: Asked, now: datetime.datetime) -> list[AegisError]:
    """Why a verdict that holds is not a yes."""
    said, found = one.said, list[AegisError]()
    if not asked.any_result and not said.passed:
        found.append(
            Refused(
                "evidence.not_passed",
                f"the verdict of the gate {said.gate} of {said.finished} says {said.result} ({shown(said.reason)})",
                expected="PASSED: of the whole, enforced, and without waivers",
                remedy="Look at its findings (`aegis evidence find --format json`); the newest verdict decides.",
            )
        )
    if asked.max_age is not None and not said.is_young(now, asked.max_age):
        found.append(
            Refused(
                "evidence.stale",
                f"the newest verdict of the gate {said.gate} is of {said.finished}",
                expected=f"one that is at most {asked.max_age} old, and not of the future",
                remedy="Run the gate again, and store its new verdict.",
            )
        )
    return found


def missing(about: About, gate: GateName | None, store: ObjectStore, prefix: str) -> Refused:
    """The refusal where there is no verdict at all."""
    return Refused(
        "evidence.missing",
        f"there is no verdict {f'of the gate {gate} ' if gate else ''}about {about} in {store.location}/{prefix}",
        expected="a signed verdict about just this",
        remedy="Run the gate on it, and store its verdict by `aegis evidence put`.",
    )


def _read(
    store: ObjectStore, prefix: str, about: About, wanted: Sequence[Entry], trust: Trust
) -> tuple[dict[str, Held], list[AegisError]]:
    """Those that hold, by key, and why others do not."""
    held: dict[str, Held] = {}
    refused: dict[str, AegisError] = {}

    def read(entry: Entry) -> None:
        try:
            held[entry.key] = read_entry(store, prefix, about, entry, trust)
        except Refused as error:
            refused[entry.key] = error

    patience = Patience()
    each(
        wanted,
        read,
        stop=Stop(patience.total),
        workers=max(1, min(WORKERS, len(wanted))),
        late=lambda: _slow(store, len(wanted)),
    )
    return held, [refused[key] for key in sorted(refused)]


def _listed(store: FolderStore, folder: str) -> Sequence[ObjectInfo]:
    """A bucket has no folders, and lists nothing; on a disk one that nobody has made is missing."""
    try:
        return store.list(folder)
    except CouldNotDecide as error:
        # of a store that is missing itself this is the same error again
        if error.code != "verify.store_missing" or store.folders(folder):
            raise
        return ()


def _content(store: ObjectStore, key: str, limit: int) -> bytes:
    info = store.head(key)
    if info is None:
        raise Refused(
            "evidence.document_missing",
            f"there is no {store.location}/{key}",
            expected="what was stored once and is never removed",
            remedy="Look who can delete there, and get it back from the bucket's versions.",
        )
    return read_small(store, info, limit)


def _slow(store: ObjectStore, count: int) -> CouldNotDecide:
    from aegis.storage.faults import slow

    return slow(store.location, f"{count} verdicts were not read in time")
