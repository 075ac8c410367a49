"""Objects first, the manifest last; and of a backup that failed, nothing."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.backup.manifest import StoredObject
from aegis.backup.writing import Item, write_backup
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.core.ports.writing import Upload
from tests.support.databases.patient_aegis import patient


def item(name: str, *chunks: bytes, then: Callable[[], object] = lambda: None) -> Item:
    @contextmanager
    def opened() -> Iterator[Iterator[bytes]]:
        def given() -> Iterator[bytes]:
            yield from chunks
            then()

        yield given()

    return Item(name, opened)


@pytest.fixture(autouse=True)
def patience() -> Iterator[None]:
    """Threads are waited for, however busy the machine is."""
    with patient():
        yield


@pytest.fixture
def store(tmp_path: Path) -> WritableFolder:
    return WritableFolder(tmp_path)


def left(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def fail() -> None:
    raise CouldNotDecide("backup_check.dump_failed", "no", expected="yes", remedy="again")


def test_each_object_with_its_size_and_digest_then_the_manifest(store: WritableFolder, tmp_path: Path) -> None:
    def manifest(objects: tuple[StoredObject, ...]) -> bytes:
        assert left(tmp_path) == ["db/1/a", "db/1/dump/b"]
        return b"manifest of %d" % len(objects)

    objects = write_backup(store, "db/1/", [item("dump/b", b"x", b"", b"yz"), item("a")], manifest)
    assert objects == (
        StoredObject(name="a", size=0, sha256=hashlib.sha256(b"").hexdigest()),
        StoredObject(name="dump/b", size=3, sha256=hashlib.sha256(b"xyz").hexdigest()),
    )
    assert (tmp_path / "db/1/manifest.json").read_bytes() == b"manifest of 2"


def test_one_that_fails_takes_the_others_with_it(store: WritableFolder, tmp_path: Path) -> None:
    items = [item("a", b"x"), item("b", b"y", then=fail), item("c", b"z")]
    with pytest.raises(CouldNotDecide, match="no"):
        write_backup(store, "db/1/", items, lambda _: b"", workers=1)
    assert left(tmp_path) == []


def test_so_does_a_manifest_that_cannot_be_made(store: WritableFolder, tmp_path: Path) -> None:
    with pytest.raises(CouldNotDecide, match="no"):
        write_backup(store, "db/1/", [item("a", b"x")], lambda _: fail())  # type: ignore[arg-type, return-value]
    assert left(tmp_path) == []


def test_what_others_have_stored_stays(store: WritableFolder, tmp_path: Path) -> None:
    (tmp_path / "db/1").mkdir(parents=True)
    (tmp_path / "db/1/b").write_text("of others")
    with pytest.raises(CouldNotDecide) as caught:
        write_backup(store, "db/1/", [item("a", b"x"), item("b", b"y")], lambda _: b"", workers=1)
    assert caught.value.code == "backup_check.object_exists"
    assert left(tmp_path) == ["db/1/b"]
    assert (tmp_path / "db/1/b").read_text() == "of others"


def test_a_manifest_is_not_written_over(store: WritableFolder, tmp_path: Path) -> None:
    write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"first")
    with pytest.raises(CouldNotDecide) as caught:
        write_backup(store, "db/1/", [item("b", b"x")], lambda _: b"second")
    assert caught.value.code == "backup_check.object_exists"
    assert (tmp_path / "db/1/manifest.json").read_bytes() == b"first"
    assert left(tmp_path) == ["db/1/a", "db/1/manifest.json"]


def test_an_error_of_one_ends_another_that_waits(store: WritableFolder, tmp_path: Path) -> None:
    """The other producer gives nothing but time."""
    begun, ended = threading.Event(), threading.Event()

    @contextmanager
    def endless() -> Iterator[Iterator[bytes]]:
        def given() -> Iterator[bytes]:
            while not ended.is_set():
                begun.set()
                yield b""

        try:
            yield given()
        finally:
            ended.set()

    def fail_then() -> None:
        assert begun.wait(300)
        fail()

    items = [Item("endless", endless), item("b", b"y", then=fail_then)]
    with pytest.raises(CouldNotDecide, match="no"):
        write_backup(store, "db/1/", items, lambda _: b"", workers=2)
    # by then: nobody waits for threads that hang
    assert ended.is_set()
    assert left(tmp_path) == []


def test_the_time_for_all_of_it_is_bounded(store: WritableFolder, tmp_path: Path) -> None:
    @contextmanager
    def endless() -> Iterator[Iterator[bytes]]:
        yield repeat(b"")

    with pytest.raises(CouldNotDecide) as caught:
        write_backup(store, "db/1/", [Item("endless", endless)], lambda _: b"", seconds=0.3)
    assert caught.value.code == "backup_check.backup_late"
    assert left(tmp_path) == []


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(1)], ids=["^C", "exit"])
def test_an_interruption_while_the_manifest_is_made(
    store: WritableFolder, tmp_path: Path, error: BaseException
) -> None:
    def manifest(_: tuple[StoredObject, ...]) -> bytes:
        raise error

    with pytest.raises(type(error)):
        write_backup(store, "db/1/", [item("a", b"x")], manifest)
    assert left(tmp_path) == []


class TestSignature:
    def test_it_is_there_before_the_manifest_is(self, store: WritableFolder, tmp_path: Path) -> None:
        seen: list[list[str]] = []
        creating = store.create

        def create(key: str) -> AbstractContextManager[Upload]:
            seen.append(left(tmp_path))
            return creating(key)

        store.create = create  # type: ignore[assignment, method-assign]
        write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"{}", sign=lambda data: b"of " + data)
        assert seen[-1] == ["db/1/a", "db/1/manifest.sigstore.json"]
        assert (tmp_path / "db/1/manifest.sigstore.json").read_bytes() == b"of {}"
        assert (tmp_path / "db/1/manifest.json").read_bytes() == b"{}"

    def test_one_that_cannot_be_made_makes_no_backup(self, store: WritableFolder, tmp_path: Path) -> None:
        with pytest.raises(CouldNotDecide, match="no"):
            write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"{}", sign=lambda _: fail())  # type: ignore[arg-type, return-value]
        assert left(tmp_path) == []

    def test_nor_stays_one_whose_manifest_could_not_be_stored(self, store: WritableFolder, tmp_path: Path) -> None:
        (tmp_path / "db/1").mkdir(parents=True)
        (tmp_path / "db/1/manifest.json").write_text("of others")
        with pytest.raises(CouldNotDecide):
            write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"{}", sign=lambda data: data)
        assert left(tmp_path) == ["db/1/manifest.json"]


class Interrupted(WritableFolder):
    """Its manifest's storing does not end well; `stored` says whether it was stored all the same."""

    stored = True
    known = True

    @contextmanager
    def create(self, key: str) -> Iterator[Any]:
        if key.endswith("manifest.json") and not self.stored:
            fail()
        with super().create(key) as upload:
            yield upload
        if key.endswith("manifest.json"):
            raise KeyboardInterrupt

    def head(self, key: str) -> ObjectInfo | None:
        if key.endswith("manifest.json") and not self.known:
            fail()
        return super().head(key)


def test_a_backup_that_is_whole_though_interrupted_stays(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        write_backup(Interrupted(tmp_path), "db/1/", [item("a", b"x")], lambda _: b"{}")
    assert left(tmp_path) == ["db/1/a", "db/1/manifest.json"]


def test_so_does_one_of_which_nobody_knows(tmp_path: Path) -> None:
    store = Interrupted(tmp_path)
    store.known = False
    with pytest.raises(KeyboardInterrupt):
        write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"{}")
    assert left(tmp_path) == ["db/1/a", "db/1/manifest.json"]


def test_one_whose_manifest_was_refused_goes(tmp_path: Path) -> None:
    store = Interrupted(tmp_path)
    store.stored = False
    with pytest.raises(CouldNotDecide, match="no"):
        write_backup(store, "db/1/", [item("a", b"x")], lambda _: b"{}")
    assert left(tmp_path) == []


def test_whoever_waits_is_told_the_bytes(store: WritableFolder) -> None:
    told: list[int] = []
    write_backup(store, "db/1/", [item("a", b"xy", b"", b"z"), item("b", b"1234")], lambda _: b"{}", told=told.append)
    assert sorted(told) == [1, 2, 4]
