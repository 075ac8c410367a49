"""From a signed artifact to open files: out of what is kept, or out of its store; hashed through what is given out."""

from __future__ import annotations

import hashlib
import os
import resource
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from queue import SimpleQueue
from threading import Lock, Thread
from typing import BinaryIO, Literal, Self

from aegis.artifacts import preparing
from aegis.artifacts.prepared import Prepared
from aegis.artifacts.reading import Got, Wanted
from aegis.artifacts.result import Result
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.policy import Load
from aegis.core.ports.objects import ObjectInfo
from aegis.storage.content_store import ContentStore, Staging, hold_again, let_go
from aegis.storage.hashing import Sink
from aegis.storage.local_tree import open_below, walk
from aegis.storage.parallel import Stop, each
from aegis.storage.patience import Patience
from aegis.storage.private_folder import open_private
from aegis.storage.transfer import WORKERS, read_all
from aegis_multimodal_ai_system.descriptors import Memory, digests, memory_short, reopen, told, too_many_open_files
from aegis_multimodal_ai_system.memory import Promise, Promises, available_memory
from aegis_multimodal_ai_system.verified_model import VerifiedFile

Accept = Callable[[Result, Mapping[str, BinaryIO]], Mapping[str, str]]
"""The last word on files that are as signed, before anything is kept: gives the formats, raises AegisError."""

_SPARE = 64 << 20
"""Bytes of disk and memory that stay free: for the log's entries, and for whatever else the service does."""
_SPARE_FILES = 64
"""Descriptors that stay free."""


@dataclass(eq=False, slots=True, kw_only=True)
class Fetched:
    """A model's open files, with the bytes that were signed."""

    files: Mapping[str, VerifiedFile]
    sealed: bool
    result: Result
    formats: Mapping[str, str]
    origin: Literal["kept", "store"]
    hold: int | None = None
    """Keeps the kept copy from being removed while its files are open."""
    _process: int = field(default_factory=os.getpid)

    def __del__(self) -> None:
        self.let_go()  # nobody else can, and the copy would be kept as long as the process lives

    def copy(self) -> Fetched:
        """The same for another caller, with descriptors of its own."""
        open_files = _Files()
        try:
            for name, file in self.files.items():
                open_files.add(name, reopen(file.fileno()), file.size)
            with told("opening a folder once more"):
                hold = hold_again(self.hold) if self.hold is not None else None
        except BaseException:
            open_files.close()
            raise
        return Fetched(
            files=open_files.files,
            sealed=self.sealed,
            result=self.result,
            formats=self.formats,
            origin=self.origin,
            hold=hold,
        )

    def close(self) -> None:
        """Give everything back."""
        for file in self.files.values():
            file.close()
        self.let_go()

    def let_go(self) -> None:
        """The kept copy may be removed from now on."""
        hold, self.hold = self.hold, None
        if hold is not None:
            let_go(hold, self._process)


class _Files:
    """Files that are being opened in several threads, with their digests."""

    def __init__(self, promise: Promise | None = None) -> None:
        """The memory that these files may take, if that is where they go."""
        if promise is not None:
            promise.begin()
        self._promise = promise
        self.files: dict[str, VerifiedFile] = {}
        self.gotten: dict[str, Got] = {}
        self._lock = Lock()
        self._closed = False

    def add(self, name: str, descriptor: int, size: int) -> None:
        """Take a descriptor. A thread that comes late, when all is over, has it closed."""
        file = VerifiedFile(name, size, descriptor)
        with self._lock:
            self.files[name] = file
            if self._closed:
                file.close()

    @contextmanager
    def memory(self) -> Iterator[Memory]:
        """Of one file, open until the block ends."""
        memory = Memory()
        try:
            if self._promise is not None:
                self._promise.take(memory)
            yield memory
        finally:
            memory.close()

    def take(self, name: str, descriptor: int, wanted: Wanted) -> None:
        """A descriptor that will be given out: its digests are those of what can be read through it."""
        self.add(name, descriptor, wanted.info.size)
        self.gotten[wanted.place] = digests(descriptor, wanted)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            for file in self.files.values():
                file.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """How a deployment gives its models out."""

    kept: ContentStore
    folder: Path
    """Where these are kept."""
    kept_bytes: int
    sealed: bool
    memory: Callable[[], int] = available_memory
    """Bytes that may still be taken."""
    promises: Promises = field(default_factory=Promises)
    """Of these bytes, to loads that are under way."""
    patience: Patience = field(default_factory=Patience)

    def fetch(self, prepared: Prepared, load: Load, accept: Accept, told_changed: Callable[[], object]) -> Fetched:
        """Raises AegisError, and leaves nothing then: no file, no descriptor, no memory.

        `told_changed` is called where a kept copy is not what was verified; it is removed, and the store asked.
        """
        size = sum(wanted.info.size for wanted in prepared.wanted)
        self._check_caps(prepared, load, size)
        place = _place_of(prepared)
        with self._promised(prepared, size) as promise:
            if place is not None:
                fetched, changed = self._from_kept(prepared, place, load, accept, promise)
                if fetched is not None:
                    return fetched
                if changed:
                    told_changed()
            if size > self.kept_bytes:
                place = None
            if place is not None or not self.sealed:
                self._make_room(size, keep=place is not None)
            return self._from_store(prepared, accept, promise, place)

    def _check_caps(self, prepared: Prepared, load: Load, size: int) -> None:
        """Before a byte is read. What the store then sends is held to the sizes that it listed."""
        name, count = prepared.case.artifact.name, len(prepared.wanted)
        if count > load.max_files:
            raise Refused(
                "runtime.too_many_files",
                f"{name} has {count} files",
                expected=f"at most {load.max_files} (verify.load.max-files)",
                remedy="raise max-files in the policy if it is meant to have so many",
            )
        if size > load.max_bytes:
            raise Refused(
                "runtime.model_too_large",
                f"{name} has {size} bytes",
                expected=f"at most {load.max_bytes} (verify.load.max-bytes)",
                remedy="raise max-bytes in the policy if it is meant to be this large",
            )
        limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        if limit != resource.RLIM_INFINITY and count + _open_descriptors() + _SPARE_FILES > limit:
            raise too_many_open_files(f"{name} has {count} files, and this process may open {limit}")

    @contextmanager
    def _promised(self, prepared: Prepared, size: int) -> Iterator[Promise | None]:
        """Memory for the model; None where it is given out on disk. Raises CouldNotDecide `runtime.memory_short`."""
        if not self.sealed:
            yield None
            return
        with self.promises.make(size, self._free_memory) as promise:
            if promise is None:
                raise memory_short(
                    f"{prepared.case.artifact.name} has {size} bytes, and {self.memory()} bytes of memory are free, "
                    "less what is promised to models that are just being loaded"
                )
            yield promise

    def _free_memory(self) -> int:
        return self.memory() - _SPARE

    # --- out of what is kept ------------------------------------------------------------------------------------------

    def _from_kept(
        self, prepared: Prepared, place: str, load: Load, accept: Accept, promise: Promise | None
    ) -> tuple[Fetched | None, bool]:
        """The kept copy, if it still is what was signed; else it is removed, and the second value says so."""
        files = _Files(promise)
        try:
            with self.kept.hold(place) as folder:
                if folder is None:
                    # also where something else stands in its place, which nobody could verify
                    return None, self.kept.remove_other(place)
                try:
                    result = self._read_kept(prepared, folder, load, files, promise)
                except AegisError as error:
                    if not error.code.startswith("verify."):
                        raise  # no memory, no descriptors: this says nothing about the copy
                    files.close()
                    self.kept.remove(place, even_held=True)
                    return None, True
                try:
                    formats = _accepted(files, result, accept)
                except Refused:
                    self.kept.remove(place, even_held=True)
                    raise
                with told("opening a folder once more"):
                    hold = None if self.sealed else hold_again(folder)
        except BaseException:
            files.close()
            raise
        return Fetched(
            files=files.files, sealed=self.sealed, result=result, formats=formats, origin="kept", hold=hold
        ), False

    def _read_kept(self, prepared: Prepared, folder: int, load: Load, files: _Files, promise: Promise | None) -> Result:
        """By the sizes that its own files have: what the store lists today says nothing about them."""
        where = str(self.folder)
        wanted = {prepared.name_of(each.info): each for each in prepared.wanted}
        there = {found.name: found.stat.st_size for found in walk(folder, where) if not found.is_folder or found.empty}
        size = sum(there.values())
        fits = promise is None or self.promises.grow(promise, size, self._free_memory)
        if there.keys() != wanted.keys() or size > load.max_bytes or not fits:
            raise Refused(
                "verify.kept_copy_changed",
                "the kept copy has other or larger files than the artifact",
                expected="the files that were verified",
                remedy="find out what has written there",
            )
        names = {name: replace(each, info=replace(each.info, size=there[name])) for name, each in wanted.items()}

        def open_one(name: str) -> None:
            with open_below(folder, name, where) as file:
                self._give_out(name, file, names[name], files)

        self._each(names, open_one, where)
        return preparing.finish(prepared, files.gotten)

    def _each(self, names: Mapping[str, Wanted], do: Callable[[str], None], where: str) -> None:
        stop = Stop(self.patience.total)
        order = sorted(names, key=lambda name: (-names[name].info.size, name))
        each(order, do, stop=stop, workers=max(1, min(WORKERS, len(order))), late=lambda: _late(where))

    def _give_out(self, name: str, file: int, wanted: Wanted, files: _Files) -> None:
        """A file on disk, as it is given out."""
        if not self.sealed:
            files.take(name, reopen(file), wanted)
            return
        with files.memory() as memory:
            # one byte more than there should be, so that a file that has grown is found to be too long
            memory.copy(file, wanted.info.size + 1)
            files.take(name, memory.seal(), wanted)

    # --- out of its store ---------------------------------------------------------------------------------------------

    def _from_store(self, prepared: Prepared, accept: Accept, promise: Promise | None, place: str | None) -> Fetched:
        """Kept at a place, or not."""
        files = _Files(promise)
        try:
            with self._staging(needed=place is not None or not self.sealed) as staging, _Keeper(staging) as keeper:
                self._read_store(prepared, staging, files, keeper)
                keeper.finish()
                result = preparing.finish(prepared, files.gotten)
                formats = _accepted(files, result, accept)
                hold = self._publish(staging, place) if staging is not None and place is not None else None
        except BaseException:
            files.close()
            raise
        return Fetched(
            files=files.files,
            sealed=self.sealed,
            result=result,
            formats=formats,
            origin="store",
            hold=hold,
        )

    @contextmanager
    def _staging(self, *, needed: bool) -> Iterator[Staging | None]:
        if not needed:
            yield None
            return
        with self.kept.stage() as staging:
            yield staging

    def _publish(self, staging: Staging, place: str) -> int | None:
        """Keep what was staged. What is only open, and not kept, loses its name and lives on while it is open."""
        staging.publish(place)
        if self.sealed:
            return None
        with self.kept.hold(place) as folder, told("opening a folder once more"):
            return hold_again(folder) if folder is not None else None

    def _read_store(self, prepared: Prepared, staging: Staging | None, files: _Files, keeper: _Keeper) -> None:
        for store in dict.fromkeys(wanted.store for wanted in prepared.wanted):
            wanted = {each.info.key: each for each in prepared.wanted if each.store is store}

            def sinks(
                info: ObjectInfo, wanted: Mapping[str, Wanted] = wanted
            ) -> AbstractContextManager[Sequence[Sink]]:
                name = prepared.name_of(info)
                if staging is not None and not self.sealed:
                    return self._on_disk(name, wanted[info.key], staging, files)
                return self._in_memory(name, wanted[info.key], files, keeper)

            read_all(store, [each.info for each in wanted.values()], sinks, patience=self.patience)

    @contextmanager
    def _in_memory(self, name: str, wanted: Wanted, files: _Files, keeper: _Keeper) -> Iterator[Sequence[Sink]]:
        """Where one object's bytes go. They are hashed once they are sealed, while others still arrive."""
        with files.memory() as memory:
            yield [memory]
            sealed = memory.seal()
            keeper.keep(name, sealed, wanted.info.size)
            files.take(name, sealed, wanted)

    @contextmanager
    def _on_disk(self, name: str, wanted: Wanted, staging: Staging, files: _Files) -> Iterator[Sequence[Sink]]:
        with staging.create(name) as file:
            yield [file]
        with staging.open(name) as written:
            files.take(name, reopen(written), wanted)

    # --- room ---------------------------------------------------------------------------------------------------------

    def _make_room(self, size: int, *, keep: bool) -> None:
        """Remove the longest unused models. Raises CouldNotDecide `runtime.disk_full`."""
        kept = list(self.kept.kept())
        over = sum(each.size for each in kept) + size - self.kept_bytes if keep else 0
        while kept and (over > 0 or self._free() < size + _SPARE):
            oldest = kept.pop(0)
            if self.kept.remove(oldest.digest):
                over -= oldest.size
        if self._free() < size + _SPARE:
            raise CouldNotDecide(
                "runtime.disk_full",
                f"{self.folder} has {self._free()} bytes left, and the model has {size}",
                expected=f"room for it, and {_SPARE} bytes beside it",
                remedy="free some space, or set AEGIS_KEPT_BYTES=0 so that nothing is kept on disk",
            )

    def _free(self) -> int:
        with open_private(self.folder) as folder:
            about = os.statvfs(folder)
        return about.f_bavail * about.f_frsize


class _Keeper:
    """Copies sealed memory to disk beside the hashing of it; before the block ends, all of it is done or given up.

    By a daemon: a service's end would wait for an executor's thread, and for minutes where a model is large.
    """

    def __init__(self, staging: Staging | None) -> None:
        """None: nothing is kept."""
        self._staging = staging
        self._wanted: SimpleQueue[tuple[str, int, int] | None] = SimpleQueue()
        """None: that was all."""
        self._ended: SimpleQueue[BaseException | None] = SimpleQueue()
        self._given_up = False

    def __enter__(self) -> Self:
        if self._staging is not None:
            Thread(target=self._run, args=(self._staging,), name="aegis-keep", daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        self._given_up = True
        self._end()

    def keep(self, name: str, sealed: int, size: int) -> None:
        """Soon: the descriptor stays open until the block ends."""
        self._wanted.put((name, sealed, size))

    def finish(self) -> None:
        """Wait for all copies. Raises CouldNotDecide `verify.disk_failed`."""
        error = self._end()
        if error is not None:
            raise error

    def _end(self) -> BaseException | None:
        if self._staging is None:
            return None
        self._wanted.put(None)
        error = self._ended.get()
        self._ended.put(error)  # both a good end and the block's ask for it
        return error

    def _run(self, staging: Staging) -> None:
        try:
            while (copy := self._wanted.get()) is not None and not self._given_up:
                name, sealed, size = copy
                with staging.create(name) as file:
                    file.copy(sealed, size)
        except BaseException as error:
            self._ended.put(error)
        else:
            self._ended.put(None)


def _place_of(prepared: Prepared) -> str | None:
    """The digest under which it is kept; None of what is not known before it is read.

    A single file's digest says nothing of its name, so the name is part of it here: in the form of `sha256sum`.
    """
    if prepared.content is None or prepared.case.artifact.kind != "file":
        return prepared.content
    names = "".join(f"{prepared.content}  {prepared.name_of(each.info)}\n" for each in prepared.wanted)
    return hashlib.sha256(names.encode("utf-8", "surrogateescape")).hexdigest()


def _accepted(files: _Files, result: Result, accept: Accept) -> Mapping[str, str]:
    with ExitStack() as opened, told("opening a file once more"):
        return accept(result, {name: opened.enter_context(file.open()) for name, file in files.files.items()})


def _open_descriptors() -> int:
    with suppress(OSError):
        return sum(1 for _ in os.scandir("/proc/self/fd"))
    return 0


def _late(where: str) -> CouldNotDecide:
    from aegis.storage import faults

    return faults.slow(where, "reading what is kept took too long")
