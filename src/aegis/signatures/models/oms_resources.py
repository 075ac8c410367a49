"""The `resources` of an OpenSSF Model Signing manifest: which bytes of which file have which digest.

The format: SPEC.md 1.0 of the OpenSSF Model Signing specification, 5.2.1 and 6.3, as model_signing 1.1 writes it. Two
things differ between these, and both ways are taken:

- the order: the specification sorts by the whole name, model_signing by the name's parts and then by offset. The root
  digest is computed in the order that stands there, so any third order is refused: it could name other bytes with the
  same root digest.
- the algorithm of a shard: `sha256` in the specification, `sha256-sharded-SIZE` in model_signing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from aegis.core.errors import Refused
from aegis.signatures.models.names import check_names
from aegis.signatures.shown import shown

DIGEST_SIZES: Mapping[str, int] = {"sha256": 32, "blake2b": 64}
"""Bytes. SPEC.md 7 has BLAKE3 as well, which no module of Python's own library computes."""

_HEX = re.compile(r"[0-9a-f]+", re.ASCII)
_RANGE = re.compile(r"(?s:(.+)):(0|[1-9][0-9]{0,18}):([1-9][0-9]{0,18})", re.ASCII)
"""SPEC.md 6.3.2: the last two numbers, since a file's name may hold colons."""


class Shard(NamedTuple):
    """A range of a file."""

    start: int
    """Bytes."""
    end: int | None
    """The first byte behind it; None means the end of the file, wherever that is."""
    digest: bytes


@dataclass(frozen=True, slots=True)
class ManifestFile:
    """One file that was signed."""

    name: str
    shards: tuple[Shard, ...]
    """Without gap or overlap from the first byte to the last; one shard if the file was signed as a whole."""

    @property
    def size(self) -> int | None:
        """Bytes; None where the manifest does not say."""
        return self.shards[-1].end

    @property
    def digests(self) -> tuple[bytes, ...]:
        """Of each shard."""
        return tuple(shard.digest for shard in self.shards)


class _Resource(NamedTuple):
    name: str
    file: str
    shard: Shard


def read_resources(value: Any, *, algorithm: str, shard_size: int) -> tuple[tuple[ManifestFile, ...], list[bytes]]:
    """The files by name, and all digests in the order in which they stand there.

    `shard_size`: bytes of each shard, 0 for whole files. Refuses with `verify.manifest_empty`, `…_malformed`,
    `…_inconsistent`, `verify.duplicate_name` and `verify.unsafe_name`.
    """
    if not isinstance(value, list):
        raise malformed("its resources are no list")
    if not value:
        raise Refused(
            "verify.manifest_empty",
            "the signed manifest names no file",
            expected="at least one file (SPEC.md 5.2.1)",
            remedy="Sign the model again, with its files.",
        )
    labels = {algorithm, f"{algorithm}-sharded-{shard_size}"} if shard_size else {algorithm}
    resources = [_resource(item, labels, 2 * DIGEST_SIZES[algorithm], shard_size) for item in value]
    _check_once(resources)
    _check_order(resources)
    files = _files(resources, shard_size)
    return files, [resource.shard.digest for resource in resources]


def malformed(problem: str, *, expected: str = "a manifest of OpenSSF Model Signing 1.0") -> Refused:
    """The refusal of a manifest that does not have its form."""
    return Refused(
        "verify.manifest_malformed",
        f"the signed manifest cannot be read: {problem}",
        expected=expected,
        remedy="Sign the model again with model_signing or `aegis sign model`.",
    )


def inconsistent(problem: str, *, expected: str) -> Refused:
    """The refusal of a manifest whose parts do not fit together."""
    return Refused(
        "verify.manifest_inconsistent",
        f"the signed manifest contradicts itself: {problem}",
        expected=expected,
        remedy="Sign the model again with model_signing or `aegis sign model`.",
    )


def _resource(item: Any, labels: set[str], hex_digits: int, shard_size: int) -> _Resource:
    # Fields beside these are to be ignored (SPEC.md 5.2.1).
    if not isinstance(item, dict):
        raise malformed("a resource is no object")
    name, label, digest = item.get("name"), item.get("algorithm"), item.get("digest")
    if not isinstance(name, str) or not name:
        raise malformed("a resource has no name")
    if not isinstance(label, str) or label not in labels:
        raise malformed(
            f"the algorithm of {shown(name)} is {shown(label) if isinstance(label, str) else 'missing'}",
            expected=f"the one of `serialization`: {' or '.join(sorted(labels))}",
        )
    if not isinstance(digest, str) or len(digest) != hex_digits or not _HEX.fullmatch(digest):
        raise malformed(f"the digest of {shown(name)} is none", expected=f"{hex_digits} lowercase hex digits")
    if not shard_size:
        return _Resource(name, name, Shard(0, None, bytes.fromhex(digest)))
    ranged = _RANGE.fullmatch(name)
    if ranged is None:
        raise malformed(f"the shard {shown(name)} has no range", expected="FILE:START:END")
    return _Resource(name, ranged[1], Shard(int(ranged[2]), int(ranged[3]), bytes.fromhex(digest)))


def _check_once(resources: Sequence[_Resource]) -> None:
    # Readers that put them into a dictionary take the last one.
    for name, count in Counter(resource.name for resource in resources).items():
        if count > 1:
            raise Refused(
                "verify.duplicate_name",
                f"the signed manifest names {shown(name)} {count} times",
                expected="each file or shard once",
                remedy="Sign the model again with model_signing or `aegis sign model`.",
            )


def _check_order(resources: Sequence[_Resource]) -> None:
    by_name = all(one.name <= other.name for one, other in pairwise(resources))
    if by_name or all(_by_parts(one) <= _by_parts(other) for one, other in pairwise(resources)):
        return
    raise malformed("its resources are not sorted", expected="resources sorted by name (SPEC.md 5.2.1)")


def _by_parts(resource: _Resource) -> tuple[list[str], int]:
    return resource.file.split("/"), resource.shard.start


def _files(resources: Iterable[_Resource], shard_size: int) -> tuple[ManifestFile, ...]:
    shards: dict[str, list[Shard]] = {}
    for resource in resources:
        shards.setdefault(resource.file, []).append(resource.shard)
    check_names(shards)
    files = []
    for name in sorted(shards):
        of_file = sorted(shards[name], key=lambda shard: shard.start)
        if shard_size:
            _check_ranges(name, of_file, shard_size)
        files.append(ManifestFile(name, tuple(of_file)))
    return tuple(files)


def _check_ranges(name: str, shards: Sequence[Shard], shard_size: int) -> None:
    for number, shard in enumerate(shards):
        start, end = number * shard_size, shard.end or 0
        # One that ends too early leaves a gap before the next.
        if shard.start != start or not start < end <= start + shard_size:
            raise inconsistent(
                f"{shown(name)} has a shard from {shard.start} to {end}",
                expected=f"shards of {shard_size} bytes from {start} on, without gap or overlap (SPEC.md 6.3.2)",
            )
