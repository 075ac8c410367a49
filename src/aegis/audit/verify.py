"""Whether a log is what its key signed, and what was done to it if not.

One pass over the entries: they are hashed as they lie there, so the root hash that the checkpoint names decides over
all of them at once. Tiles only say where a difference begins; where they differ from entries that are right, they are
what was edited.
"""

from __future__ import annotations

import concurrent.futures
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from aegis.audit.checkpoint import open_checkpoint, read_checkpoint
from aegis.audit.differ import any_later, classify
from aegis.audit.disk_source import DiskSource
from aegis.audit.findings import Finding, Report, Tamper
from aegis.audit.keys import Verifier
from aegis.audit.log import Source
from aegis.audit.paths import CHECKPOINT, WIDTH
from aegis.audit.scan import (
    CLOCK_SECONDS,
    Part,
    Restore,
    bundle_of,
    framed_entries,
    is_back,
    leaves_of,
    scan,
    tile_of,
)
from aegis.audit.tree import tile_root
from aegis.core.errors import Refused
from aegis.core.merkle import EMPTY_ROOT, HASH_BYTES, hash_children
from aegis.core.note import Checkpoint

Progress = Callable[[int, int], None]
"""Bundles that were read, and all that there are."""
_BUNDLES = 128
"""In one piece of work: 32,768 entries."""


def verify_folder(
    folder: Path, vkey: Verifier, against: Sequence[bytes] = (), *, jobs: int = 1, progress: Progress | None = None
) -> Report:
    """As `verify_log`, of a log on disk with the newest entries in its journal."""
    return verify_disk(DiskSource(folder, vkey), vkey, against, jobs=jobs, progress=progress)


def verify_disk(
    source: DiskSource,
    vkey: Verifier,
    against: Sequence[bytes] = (),
    *,
    jobs: int = 1,
    progress: Progress | None = None,
) -> Report:
    """As `verify_folder`, of one that was opened."""
    report = verify_log(source, vkey, against, jobs=jobs, progress=progress)
    if source.unsound is not None and not report.findings:
        return report.joined([source.unsound], source.notes)
    return report.joined(source.findings, source.notes)


def verify_log(
    source: Source, vkey: Verifier, against: Sequence[bytes] = (), *, jobs: int = 1, progress: Progress | None = None
) -> Report:
    """Read the whole log once. `against`: older checkpoints of it, which were kept elsewhere.

    `jobs`: processes, for a source that can be pickled. `progress` is told after each piece. Raises CouldNotDecide
    `audit.unavailable` where the log cannot be read; refuses with `audit.checkpoint_invalid` where one of `against` is
    not this log's.
    """
    published = sorted((open_checkpoint(note, vkey) for note in against), key=lambda each: each.size)
    note = source.read(CHECKPOINT)
    if note is None:
        return Report(vkey.origin, 0, EMPTY_ROOT, (Finding("T14", 0, "the checkpoint is missing"),))
    head, problem = _head(note, vkey)
    if head is None:
        return Report(vkey.origin, 0, EMPTY_ROOT, (problem,) if problem else ())
    found = _read_all(source, head, published, jobs, progress or (lambda _done, _all: None))
    return _judge(source, head, problem, found, published)


@dataclass(frozen=True, slots=True)
class _Found:
    """The whole log's entries, as they lie there."""

    part: Part

    def root(self, size: int) -> bytes | None:
        """Of the first entries; None where they are not all there."""
        number, width = divmod(size, WIDTH)
        roots, leaves = (
            self.part.roots[:number],
            self.part.leaves.get(number, b"")[: width * HASH_BYTES] if width else b"",
        )
        return root_over(roots, leaves) if len(roots) == number and len(leaves) == width * HASH_BYTES else None


def root_over(roots: Sequence[bytes], leaves: bytes) -> bytes | None:
    """MTH of full bundles by their roots and of the leaf hashes that follow; None where a root is missing."""
    if not all(roots):
        return None
    rest = [leaves[at : at + HASH_BYTES] for at in range(0, len(leaves), HASH_BYTES)]
    found = b""
    for peak in reversed([*_peaks(roots), *_peaks(rest)]):
        found = hash_children(peak, found) if found else peak
    return found or EMPTY_ROOT


def _peaks(nodes: Sequence[bytes]) -> Iterator[bytes]:
    """The roots of the largest complete subtrees, from the left."""
    at = 0
    for height in reversed(range(len(nodes).bit_length())):
        if len(nodes) >> height & 1:
            row = list(nodes[at : at + (1 << height)])
            at += 1 << height
            while len(row) > 1:
                row = [hash_children(row[each], row[each + 1]) for each in range(0, len(row), 2)]
            yield row[0]


def _judge(
    source: Source, head: Checkpoint, problem: Finding | None, found: _Found, published: Sequence[Checkpoint]
) -> Report:
    part = found.part
    vouched = max((each.size for each in published if found.root(each.size) == each.root), default=0)
    notes = [f"entry {index} {text.removeprefix('the entry ')}" for index, text in part.unread]
    if part.unread_count > len(notes):
        notes.append(f"{part.unread_count} entries are no events that this version knows")
    report = Report(head.origin, head.size, head.root, notes=tuple(notes))
    if problem is not None:
        return replace(report, findings=(replace(problem, index=vouched),))
    if found.root(head.size) != head.root:
        return replace(report, findings=(_changed(source, head, part, vouched),))
    number, width = divmod(head.size, WIDTH)
    if len(part.leaves.get(number, b"")) > width * HASH_BYTES:
        return replace(report, findings=(Finding("T18", head.size, f"the bundle {number} goes on after its end"),))
    findings = [*_tiles(source, head.size, part)]
    if part.back is not None:
        findings.append(
            Finding("T17", part.back, f"its time is more than {CLOCK_SECONDS} s before that of an older entry")
        )
    restored: set[int] = set()
    for each in published:
        if each.size <= head.size and found.root(each.size) == each.root:
            continue
        restore = next((event for event in part.restores if _gives_up(event, each)), None)
        if restore is not None:
            restored.add(restore.index)
        else:
            findings.append(_not_continued(head, each, vouched))
    findings.sort(key=lambda finding: finding.index)
    return replace(report, findings=tuple(findings), restored=tuple(sorted(restored)))


def _changed(source: Source, head: Checkpoint, part: Part, vouched: int) -> Finding:
    """The entries are not those that were signed. What still leads to the signed root hash says which of them."""
    size, first = head.size, part.differing
    number, width = divmod(size, WIDTH)
    tail = tile_of(source, 0, number, width) if width else b""
    tiles = [part.tile_roots.get(each, root) for each, root in enumerate(part.roots)]
    if first is not None and root_over(tiles, tail) == head.root:
        return classify(source, first, size, tile_of(source, 0, first, min(size - first * WIDTH, WIDTH)))
    level = [_level(source, 1, each, number) for each in range((number + WIDTH - 1) // WIDTH)]
    above = [tile[at : at + HASH_BYTES] for tile in level for at in range(0, len(tile), HASH_BYTES)]
    if len(above) == number and root_over(above, tail) == head.root:
        wrong = next((each for each in range(number) if part.roots[each] != above[each]), number)
        if wrong < number and part.tile_roots.get(wrong) == above[wrong]:
            return classify(source, wrong, size, tile_of(source, 0, wrong, WIDTH))
        return Finding("T9", wrong * WIDTH, f"the bundle {wrong} and its tile are not those that were signed")
    if part.short is not None and not any_later(source, part.short, size):
        there = len(framed_entries(bundle_of(source, part.short, min(size - part.short * WIDTH, WIDTH))))
        return Finding("T7", part.short * WIDTH + there, f"bundles and tiles end there, of {size} entries")
    return Finding("T9", vouched, "entries and tiles do not lead to the root hash that was signed")


def _tiles(source: Source, size: int, part: Part) -> Iterator[Finding]:
    """Tiles that are not those of the entries, which are right; of each level the first one."""
    if part.differing is not None:
        width = min(size - part.differing * WIDTH, WIDTH)
        right = leaves_of(bundle_of(source, part.differing, width))
        yield _tile_finding(0, part.differing, tile_of(source, 0, part.differing, width), right)
    level, row = 1, part.roots
    while row:
        above = []
        for number in range((len(row) + WIDTH - 1) // WIDTH):
            right = b"".join(row[number * WIDTH : (number + 1) * WIDTH])
            there = tile_of(source, level, number, len(right) // HASH_BYTES)
            if there != right:
                yield _tile_finding(level, number, there, right)
                return
            if len(right) == WIDTH * HASH_BYTES:
                above.append(tile_root(right))
        level, row = level + 1, above


def _tile_finding(level: int, number: int, there: bytes, right: bytes) -> Finding:
    pairs = ((there[at : at + HASH_BYTES], right[at : at + HASH_BYTES]) for at in range(0, len(right), HASH_BYTES))
    place = next((at for at, (one, other) in enumerate(pairs) if one != other), len(right) // HASH_BYTES)
    index = (number * WIDTH + place) * WIDTH**level
    if not there:
        return Finding("T14", index, f"the tile {number} of level {level} is missing; the entries are right")
    return Finding("T15", index, f"the tile {number} of level {level} is not that of the entries, which are right")


def _level(source: Source, level: int, number: int, count: int) -> bytes:
    return tile_of(source, level, number, min(count - number * WIDTH, WIDTH))


def _gives_up(restore: Restore, lost: Checkpoint) -> bool:
    """Whether the restore says so of this checkpoint, or of a later one of the same lost end.

    The service may have written on before anybody recorded it: where the entry stands says nothing.
    """
    if lost.size == restore.size:
        return restore.root == lost.root.hex()
    return restore.since < lost.size < restore.size


def _not_continued(head: Checkpoint, published: Checkpoint, vouched: int) -> Finding:
    what = f"a checkpoint of {published.size} entries was published, root {published.root.hex()}"
    if published.size > head.size:
        return Finding("T8", head.size, f"{what}; the log has {head.size}")
    if vouched:
        return Finding("T11", vouched, f"{what}; the log goes on otherwise after {vouched} entries")
    return Finding("T10", 0, f"{what}; the log's key signed other entries")


def _head(note: bytes, vkey: Verifier) -> tuple[Checkpoint | None, Finding | None]:
    """What the checkpoint says, and why it is not to be believed."""
    try:
        said = read_checkpoint(note)
    except Refused as error:
        return None, Finding("T1", 0, error.problem)
    try:
        return open_checkpoint(note, vkey), None
    except Refused as error:
        if said.origin != vkey.origin:
            kind: Tamper = "T12"
        elif any((name, blob[:4]) == (vkey.origin, vkey.key_id) for name, blob in said.signatures):
            kind = "T9"
        else:
            kind = "T13"
        return said, Finding(kind, 0, error.problem)


def _read_all(
    source: Source, head: Checkpoint, published: Sequence[Checkpoint], jobs: int, progress: Progress
) -> _Found:
    wanted = {each.size // WIDTH for each in (*published, head)}
    count = (head.size + WIDTH - 1) // WIDTH
    pieces = [range(at, min(at + _BUNDLES, count)) for at in range(0, count, _BUNDLES)]
    whole = Part()
    for piece, part in zip(pieces, _scan_all(source, pieces, head.size, wanted, jobs), strict=True):
        if whole.back is None and part.earliest and is_back(part.earliest, whole.latest or part.earliest):
            part.back = scan(source, piece, head.size, (), whole.latest).back
        _join(whole, part)
        progress(piece.stop, count)
    return _Found(whole)


def _scan_all(source: Source, pieces: Sequence[range], size: int, wanted: set[int], jobs: int) -> Iterator[Part]:
    if jobs == 1 or len(pieces) == 1:
        for piece in pieces:
            yield scan(source, piece, size, wanted)
        return
    # A fork would copy the locks of other threads in whatever state they are.
    context = multiprocessing.get_context("spawn")
    others = multiprocessing.active_children()
    with concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context) as pool:
        count = len(pieces)
        try:
            yield from pool.map(scan, [source] * count, pieces, [size] * count, [wanted] * count)
        except BaseException:  # a signal to stop, above all: the pool would wait for pieces that nobody takes
            for child in multiprocessing.active_children():
                if child not in others:
                    child.kill()
            raise


def _join(whole: Part, part: Part) -> None:
    whole.roots += part.roots
    whole.leaves |= part.leaves
    whole.differing = part.differing if whole.differing is None else whole.differing
    whole.short = part.short if whole.short is None else whole.short
    whole.tile_roots |= part.tile_roots
    whole.unread = (whole.unread + part.unread)[:5]
    whole.unread_count += part.unread_count
    whole.back = part.back if whole.back is None else whole.back
    whole.latest = max(whole.latest, part.latest)
    whole.restores += part.restores
