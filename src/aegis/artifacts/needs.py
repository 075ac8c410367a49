"""What a policy's artifacts need of each store: the credentials of a run can read this and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from aegis.artifacts import earlier, files
from aegis.artifacts.prepared import signature_names
from aegis.core.policy import Artifact, VerifyPolicy
from aegis.storage.location import Location, Scheme, parse_location


@dataclass(frozen=True, slots=True)
class Need:
    """What is read of one store."""

    scheme: Scheme
    store: str
    prefixes: tuple[str, ...]
    keys: tuple[str, ...]


def needs_of(policy: VerifyPolicy) -> tuple[Need, ...]:
    """A need for each store, in the policy's order.

    `verify.load` has none: its verdict is read by the runtime, with credentials of its own.
    """
    found: dict[tuple[Scheme, str], tuple[list[str], list[str]]] = {}
    for location in _locations(policy):
        prefixes, keys = found.setdefault((location.scheme, location.store), ([], []))
        (prefixes if location.is_prefix else keys).append(location.key)
    return tuple(
        Need(scheme, store, tuple(dict.fromkeys(prefixes)), tuple(dict.fromkeys(keys)))
        for (scheme, store), (prefixes, keys) in found.items()
    )


def _locations(policy: VerifyPolicy) -> Iterator[Location]:
    for artifact in policy.artifacts:
        yield from _of_artifact(artifact, parse_location(artifact.source))
    if policy.earlier is not None:
        prefix = parse_location(policy.earlier.source)
        for name in (earlier.VERDICT, earlier.SIGNATURE):
            yield Location(prefix.scheme, prefix.store, prefix.key + name)


def _of_artifact(artifact: Artifact, location: Location) -> Iterator[Location]:
    yield location
    folder = location.key if location.is_prefix else location.key[: location.key.rfind("/") + 1]
    beside: list[str] = []
    if not location.is_prefix:
        beside += signature_names(artifact, PurePosixPath(location.key).name, files.DEFAULT)
    if artifact.release is not None and not location.is_prefix:
        beside.append(artifact.release.statement)
    for name in beside:
        yield Location(location.scheme, location.store, folder + name)
