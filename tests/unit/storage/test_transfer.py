from __future__ import annotations

import hashlib
import signal
import threading
import time as real_time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults, parallel
from aegis.storage.hashing import HashingSink, KeepingSink, Sink
from aegis.storage.patience import Patience
from aegis.storage.transfer import RENEWED, read_all, read_once, read_small
from tests.support.network.stores import MemoryStore, Time

DATA = bytes(range(256)) * 40
INFO = ObjectInfo("a", len(DATA))
LONG = 300
"""Seconds that what hangs here would last."""


def read(
    store: MemoryStore, info: ObjectInfo = INFO, time: Time | None = None, patience: Patience | None = None
) -> bytes:
    kept = KeepingSink()
    read_once(store, info, [kept], clock=(time or Time()).clock(), patience=patience)
    return kept.content


def code_of(store: MemoryStore, info: ObjectInfo = INFO, time: Time | None = None) -> str:
    with pytest.raises(AegisError) as caught:
        read(store, info, time)
    return caught.value.code


class TestOne:
    def test_each_byte_is_read_once_into_every_sink(self) -> None:
        store, kept, hashed = MemoryStore({"a": DATA}), KeepingSink(), HashingSink(["sha384"], shard_size=100)
        lengths: list[int] = []
        read_once(store, INFO, [kept, hashed], told=lengths.append)
        assert kept.content == DATA
        assert hashed.digests["sha384"] == hashlib.sha384(DATA).digest()
        assert store.given == {"a": len(DATA)}
        assert store.reads == [("a", 0)]
        assert sum(lengths) == len(DATA)

    @given(st.lists(st.integers(0, len(DATA)), max_size=3), st.integers(1, 5000))
    def test_a_broken_transfer_goes_on_at_any_byte(self, ends: list[int], chunk: int) -> None:
        store = MemoryStore({"a": DATA}, chunk=chunk, ends=list(ends))
        assert read(store) == DATA
        assert store.given["a"] == len(DATA)
        assert [start for _, start in store.reads] == sorted(start for _, start in store.reads)

    def test_an_empty_object_is_asked_for_too(self) -> None:
        store = MemoryStore({"a": b""})
        assert read(store, ObjectInfo("a", 0)) == b""
        assert store.reads == [("a", 0)]

    def test_pauses_grow_and_have_an_end(self) -> None:
        time = Time()
        assert code_of(MemoryStore({"a": DATA}, ends=[10, 10, 10, 10]), time=time) == "verify.store_cut"
        assert time.slept == [0.5, 1.0, 2.0]

    def test_the_last_fault_is_told(self) -> None:
        broken: list[int | Exception] = [5, faults.slow("x", "quiet"), 5, faults.failed("x", "500")]
        assert code_of(MemoryStore({"a": DATA}, ends=broken)) == "verify.store_failed"

    def test_pauses_together_have_a_limit(self) -> None:
        time = Time()
        with pytest.raises(CouldNotDecide):
            read(MemoryStore({"a": DATA}, ends=[1] * 50), time=time, patience=Patience(tries=50, waits=10.0))
        assert time.seconds <= 10.0

    def test_a_long_transfer_may_break_more_often(self) -> None:
        size = 3 * RENEWED
        store = MemoryStore({"a": bytes(size)}, chunk=1 << 22, ends=[1, 1, RENEWED, 1, 1, RENEWED, 1, 1])
        read_once(store, ObjectInfo("a", size), [], clock=Time().clock())
        assert store.given == {"a": size}

    @pytest.mark.parametrize(
        "fault", [faults.denied, faults.missing, faults.redirected, faults.changed, faults.encoded]
    )
    def test_what_stays_as_it_is_is_not_asked_for_again(self, fault: object) -> None:
        assert callable(fault)
        error = fault("memory://store/a", "said")
        store, time = MemoryStore({"a": DATA}, ends=[7, error]), Time()
        assert code_of(store, time=time) == error.code
        assert len(store.reads) == 2

    def test_more_than_was_listed_is_an_error_before_it_reaches_a_sink(self) -> None:
        kept = KeepingSink()
        with pytest.raises(CouldNotDecide) as caught:
            read_once(MemoryStore({"a": DATA}), ObjectInfo("a", 1500), [kept])
        assert caught.value.code == "verify.store_wrong_size"
        assert len(kept.content) == 1000

    def test_less_than_was_listed_is_an_error(self) -> None:
        assert code_of(MemoryStore({"a": DATA}), ObjectInfo("a", len(DATA) + 1)) == "verify.store_cut"

    def test_a_trickle_ends_with_the_time_for_everything(self) -> None:
        time = Time()
        store = MemoryStore({"a": DATA}, chunk=1, during=lambda key, place: time.sleep(1))
        with pytest.raises(CouldNotDecide) as caught:
            read(store, time=time, patience=Patience(total=60))
        assert caught.value.code == "verify.store_slow"
        assert time.seconds < 63
        assert store.open == 0

    def test_a_fault_after_the_last_byte_changes_nothing(self) -> None:
        class Rude(MemoryStore):
            def read(self, info: ObjectInfo, start: int = 0) -> Iterator[bytes]:
                yield from super().read(info, start)
                raise faults.failed("x", "reset")

        assert read(Rude({"a": DATA})) == DATA


class TestSmall:
    def test_a_signature_is_read_whole(self) -> None:
        assert read_small(MemoryStore({"a": DATA}), INFO, len(DATA)) == DATA

    def test_one_that_is_too_large_is_not_read(self) -> None:
        store = MemoryStore({"a": DATA})
        with pytest.raises(Refused) as caught:
            read_small(store, INFO, len(DATA) - 1)
        assert caught.value.code == "verify.bundle_too_large"
        assert store.reads == []


class TestMany:
    def test_each_object_is_read_once_with_few_at_a_time(self) -> None:
        objects = {f"f{n:03}": bytes([n]) * (n * 37) for n in range(200)}
        store = MemoryStore(objects, during=lambda key, place: real_time.sleep(0.0005))
        digests: dict[str, bytes] = {}

        @contextmanager
        def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
            sink = HashingSink()
            yield [sink]
            digests[info.key] = sink.digests["sha256"]

        shown: list[tuple[int, int]] = []
        read_all(store, store.list(""), sinks, workers=3, progress=lambda done, total: shown.append((done, total)))
        assert digests == {key: hashlib.sha256(data).digest() for key, data in objects.items()}
        assert store.given == {key: len(data) for key, data in objects.items() if data}
        assert sorted(key for key, _ in store.reads) == sorted(objects)
        assert store.most_open <= 3
        total = sum(map(len, objects.values()))
        assert shown[-1] == (total, total)

    def test_nothing_to_read_is_no_error(self) -> None:
        read_all(MemoryStore({}), [], no_sinks)

    def test_the_first_error_ends_all(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(parallel, "GRACE", 60.0)  # on a busy machine its threads need longer to end
        objects = {f"f{n}": bytes(100_000) for n in range(50)}
        # ten seconds an object: the others are still at their first when the error ends all
        slow = lambda key, place: real_time.sleep(0.001)  # noqa: E731
        store = MemoryStore(objects, chunk=10, ends=[faults.denied("memory://store/f0", "403")], during=slow)
        with pytest.raises(CouldNotDecide) as caught:
            read_all(store, store.list(""), no_sinks)
        assert caught.value.code == "verify.store_denied"
        assert len(store.reads) <= 8
        assert store.open == 0

    def test_sinks_of_what_failed_see_the_failure(self) -> None:
        seen: list[str] = []

        @contextmanager
        def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
            try:
                yield []
                seen.append("filled")
            except BaseException:
                seen.append("failed")
                raise

        store = MemoryStore({"a": DATA}, ends=[faults.missing("memory://store/a")])
        with pytest.raises(CouldNotDecide):
            read_all(store, [INFO], sinks)
        assert seen == ["failed"]

    def test_a_store_that_hangs_does_not_outlast_the_time(self) -> None:
        forever = threading.Event()
        ended: list[bool] = []
        store = MemoryStore({"a": DATA}, during=lambda key, place: ended.append(forever.wait(LONG)))
        with pytest.raises(CouldNotDecide) as caught:
            read_all(store, [INFO], no_sinks, patience=Patience(total=0.2))
        assert ended == [], "it was waited for"
        forever.set()
        assert caught.value.code == "verify.store_slow"

    def test_a_signal_ends_all_also_when_a_store_hangs(self) -> None:
        class StoppedBySignal(BaseException):
            pass

        def stop(number: int, frame: object) -> None:
            raise StoppedBySignal

        forever = threading.Event()
        ended: list[bool] = []

        def during(key: str, place: int) -> None:
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
            ended.append(forever.wait(LONG))

        before = signal.signal(signal.SIGUSR1, stop)
        try:
            with pytest.raises(StoppedBySignal):
                read_all(MemoryStore({"a": DATA, "b": DATA}, during=during), [INFO], no_sinks)
            assert ended == [], "it was waited for"
        finally:
            signal.signal(signal.SIGUSR1, before)
            forever.set()

    def test_a_defect_in_a_sink_is_not_swallowed(self) -> None:
        class Broken:
            def write(self, chunk: bytes | memoryview, /) -> None:
                raise ZeroDivisionError

        @contextmanager
        def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
            yield [Broken()]

        with pytest.raises(ZeroDivisionError):
            read_all(MemoryStore({"a": DATA}), [INFO], sinks)


@contextmanager
def no_sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
    yield []
