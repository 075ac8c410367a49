"""Objects on their way from a store into sinks: each byte is asked for once and looked at once.

A transfer that breaks goes on at the byte that it reached, with the same version of the object. What a store says about
an object is believed only as far as it limits what is read; what was read is judged by its digests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress

from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage import faults
from aegis.storage.hashing import KeepingSink, Sink
from aegis.storage.parallel import Stop, each
from aegis.storage.patience import TRANSIENT, Clock, Patience

WORKERS = 4
"""Transfers at once: two cores are busy hashing with two, and the others hide the time until an object's first byte."""
RENEWED = 64 * 1024 * 1024
"""Bytes after which a transfer that breaks again has all its tries again: long ones break more often."""

OpenSinks = Callable[[ObjectInfo], AbstractContextManager[Sequence[Sink]]]
"""Opens the sinks of one object in the thread that fills them; left without an error, they were filled completely."""


def read_once(
    store: ObjectStore,
    info: ObjectInfo,
    sinks: Sequence[Sink],
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
    stop: Stop | None = None,
    told: Callable[[int], object] = lambda length: None,
) -> None:
    """Read one object from its first to its last byte into all sinks. `told` gets the length of each chunk.

    Raises `CouldNotDecide`: the store's fault, `verify.store_cut` when it broke too often, `verify.store_wrong_size`
    when it sends more than it listed, `verify.store_slow` when the time is used up.
    """
    patience, clock = patience or Patience(), clock or Clock()
    stop = stop or Stop(patience.total, clock.now)
    where = _where(store, info)
    done, attempt, waited, renewed_at = 0, 1, 0.0, RENEWED
    while True:
        problem: CouldNotDecide | None = None
        chunks: Iterator[bytes | memoryview] = iter(())
        try:
            chunks = store.read(info, done)
            for chunk in chunks:
                stop.check()
                if done + len(chunk) > info.size:
                    raise faults.wrong_size(where, f"{done + len(chunk)} bytes or more came", info.size)
                for sink in sinks:
                    sink.write(chunk)
                done += len(chunk)
                told(len(chunk))
                if stop.late:
                    raise _late(where, patience)
        except CouldNotDecide as error:
            if error.code not in TRANSIENT or stop.late:
                raise
            problem = error
        finally:
            _close(chunks)
        if done == info.size:
            return
        if done >= renewed_at:
            attempt, waited, renewed_at = 1, 0.0, done + RENEWED
        pause = patience.pause(attempt, waited, clock)
        if pause is None:
            raise problem or faults.cut(where, done, info.size)
        stop.check()
        clock.sleep(pause)
        attempt, waited = attempt + 1, waited + pause


def read_all(
    store: ObjectStore,
    infos: Iterable[ObjectInfo],
    sinks: OpenSinks,
    *,
    workers: int = WORKERS,
    patience: Patience | None = None,
    clock: Clock | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> None:
    """Read many objects at once, each by `read_once` into sinks of its own.

    The first error ends all transfers and is raised; so does an exception that a signal raises here, within 5 seconds.
    `progress` gets the bytes so far and all bytes, in the calling thread.
    """
    patience, clock = patience or Patience(), clock or Clock()
    # Largest first: a large one that begins last would run alone. The rest by key, so that runs are alike.
    queue = sorted(infos, key=lambda info: (-info.size, info.key))
    total = sum(info.size for info in queue)
    stop = Stop(patience.total, clock.now)
    counters: dict[str, int] = {}

    def fetch(info: ObjectInfo) -> None:
        def told(length: int) -> None:
            counters[info.key] += length

        counters[info.key] = 0
        with sinks(info) as opened:
            read_once(store, info, opened, patience=patience, clock=clock, stop=stop, told=told)

    def tick() -> None:
        progress(sum(counters.copy().values()), total)

    each(
        queue,
        fetch,
        stop=stop,
        workers=max(1, min(workers, len(queue))),
        late=lambda: _late(store.location, patience),
        tick=tick,
    )


def read_small(
    store: ObjectStore,
    info: ObjectInfo,
    limit: int,
    *,
    patience: Patience | None = None,
    clock: Clock | None = None,
) -> bytes:
    """A signature, as a whole. `Refused` `verify.bundle_too_large` above `limit` bytes; faults as in `read_once`."""
    if info.size > limit:
        raise Refused(
            "verify.bundle_too_large",
            f"{_where(store, info)} has {info.size} bytes",
            expected=f"a signature of at most {limit} bytes",
            remedy="Sign again; no bundle that a signer writes is this large.",
        )
    kept = KeepingSink()
    read_once(store, info, [kept], patience=patience, clock=clock)
    return kept.content


def _where(store: ObjectStore, info: ObjectInfo) -> str:
    return f"{store.location}/{info.key}"


def _late(where: str, patience: Patience) -> CouldNotDecide:
    return faults.slow(where, f"not done after {patience.total:.0f} s")


def _close(chunks: object) -> None:
    """A reader that is left early gives its connection or descriptor back at once."""
    close = getattr(chunks, "close", None)
    if close is not None:
        with suppress(CouldNotDecide):
            close()
