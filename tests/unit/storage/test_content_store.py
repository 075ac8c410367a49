from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import threading
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.storage.content_store import ContentStore, Staging, hold_again, let_go
from tests.support.processes.forked import forked, true_in_child

DIGEST = "ab" * 32
FILES = {"model.bin": b"m" * 1000, "weights/a/1.bin": b"", "weights/b.bin": b"b"}


def fill(staging: Staging, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        with staging.create(name) as sink:
            sink.write(content)


def publish(root: Path, files: Mapping[str, bytes] = FILES, digest: str = DIGEST) -> Path:
    with ContentStore(root).stage() as staging:
        fill(staging, files)
        return staging.publish(digest)


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "artifacts"


class TestPublish:
    def test_the_artifact_is_there_as_a_whole_private_and_read_only(self, root: Path) -> None:
        place = publish(root)
        assert place == root / f"sha256-{DIGEST}"
        assert content(place) == FILES
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
        for path in (place, *place.rglob("*")):
            assert stat.S_IMODE(path.stat().st_mode) == (0o500 if path.is_dir() else 0o400)
        assert names(root) == [place.name]
        assert ContentStore(root).find(DIGEST) == place

    def test_a_single_file(self, root: Path) -> None:
        assert content(publish(root, {"model.onnx": b"x"})) == {"model.onnx": b"x"}

    def test_what_is_not_published_is_not_there(self, root: Path) -> None:
        store = ContentStore(root)
        with store.stage() as staging:
            fill(staging, FILES)
            assert store.find(DIGEST) is None
        assert names(root) == []

    @pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, SystemExit])
    def test_an_error_leaves_nothing(self, root: Path, error: type[BaseException]) -> None:
        def fail() -> None:
            with ContentStore(root).stage() as staging:
                fill(staging, FILES)
                raise error

        with pytest.raises(error):
            fail()
        assert names(root) == []

    def test_one_that_is_there_already_is_kept(self, root: Path) -> None:
        before = publish(root).stat()
        assert publish(root).stat().st_ino == before.st_ino
        assert len(names(root)) == 1

    @pytest.mark.parametrize(
        "other",
        [
            {**FILES, "model.bin": b"M" * 1000},
            {**FILES, "model.bin": b"m" * 999},
            {**FILES, "extra.bin": b""},
            {"model.bin": FILES["model.bin"]},
        ],
    )
    def test_one_that_is_there_with_other_bytes_is_an_error(self, root: Path, other: dict[str, bytes]) -> None:
        publish(root, other)
        with pytest.raises(CouldNotDecide) as caught:
            publish(root)
        assert caught.value.code == "verify.kept_copy_changed"
        assert content(root / f"sha256-{DIGEST}") == other

    def test_a_link_at_the_destination_is_not_followed(self, root: Path, tmp_path: Path) -> None:
        root.mkdir(mode=0o700, parents=True)
        (tmp_path / "elsewhere").mkdir()
        (root / f"sha256-{DIGEST}").symlink_to(tmp_path / "elsewhere")
        with pytest.raises(CouldNotDecide):
            publish(root)
        assert ContentStore(root).find(DIGEST) is None
        assert names(tmp_path / "elsewhere") == []

    def test_many_publishers_at_once(self, root: Path) -> None:
        places: list[Path] = []
        errors: list[BaseException] = []

        def run() -> None:
            try:
                places.extend(publish(root) for _ in range(5))
            except BaseException as error:
                errors.append(error)

        threads = [threading.Thread(target=run) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert errors == []
        assert set(places) == {root / f"sha256-{DIGEST}"}
        assert content(places[0]) == FILES
        assert names(root) == [places[0].name]

    @pytest.mark.parametrize("digest", ["", "AB" * 32, "ab" * 31, "../" + "ab" * 31, "ab" * 32 + "\n"])
    def test_a_digest_is_64_hex_digits(self, root: Path, digest: str) -> None:
        with pytest.raises(Refused):
            publish(root, digest=digest)
        with pytest.raises(Refused):
            ContentStore(root).find(digest)


class TestNames:
    @pytest.mark.parametrize(
        "name", ["", "/etc/x", "../x", "a/../x", "a//b", "./a", "a/.", "a/", "..", ".", "a\0b", "a\udcff"]
    )
    def test_no_name_leads_elsewhere(self, root: Path, name: str) -> None:
        with ContentStore(root).stage() as staging, pytest.raises(AegisError) as caught, staging.create(name):
            pass
        assert caught.value.code in {"verify.unsafe_name", "verify.name_not_text"}
        assert names(root) == []

    @pytest.mark.parametrize("second", ["a", "a/b"])
    def test_no_name_is_written_twice(self, root: Path, second: str) -> None:
        with ContentStore(root).stage() as staging:
            fill(staging, {"a": b"1"})
            with pytest.raises(Refused) as caught:
                fill(staging, {second: b"2"})
        assert caught.value.code == "verify.unsafe_name"

    def test_no_link_in_the_staging_folder_is_followed(self, root: Path, tmp_path: Path) -> None:
        (tmp_path / "outside").mkdir()
        with ContentStore(root).stage() as staging:
            (folder,) = root.iterdir()
            (folder / "a").symlink_to(tmp_path / "outside")
            (folder / "b").symlink_to(tmp_path / "outside" / "b")
            for name in ("a/x", "b"):
                with pytest.raises(AegisError), staging.create(name):
                    pass
        assert names(tmp_path / "outside") == []

    @given(st.text(max_size=20))
    def test_any_name_is_written_below_or_refused(self, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
        root = tmp_path_factory.mktemp("any", numbered=True) / "root"
        with ContentStore(root).stage() as staging:
            try:
                fill(staging, {name: b"x"})
            except AegisError:
                return
            place = staging.publish(DIGEST)
        assert content(place) == {name: b"x"}


class TestRoot:
    @pytest.mark.parametrize("mode", [0o755, 0o770, 0o701, 0o777])
    def test_a_folder_that_others_can_enter_is_refused(self, root: Path, mode: int) -> None:
        root.mkdir(parents=True)
        root.chmod(mode)
        with pytest.raises(CouldNotDecide) as caught:
            publish(root)
        assert caught.value.code == "verify.not_private"
        with pytest.raises(CouldNotDecide):
            ContentStore(root).find(DIGEST)

    def test_one_of_another_user_is_refused(self, root: Path) -> None:
        other = Path("/")
        if os.geteuid() == 0:
            other = root
            root.mkdir(mode=0o700, parents=True)
            os.chown(root, 65534, 65534)
        with pytest.raises(CouldNotDecide, match="belongs to user") as caught:
            publish(other)
        assert caught.value.code == "verify.not_private"

    def test_a_link_is_refused(self, root: Path, tmp_path: Path) -> None:
        root.parent.mkdir()
        (tmp_path / "private").mkdir(mode=0o700)
        root.symlink_to(tmp_path / "private")
        with pytest.raises(CouldNotDecide) as caught:
            publish(root)
        assert caught.value.code == "verify.not_private"

    def test_a_file_is_refused(self, root: Path) -> None:
        root.parent.mkdir()
        root.write_bytes(b"")
        with pytest.raises(CouldNotDecide) as caught:
            publish(root)
        assert caught.value.code == "verify.not_private"

    def test_a_stale_staging_folder_is_removed_and_a_living_one_is_not(self, root: Path) -> None:
        store = ContentStore(root)
        with store.stage() as staging:
            fill(staging, FILES)
            stale = root / ".staging-0123"
            (stale / "sealed").mkdir(parents=True)
            (stale / "sealed" / "x").write_bytes(b"x")
            (stale / "sealed").chmod(0o500)
            with store.stage():
                assert len(names(root)) == 2
            assert not stale.exists()
            assert content(staging.publish(DIGEST)) == FILES

    def test_who_looks_for_stale_ones_keeps_nobody_from_what_is_just_published(
        self, root: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Else whoever wants to hold it would take it for something else, and remove it."""
        store, lock, looked = ContentStore(root), fcntl.flock, list[int]()
        with ExitStack() as first:
            staging = first.enter_context(store.stage())
            fill(staging, FILES)

            def flock(folder: int, how: int) -> None:
                """The first one publishes, and ends, between the other's opening its folder and locking it."""
                if looked or not how & fcntl.LOCK_NB:
                    lock(folder, how)
                    return
                looked.append(folder)
                staging.publish(DIGEST)
                first.close()
                lock(folder, how)
                with store.hold(DIGEST) as held:
                    assert held is not None

            monkeypatch.setattr(fcntl, "flock", flock)
            with store.stage():
                pass
        assert looked
        assert content(root / f"sha256-{DIGEST}") == FILES


# --- what is kept, and removed ----------------------------------------------------------------------------------------


def put_in(store: ContentStore, content: bytes) -> str:
    digest = hashlib.sha256(content).hexdigest()
    with store.stage() as staging:
        with staging.create("folder/file") as file:
            file.write(content)
        staging.publish(digest)
    return digest


def test_what_is_kept_is_listed_by_its_use(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    first, second = put_in(store, b"a" * 10), put_in(store, b"b" * 20)
    os.utime(tmp_path / "store" / f"sha256-{first}", (100, 100))
    os.utime(tmp_path / "store" / f"sha256-{second}", (50, 50))
    assert [(kept.digest, kept.size, kept.used) for kept in store.kept()] == [(second, 20, 50.0), (first, 10, 100.0)]
    with store.hold(second) as folder:
        assert folder is not None
    assert [kept.digest for kept in store.kept()] == [first, second]


def test_what_is_held_is_not_removed(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    digest = put_in(store, b"a")
    with store.hold(digest) as folder:
        assert folder is not None
        assert not store.remove(digest)
        again = hold_again(folder)
    assert not store.remove(digest), "it is held once more"
    let_go(again, os.getpid())
    assert store.remove(digest)
    assert list((tmp_path / "store").iterdir()) == []
    assert not store.remove(digest)


def test_a_child_that_was_forked_meanwhile_holds_nothing(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    digest = put_in(store, b"a")
    with ExitStack() as children:
        with store.hold(digest) as folder:
            assert folder is not None
            again = hold_again(folder)
            children.enter_context(forked())
        assert not store.remove(digest)
        let_go(again, os.getpid())
        assert store.remove(digest)


def test_a_child_frees_nothing_that_its_parent_holds(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    digest, parent = put_in(store, b"a"), os.getpid()
    with store.hold(digest) as folder:
        assert folder is not None
        held = folder

        def close() -> bool:
            let_go(held, parent)
            return True

        assert true_in_child(close)
        assert not store.remove(digest)


def test_what_was_published_while_a_child_was_forked_can_be_removed(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    with ExitStack() as children:
        with store.stage() as staging:
            children.enter_context(forked())
            staging.publish(DIGEST)
        assert store.remove(DIGEST)


def test_what_must_go_goes_though_it_is_held(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    digest = put_in(store, b"a")
    with store.hold(digest) as folder:
        assert store.remove(digest, even_held=True)
        assert folder is not None
        assert list(os.scandir(folder)) == []
    with store.hold(digest) as folder:
        assert folder is None


def test_what_is_just_published_can_be_held(tmp_path: Path) -> None:
    """Before its staging ends, so that nobody removes it in between."""
    store = ContentStore(tmp_path / "store")
    digest = hashlib.sha256(b"").hexdigest()
    with store.stage() as staging:
        with staging.create("x"):
            pass
        staging.publish(digest)
        with store.hold(digest) as folder:
            assert folder is not None


def test_what_is_no_folder_of_ours_is_not_held_and_is_removed(tmp_path: Path) -> None:
    store = ContentStore(tmp_path / "store")
    digest = put_in(store, b"a")
    place = tmp_path / "store" / f"sha256-{digest}"
    place.rename(tmp_path / "moved")
    place.symlink_to(tmp_path / "moved")
    with store.hold(digest) as folder:
        assert folder is None
    assert store.remove_other(digest)
    assert not place.is_symlink()
    assert (tmp_path / "moved/folder/file").read_bytes() == b"a"
    assert not store.remove_other(digest)
    (tmp_path / "moved").rename(place)  # as another run publishes it
    assert not store.remove_other(digest)
    assert place.is_dir()
