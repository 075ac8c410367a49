"""An artifact between its signatures and its bytes."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from aegis.artifacts.reading import Gotten, Wanted
from aegis.artifacts.result import Result
from aegis.core.errors import Refused
from aegis.core.policy import Artifact
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.signatures.lock import Lock
from aegis.signatures.types import Bundle, Trust
from aegis.storage.location import Location

BUNDLE_LIMIT = 1 << 20
"""Bytes of a file's signature; the largest that signers write has some ten thousand."""
MODEL_LIMIT = 32 << 20
"""Bytes of a model's signature, which names every file: 10,000 files take 3 MiB, shards of 1 GiB more."""

ReadSmall = Callable[[ObjectStore, ObjectInfo, int], bytes]
"""The whole of an object of at most so many bytes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One artifact with all that is needed to judge it."""

    artifact: Artifact
    location: Location
    store: ObjectStore
    trust: Trust
    release_trust: Trust | None
    lock: Lock
    now: datetime.datetime
    read_small: ReadSmall
    sign: str
    """The command that signs it, for the remedy of an unsigned artifact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is to be read, and what then decides."""

    case: Case
    objects: tuple[ObjectInfo, ...]
    """All that the answer rests on, signatures included."""
    wanted: tuple[Wanted, ...]
    finish: Callable[[Gotten], Result] = field(repr=False)
    """Holds the digests against the signatures. Raises Refused."""
    content: str | None = None
    """`Result.content` where the signatures say it before anything is read."""

    def name_of(self, info: ObjectInfo) -> str:
        """An object's name in the artifact."""
        key = self.case.location.key
        return info.key[len(key) :] if self.case.location.is_prefix else PurePosixPath(info.key).name


def signature_names(artifact: Artifact, name: str, default: str) -> tuple[str, ...]:
    """The names of the signatures of one file; `*` in the policy stands for the file's own name."""
    return tuple(pattern.replace("*", name) for pattern in artifact.signatures or (default,))


def by_name(case: Case) -> Mapping[str, ObjectInfo]:
    """What lies below the artifact's prefix, by the names relative to it. Raises Refused where there is nothing."""
    from aegis.signatures.models.names import check_names

    prefix = case.location.key
    listed = {info.key[len(prefix) :]: info for info in case.store.list(prefix)}
    if not listed:
        raise missing(case)
    check_names(tuple(listed))
    return listed


def one_object(case: Case, key: str) -> ObjectInfo | None:
    """The current version of an object beside or in the artifact."""
    return case.store.head(key)


def beside(case: Case, name: str) -> str:
    """The key of something that lies beside a single file."""
    folder = case.location.key.rpartition("/")[0]
    return f"{folder}/{name}" if folder else name


def file_name(case: Case) -> str:
    """A single file's own name."""
    return PurePosixPath(case.location.key).name


def bundles(
    case: Case, infos: Sequence[tuple[str, ObjectInfo | None]], limit: int
) -> tuple[list[Bundle], list[ObjectInfo]]:
    """The signatures that are there, read. Raises Refused where there is none, or one cannot be read."""
    from aegis.signatures.formats.bundle import parse_bundle

    there = [(name, info) for name, info in infos if info is not None]
    if len(there) < case.trust.threshold:
        absent = ", ".join(repr(name) for name, info in infos if info is None)
        raise Refused(
            "verify.unsigned",
            f"{case.artifact.source}: no signature {absent or 'is named'}, and {case.trust.threshold} wanted",
            expected="a signature for each signer that the threshold asks for",
            remedy=f"sign it: {case.sign}",
        )
    read = [parse_bundle(case.read_small(case.store, info, limit), name=name, limit=limit) for name, info in there]
    return read, [info for _, info in there]


def missing(case: Case) -> Refused:
    """There is no such artifact."""
    return Refused(
        "verify.artifact_missing",
        f"there is nothing at {case.artifact.source}",
        expected="the artifact that the policy names",
        remedy="upload it, or correct `source` in the policy",
    )
