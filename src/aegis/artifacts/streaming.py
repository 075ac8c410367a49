"""Reads what is wanted: each object once, hashed on the way to wherever it goes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager

from aegis.artifacts.reading import Got, Gotten, Wanted
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage.hashing import HashingSink, KeepingSink, Sink
from aegis.storage.transfer import read_all

Create = Callable[[ObjectInfo], AbstractContextManager[Sink]]
"""Opens the place where an object's bytes are kept."""


def read(
    wanted: Sequence[Wanted], progress: Callable[[int, int], None] | None = None, create: Create | None = None
) -> Gotten:
    """The digests of everything wanted, store by store. The first fault ends it and is raised.

    Nothing is kept but what `create` opens a place for.
    """
    got: dict[str, Got] = {}
    total = sum(each.info.size for each in wanted)
    before = 0
    for store in dict.fromkeys(each.store for each in wanted):
        of_store = {each.info.key: each for each in wanted if each.store is store}

        def told(done: int, _of_store: int, before: int = before) -> None:
            if progress is not None:
                progress(before + done, total)

        _read_store(store, of_store, got, told, create)
        before += sum(each.info.size for each in of_store.values())
    return got


def _read_store(
    store: ObjectStore,
    wanted: dict[str, Wanted],
    got: dict[str, Got],
    progress: Callable[[int, int], None],
    create: Create | None,
) -> None:
    @contextmanager
    def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
        each = wanted[info.key]
        hashing = HashingSink(
            each.algorithms, shard_algorithm=each.shard_algorithm or "sha256", shard_size=each.shard_size
        )
        keeping = KeepingSink()
        with ExitStack() as opened:
            places = [opened.enter_context(create(info))] if create is not None else []
            yield [hashing, *([keeping] if each.keep else []), *places]
        got[each.place] = Got(hashing.size, hashing.digests, hashing.shards, keeping.content if each.keep else None)

    read_all(store, [each.info for each in wanted.values()], sinks, progress=progress)
