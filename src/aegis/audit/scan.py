"""One pass over a part of a log: each entry hashed as it lies there, read, and compared with its tile."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from aegis.audit.bundle import LENGTH_BYTES, entries_of
from aegis.audit.entry import Written, parse_time, read, read_many
from aegis.audit.log import Source
from aegis.audit.paths import WIDTH, bundle_path, tile_path
from aegis.audit.tree import tile_root
from aegis.core.errors import Refused
from aegis.core.merkle import HASH_BYTES, hash_leaf

CLOCK_SECONDS = 10
"""By which an entry's time may be before an older entry's: the clocks of several hosts are never quite equal."""
_MOST_NOTES = 5
_BACK = CLOCK_SECONDS * 1_000_000_000


@dataclass(frozen=True, slots=True)
class Restore:
    """A `database.restored` event: the checkpoint that was published and is not continued."""

    index: int
    size: int
    root: str
    """Hex."""
    since: int
    """Entries that the log had when it was recorded: at most these are common to it and to what was lost."""


@dataclass(slots=True)
class Part:
    """What was found in a range of bundles, in order."""

    roots: list[bytes] = field(default_factory=list)
    """Of each full bundle's entries."""
    leaves: dict[int, bytes] = field(default_factory=dict)
    """Leaf hashes of the bundles that were asked for."""
    differing: int | None = None
    """The first bundle whose entries are not those of its tile, or that is not there."""
    tile_roots: dict[int, bytes] = field(default_factory=dict)
    """Of the full tile of each such bundle; nothing where that is not whole."""
    short: int | None = None
    """The first bundle with fewer entries than it should have."""
    unread: list[tuple[int, str]] = field(default_factory=list)
    """Entries that are no events; only the first few."""
    unread_count: int = 0
    back: int | None = None
    """The first entry whose time is before an older one's."""
    earliest: str = ""
    latest: str = ""
    restores: list[Restore] = field(default_factory=list)


def scan(source: Source, bundles: range, size: int, wanted: Collection[int], latest: str = "") -> Part:
    """Check these bundles of a log of this size; keep the leaf hashes of the wanted ones.

    `latest`: the latest time of an entry before them.

    Raises CouldNotDecide `audit.unavailable` where the source fails.
    """
    part = Part(latest=latest)
    for number in bundles:
        width = min(size - number * WIDTH, WIDTH)
        tile = tile_of(source, 0, number, width)
        leaves = _leaves(part, bundle_of(source, number, width), number * WIDTH)
        if part.short is None and len(leaves) < width * HASH_BYTES:
            part.short = number
        if leaves != tile:
            if width == WIDTH:
                part.tile_roots[number] = tile_root(tile) if len(tile) == WIDTH * HASH_BYTES else b""
            if part.differing is None:
                part.differing = number
        if width == WIDTH:
            part.roots.append(tile_root(leaves) if len(leaves) == WIDTH * HASH_BYTES else b"")
        if number in wanted:
            part.leaves[number] = leaves
    return part


def bundle_of(source: Source, number: int, width: int) -> bytes:
    """The bundle as it lies there; nothing where there is none."""
    found = source.read(bundle_path(number, width))
    if found is not None or width == WIDTH:
        return found or b""
    full = source.read(bundle_path(number)) or b""
    return b"".join(framed_entries(full)[:width])


def framed_entries(bundle: bytes) -> list[bytes]:
    """The entries with their lengths, and what is left over as a last one."""
    parts, at = [], 0
    while at < len(bundle):
        end = at + 2 + int.from_bytes(bundle[at : at + 2], "big")
        parts.append(bundle[at:end])
        at = end
    return parts


def tile_of(source: Source, level: int, number: int, width: int) -> bytes:
    """The tile as it lies there; nothing where there is none."""
    found = source.read(tile_path(level, number, width))
    if found is not None or width == WIDTH:
        return found or b""
    return (source.read(tile_path(level, number)) or b"")[: width * HASH_BYTES]


def leaves_of(bundle: bytes) -> bytes:
    """The leaf hashes of the entries; of a cut-off last one, that of what is left."""
    return b"".join(hash_leaf(each[2:]) for each in framed_entries(bundle))


def _leaves(part: Part, bundle: bytes, index: int) -> bytes:
    try:
        entries = list(entries_of(bundle))
        events = entries
    except Refused:
        entries = [each[LENGTH_BYTES:] for each in framed_entries(bundle)]
        events = entries[:-1]
    if events:
        _events(part, events, index)
    return b"".join(map(hash_leaf, entries))


def _events(part: Part, entries: Sequence[bytes], index: int) -> None:
    found = read_many(entries)
    if found is None:
        for at, entry in enumerate(entries, index):
            try:
                event = read(entry)
            except Refused as error:
                part.unread_count += 1
                if len(part.unread) < _MOST_NOTES:
                    part.unread.append((at, error.problem))
            else:
                _times(part, [event.time], at)
                _restores(part, [event], at)
        return
    _times(part, [each.time for each in found], index)
    _restores(part, found, index)


def _times(part: Part, times: Sequence[str], index: int) -> None:
    # Times of one form are ordered as their texts are.
    earliest = min(times)
    if earliest < part.earliest or not part.earliest:
        part.earliest = earliest
    if times[0] >= part.latest and times == sorted(times):
        part.latest = times[-1]
        return
    for at, time in enumerate(times, index):
        if time >= part.latest:
            part.latest = time
        elif part.back is None and is_back(time, part.latest):
            part.back = at


def _restores(part: Part, events: Sequence[Written], index: int) -> None:
    for at, event in enumerate(events, index):
        if event.action == "database.restored":
            size, root = event.details.get("lost_size"), event.details.get("lost_root")
            since = event.details.get("restored_size")
            if isinstance(size, int) and isinstance(root, str):
                part.restores.append(Restore(at, size, root, since if isinstance(since, int) else at))


def is_back(time: str, latest: str) -> bool:
    """Whether a time is further before an older entry's than clocks differ."""
    return parse_time(latest) - parse_time(time) > _BACK
