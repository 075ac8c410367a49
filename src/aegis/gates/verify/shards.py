"""One verification over several machines: a plan that each of them works out alike, and a merge that fails closed.

Each shard lists the stores and reads the signatures itself, so all of them know the same plan or, where something has
changed in between, plans of different digests, which never merge. What a shard gives are digests of ranges; the merge
holds them against the signatures as if it had read the bytes. A file whose manifest has shards (OpenSSF Model Signing
1.0, method `shards`) is divided at their borders; any other file is read by one shard as a whole.
"""

from __future__ import annotations

import hashlib
import heapq
import json
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aegis.artifacts import streaming
from aegis.artifacts.reading import Got, Wanted
from aegis.core.errors import Refused, UsageError
from aegis.core.ports.objects import ObjectInfo
from aegis.signatures import strict_json

SCHEMA = "aegis-verify-shard/v1"
MAX_SHARDS = 256
"""Jobs of one matrix (https://docs.github.com/actions/reference/limits)."""
_LIMIT = 64 << 20
"""Bytes of a shard's file: a million digests of ranges."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A range of one object, read by one shard."""

    wanted: Wanted
    start: int
    end: int

    @property
    def name(self) -> str:
        """Names exactly this range of exactly this version, and the digests that are taken of it."""
        wanted, info = self.wanted, self.wanted.info
        digests = [sorted(wanted.algorithms), wanted.shard_algorithm, wanted.shard_size]
        return json.dumps([wanted.place, info.version, info.etag, info.size, self.start, self.end, *digests])


@dataclass(frozen=True, slots=True)
class Plan:
    """Who reads what."""

    digest: str
    """SHA-256 (hex) of everything in it, and of the policy that it serves."""
    shards: tuple[tuple[Unit, ...], ...]
    here: tuple[Wanted, ...]
    """What the merge reads itself: content that a key signs as it is, and what other machines do not have."""

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of each shard."""
        return tuple(sum(unit.end - unit.start for unit in units) for units in self.shards)


def parse_shard(text: str) -> tuple[int, int]:
    """`i/N` as two numbers, i from 1. Raises UsageError."""
    found = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text, re.ASCII)
    if found is not None and int(found[1]) <= int(found[2]) <= MAX_SHARDS:
        return int(found[1]), int(found[2])
    raise UsageError(
        "core.wrong_usage",
        f"the shard is {text[:40]!r}",
        expected=f"i/N with 1 ≤ i ≤ N ≤ {MAX_SHARDS}",
        remedy="correct the argument `--shard` or the input `shard`",
    )


def plan_of(wanted: Iterable[Wanted], count: int, policy: str, *, local: Collection[Wanted] = ()) -> Plan:
    """The plan for so many shards; `policy` is a digest of what is asked, `local` what no other machine has."""
    # two artifacts may want the same of one object
    each_once = tuple(dict.fromkeys(wanted))
    here = tuple(each for each in each_once if each.keep or each in local)
    units = sorted(
        (unit for each in each_once if each not in here for unit in _units(each, count)),
        key=lambda unit: (unit.start - unit.end, unit.name),
    )
    loads = [(0, number) for number in range(count)]
    shards: list[list[Unit]] = [[] for _ in range(count)]
    for unit in units:
        load, number = heapq.heappop(loads)
        shards[number].append(unit)
        heapq.heappush(loads, (load + unit.end - unit.start, number))
    facts = [SCHEMA, policy, [[unit.name for unit in each] for each in shards]]
    digest = hashlib.sha256(json.dumps(facts).encode()).hexdigest()
    return Plan(digest, tuple(map(tuple, shards)), here)


def _units(wanted: Wanted, count: int) -> Iterator[Unit]:
    size, step = wanted.info.size, wanted.shard_size
    if not step or size <= step:
        yield Unit(wanted, 0, size)
        return
    ranges = -(-size // step)
    length = -(-ranges // count) * step
    for start in range(0, size, length):
        yield Unit(wanted, start, min(start + length, size))


def read_shard(plan: Plan, number: int) -> bytes:
    """Read what the plan gives to one shard; the content of its file."""
    units = plan.shards[number - 1]
    results = {}
    for unit in units:
        view = _Range(unit)
        info = ObjectInfo(unit.wanted.info.key, unit.end - unit.start, unit.wanted.info.version, unit.wanted.info.etag)
        part = Wanted(view, info, unit.wanted.algorithms, unit.wanted.shard_algorithm, unit.wanted.shard_size)
        (got,) = streaming.read([part]).values()
        results[unit.name] = {
            "digests": {name: digest.hex() for name, digest in sorted(got.digests.items())},
            "shards": [digest.hex() for digest in got.shards],
        }
    document = {"schema": SCHEMA, "plan": plan.digest, "shard": number, "of": len(plan.shards), "read": results}
    return json.dumps(document, sort_keys=True).encode()


@dataclass(frozen=True, slots=True, eq=False)
class _Range:
    """A range of an object as if it were the whole of one."""

    unit: Unit

    @property
    def location(self) -> str:
        return self.unit.wanted.store.location

    def list(self, prefix: str) -> Sequence[ObjectInfo]:
        return self.unit.wanted.store.list(prefix)

    def head(self, key: str) -> ObjectInfo | None:
        return self.unit.wanted.store.head(key)

    def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes | memoryview]:
        left = info.size - start
        chunks = self.unit.wanted.store.read(self.unit.wanted.info, self.unit.start + start)
        for chunk in chunks:
            yield memoryview(chunk)[:left]
            left -= len(chunk)
            if left <= 0:
                close = getattr(chunks, "close", None)
                if close is not None:
                    close()
                return


def count_of(documents: Sequence[tuple[str, bytes]]) -> int:
    """How many shards the plan has, as the first file says it; `merged` holds all of them against the plan."""
    name, document = documents[0]
    content = strict_json.parse(document, what=name, limit=_LIMIT)
    count = content.get("of") if isinstance(content, dict) else None
    if type(count) is not int or not 1 <= count <= MAX_SHARDS:
        raise _unfit(f"{name!r} is no shard's file", "the `shard.json` that a shard wrote")
    return count


def merged(plan: Plan, documents: Sequence[tuple[str, bytes]]) -> Mapping[Wanted, Got]:
    """The digests of all shards together. Refuses unless they are exactly those of the plan.

    `documents`: the shards' files with their names.
    """
    found: dict[int, Mapping[str, Any]] = {}
    for name, document in documents:
        number, read = _parse(name, document, plan)
        if number in found:
            raise _unfit(f"{name!r} is a second shard {number}", "each shard once")
        found[number] = read
    missing = sorted(set(range(1, len(plan.shards) + 1)) - set(found))
    if missing:
        raise _unfit(
            f"shard {', '.join(map(str, missing))} of {len(plan.shards)} is missing", "every shard of the plan"
        )
    parts: dict[Wanted, list[tuple[Unit, Any]]] = {}
    for number, units in enumerate(plan.shards, 1):
        if set(found[number]) != {unit.name for unit in units}:
            raise _unfit(f"shard {number} has read something else than its part of the plan", "exactly its part")
        for unit in units:
            parts.setdefault(unit.wanted, []).append((unit, found[number][unit.name]))
    whole = {wanted: _joined(each) for wanted, each in parts.items()}
    return {**whole, **_read_here(plan.here)}


def _read_here(wanted: Sequence[Wanted]) -> Mapping[Wanted, Got]:
    gotten: dict[Wanted, Got] = {}
    left = list(wanted)
    while left:
        # one object at a time for each place, whose digests are asked for in different ways
        now = {each.place: each for each in reversed(left)}
        of_place = streaming.read(tuple(now.values()))
        gotten.update((each, of_place[place]) for place, each in now.items())
        left = [each for each in left if each not in gotten]
    return gotten


def _parse(name: str, document: bytes, plan: Plan) -> tuple[int, Mapping[str, Any]]:
    content = strict_json.parse(document, what=name, limit=_LIMIT)
    if not isinstance(content, dict) or set(content) != {"schema", "plan", "shard", "of", "read"}:
        raise _unfit(f"{name!r} is no shard's file", "the `shard.json` that a shard wrote")
    if (content["schema"], content["plan"], content["of"]) != (SCHEMA, plan.digest, len(plan.shards)):
        raise _unfit(f"{name!r} is of another plan", f"the plan {plan.digest[:12]} of {len(plan.shards)} shards")
    number, read = content["shard"], content["read"]
    if type(number) is not int or not 1 <= number <= len(plan.shards) or not isinstance(read, dict):
        raise _unfit(f"{name!r} is no shard of the plan", f"a number from 1 to {len(plan.shards)}")
    return number, read


def _joined(parts: Iterable[tuple[Unit, Any]]) -> Got:
    ordered = sorted(parts, key=lambda part: part[0].start)
    try:
        gotten = [_digests(unit, got) for unit, got in ordered]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _unfit("a shard's digests cannot be read", "hexadecimal digests of each range") from error
    # only objects that are hashed in pieces are divided
    whole = gotten[0][0] if len(ordered) == 1 else {}
    return Got(ordered[0][0].wanted.info.size, whole, tuple(digest for _, shards in gotten for digest in shards))


def _digests(unit: Unit, got: Any) -> tuple[Mapping[str, bytes], Sequence[bytes]]:
    """What a shard says of one range, if it is all that was wanted and nothing else. Raises ValueError and others."""
    wanted = unit.wanted
    digests = {name: bytes.fromhex(digest) for name, digest in got["digests"].items()}
    shards = [bytes.fromhex(digest) for digest in got["shards"]]
    count = -(-(unit.end - unit.start) // wanted.shard_size) if wanted.shard_size else 0
    sizes = {name: hashlib.new(name).digest_size for name in wanted.algorithms}
    of_shard = hashlib.new(wanted.shard_algorithm).digest_size if wanted.shard_size else 0
    if {name: len(digest) for name, digest in digests.items()} != sizes:
        raise ValueError(sorted(digests))
    if [len(shard) for shard in shards] != [of_shard] * count or set(got) != {"digests", "shards"}:
        raise ValueError(len(shards))
    return digests, shards


def _unfit(problem: str, expected: str) -> Refused:
    return Refused(
        "verify.shard_invalid",
        problem,
        expected=expected,
        remedy="run all shards of one plan again, and merge exactly their outputs",
    )
