"""The audit log for those who check it: as pages, as proofs, and as the resources that other tools verify.

All of it is read from what a checkpoint covers that was signed for this very answer, so that nothing is shown that
could not be proven.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from msgspec import Raw

from aegis.audit.bundle import entries_of
from aegis.audit.checkpoint import read_checkpoint
from aegis.audit.entry import decode
from aegis.audit.faults import unavailable
from aegis.audit.log import Source
from aegis.audit.paths import CHECKPOINT, WIDTH, is_path, tile_path
from aegis.audit.proof import write_proof
from aegis.audit.prove import consistency, inclusion, read_entry
from aegis.audit.tree import read_bundle
from aegis.core.errors import AegisError, Refused
from aegis.core.merkle import hash_leaf, root_of_leaf
from aegis.core.note import Checkpoint
from aegis_multimodal_ai_system.api.answers import Consistency, Entries, Entry, Page, ProvenEntry, Sizes
from aegis_multimodal_ai_system.api.edge import path_unknown
from aegis_multimodal_ai_system.api.operations import BYTES, TEXT, Call, Plain
from aegis_multimodal_ai_system.api.refusals import malformed, refused

_INDEX = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)


def list_entries(call: Call) -> Entries:
    """From `start`, at most `limit`."""
    page: Page = call.query
    log = call.service.runtime.log
    head = read_checkpoint(log.checkpoint())
    end = min(page.start + page.limit, head.size)
    entries = tuple(
        Entry(index=index, leaf_hash=_hash(hash_leaf(entry)), entry=_shown(entry))
        for index, entry in _entries(log, head, page.start, end)
    )
    return Entries(size=head.size, entries=entries, next=end if end < head.size else None)


def show_entry(call: Call) -> ProvenEntry:
    """With its inclusion in the newest tree. Raises Refused `runtime.api_entry_unknown`."""
    if not _INDEX.fullmatch(call.path["index"]):
        raise path_unknown()
    index, log = int(call.path["index"]), call.service.runtime.log
    note = log.checkpoint()
    head = read_checkpoint(note)
    if index >= head.size:
        raise _beyond(f"there is no entry {index}", head.size)
    entry = read_entry(log, index=index, size=head.size)
    leaf, proof = hash_leaf(entry), inclusion(log, index=index, size=head.size)
    if root_of_leaf(leaf, index=index, size=head.size, hashes=proof) != head.root:
        raise _changed(f"the entry {index} is not the one of the tree")
    return ProvenEntry(
        index=index,
        leaf_hash=_hash(leaf),
        entry=_shown(entry),
        size=head.size,
        proof=tuple(_hash(node) for node in proof),
        checkpoint=note.decode(),
        tlog_proof=write_proof(index, proof, note).decode(),
    )


def show_checkpoint(call: Call) -> Plain:
    """A signed note on all that is durable now."""
    return Plain(call.service.runtime.log.checkpoint(), TEXT)


def show_tile(call: Call) -> Plain:
    """One resource of C2SP tlog-tiles; only what its grammar names is ever opened."""
    path, log = call.path["path"], call.service.runtime.log
    if path == CHECKPOINT:
        return show_checkpoint(call)
    content = log.read(path) if is_path(path) else None
    if content is None:
        raise path_unknown()
    return Plain(content, BYTES)


def prove_consistency(call: Call) -> Consistency:
    """That nothing of the smaller log was changed. Raises Refused `runtime.api_entry_unknown`."""
    sizes: Sizes = call.query
    if sizes.start > sizes.end:
        raise malformed(f"from {sizes.start} to {sizes.end}", expected="the smaller size first")
    log = call.service.runtime.log
    checkpoint = log.checkpoint()
    size = read_checkpoint(checkpoint).size
    if sizes.end > size:
        raise _beyond(f"the log never had {sizes.end} entries", size)
    proof = consistency(log, old=sizes.start, new=sizes.end)
    return Consistency(
        start=sizes.start,
        end=sizes.end,
        proof=tuple(_hash(node) for node in proof),
        checkpoint=checkpoint.decode(),
    )


def _entries(log: Source, head: Checkpoint, start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Those of a range, a bundle at a time, each bundle proven by the head."""
    for number in range(start // WIDTH, (end + WIDTH - 1) // WIDTH if start < end else 0):
        first = number * WIDTH
        for index, entry in enumerate(_proven(log, head, number), first):
            if start <= index < end:
                yield index, entry


def _proven(log: Source, head: Checkpoint, number: int) -> Sequence[bytes]:
    """All entries of a bundle below the head. Raises `audit.unavailable` where they are not those of its tree."""
    first, width = number * WIDTH, min(WIDTH, head.size - number * WIDTH)
    try:
        entries = list(entries_of(read_bundle(log, number, width)))[:width]
    except Refused as error:  # one that is cut off
        raise _changed(f"the bundle {number} {error.problem}") from error
    if len(entries) < width:
        raise _changed(f"the bundle {number} has {len(entries)} entries")
    leaves = [hash_leaf(entry) for entry in entries]
    # The first one's way up to the root passes nodes over all others of its tile: with these leaves in the tile's
    # place, the root is the head's only if each of them is the log's.
    proof = inclusion(_WithTile(log, tile_path(0, number, width), b"".join(leaves)), index=first, size=head.size)
    if root_of_leaf(leaves[0], index=first, size=head.size, hashes=proof) != head.root:
        raise _changed(f"the bundle {number} is not the one of the tree")
    return entries


@dataclass(frozen=True, slots=True)
class _WithTile:
    """A log in which one tile is what it should be by its entries."""

    log: Source
    path: str
    tile: bytes

    def read(self, path: str) -> bytes | None:
        return self.tile if path == self.path else self.log.read(path)


def _shown(entry: bytes) -> Raw:
    """In its own bytes, once they are known to be one event and nothing beside it."""
    try:
        decode(entry)
    except Refused as error:
        raise _changed(error.problem) from error
    return Raw(entry)


def _changed(problem: str) -> AegisError:
    return unavailable(problem, expected="what was recorded")


def _beyond(problem: str, size: int) -> AegisError:
    return refused("runtime.api_entry_unknown", problem, expected=f"below or at its size, {size}")


def _hash(node: bytes) -> str:
    return b64encode(node).decode()
