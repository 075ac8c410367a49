"""What was done to a bundle whose entries are not those of the tree."""

from __future__ import annotations

from aegis.audit.entry import read
from aegis.audit.findings import Finding, Tamper
from aegis.audit.log import Source
from aegis.audit.paths import WIDTH
from aegis.audit.scan import bundle_of, framed_entries, leaves_of, tile_of
from aegis.core.errors import Refused
from aegis.core.merkle import HASH_BYTES


def classify(source: Source, number: int, size: int, right: bytes) -> Finding:
    """Name it by comparing leaf hashes: those of the entries with `right`, those that were signed.

    The next bundle and tile are looked at too, since an entry that is removed or inserted moves all behind it.
    """
    width = min(size - number * WIDTH, WIDTH)
    bundle = bundle_of(source, number, width)
    there = _hashes(leaves_of(bundle))
    signed = _hashes(right)
    if there[: len(signed)] == signed:
        return Finding("T18", number * WIDTH + len(signed), f"the bundle {number} goes on after its {width} entries")
    place = next((at for at, (one, other) in enumerate(zip(there, signed, strict=False)) if one != other), len(there))
    index = number * WIDTH + place
    following = min(size - (number + 1) * WIDTH, WIDTH)
    if place == len(there) and not any_later(source, number, size):
        missing = "is missing" if not bundle else f"ends after {len(there)} entries"
        return Finding("T7", index, f"the bundle {number} {missing}, and nothing follows it")
    if not bundle:
        return Finding("T14", index, f"the bundle {number} is missing")
    if following > 0:
        there += _hashes(leaves_of(bundle_of(source, number + 1, following)))
        signed += _hashes(tile_of(source, 0, number + 1, following))
    earlier = set(signed[:place])
    if number:
        earlier.update(_hashes(tile_of(source, 0, number - 1, WIDTH)))
    return Finding(_name(there, signed, place, earlier, _is_event(bundle, place)), index, f"in the bundle {number}")


def _name(there: list[bytes], signed: list[bytes], place: int, earlier: set[bytes], event: bool) -> Tamper:
    rest, wanted = there[place:], signed[place:]
    doubled = bool(rest) and rest[0] in earlier
    if sorted(rest) == sorted(wanted):
        return "T5"
    if _same(rest, wanted[1:]):
        return "T3"
    if _same(rest[1:], wanted) and len(rest) > 1:
        return "T6" if doubled else "T4"
    if doubled:
        return "T6"
    return "T2" if event else "T1"


def _same(one: list[bytes], other: list[bytes]) -> bool:
    """Whether both go on in the same way, as far as both are known; at least one entry of each is."""
    count = min(len(one), len(other))
    return count > 0 and one[:count] == other[:count]


def any_later(source: Source, number: int, size: int) -> bool:
    """Whether a bundle after this one is there."""
    for later in range(number + 1, (size + WIDTH - 1) // WIDTH):
        if bundle_of(source, later, min(size - later * WIDTH, WIDTH)):
            return True
    return False


def _is_event(bundle: bytes, place: int) -> bool:
    entries = framed_entries(bundle)
    try:
        read(entries[place][2:])
    except (Refused, IndexError):
        return False
    return True


def _hashes(data: bytes) -> list[bytes]:
    return [data[at : at + HASH_BYTES] for at in range(0, len(data), HASH_BYTES)]
