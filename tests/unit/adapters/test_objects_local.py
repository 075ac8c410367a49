from __future__ import annotations

import os
import shutil
import socket
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from aegis.adapters.objects.local import LocalStore
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo, ObjectStore
from aegis.storage import local_tree
from aegis.storage.hashing import HashingSink
from aegis.storage.transfer import read_once
from tests.support.processes.privileges import as_nobody


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "repository" / "model"
    (folder / "weights").mkdir(parents=True)
    (folder / "config.json").write_bytes(b"{}")
    (folder / "weights" / "a.bin").write_bytes(b"a" * 600_000)
    (folder / "weights-b.bin").write_bytes(b"")
    return folder


def store(model: Path) -> ObjectStore:
    return LocalStore(model.parent)


def names(model: Path) -> list[str]:
    return [info.key for info in store(model).list("model/")]


def code_of_list(model: Path) -> str:
    with pytest.raises(AegisError) as caught:
        store(model).list("model/")
    return caught.value.code


class TestList:
    def test_every_file_by_key_with_its_size(self, model: Path) -> None:
        found = store(model).list("model/")
        assert [(info.key, info.size) for info in found] == [
            ("model/config.json", 2),
            ("model/weights-b.bin", 0),
            ("model/weights/a.bin", 600_000),
        ]
        assert LocalStore(model).list("")[0].key == "config.json"
        assert store(model).list("model/weights/")[0].key == "model/weights/a.bin"

    def test_hidden_files_and_those_of_git_are_told(self, model: Path) -> None:
        for name in (".hidden", ".git/config", ".gitattributes", "__pycache__/x.pyc"):
            (model / name).parent.mkdir(exist_ok=True)
            (model / name).write_bytes(b"x")
        assert {"model/.hidden", "model/.git/config", "model/.gitattributes"} <= set(names(model))

    def test_an_empty_folder_is_told_as_extra(self, model: Path) -> None:
        (model / "empty" / "inner").mkdir(parents=True)
        assert "model/empty/inner/" in names(model)
        assert "model/empty/" not in names(model)

    def test_a_folder_that_is_not_there(self, model: Path) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            store(model).list("other/")
        assert caught.value.code == "verify.store_missing"
        with pytest.raises(CouldNotDecide) as caught:
            LocalStore(model / "nothing").list("")
        assert caught.value.code == "verify.store_missing"

    def test_a_prefix_is_a_folder(self, model: Path) -> None:
        for prefix in ("mod", "model", "../", "model/../", "model//", "/"):
            with pytest.raises(Refused) as caught:
                store(model).list(prefix)
            assert caught.value.code == "verify.unsafe_name"

    @pytest.mark.parametrize("to", ["config.json", "/etc/passwd", "nowhere", ".", "weights"])
    def test_a_link_is_refused(self, model: Path, to: str) -> None:
        (model / "weights" / "link").symlink_to(to)
        assert code_of_list(model) == "verify.symlink"

    def test_a_link_on_the_way_is_refused(self, model: Path) -> None:
        shutil.move(model, model.parent / "real")
        model.symlink_to("real")
        assert code_of_list(model) == "verify.symlink"

    def test_a_hard_link_is_refused(self, model: Path) -> None:
        (model.parent / "outside").hardlink_to(model / "config.json")
        assert code_of_list(model) == "verify.hard_link"

    def test_a_pipe_is_refused_and_not_waited_for(self, model: Path) -> None:
        os.mkfifo(model / "pipe")
        assert code_of_list(model) == "verify.special_file"

    def test_a_socket_is_refused(self, model: Path) -> None:
        with tempfile.TemporaryDirectory() as short, socket.socket(socket.AF_UNIX) as server:
            server.bind(f"{short}/s")
            Path(f"{short}/s").rename(model / "socket")
            assert code_of_list(model) == "verify.special_file"

    def test_a_device_is_refused(self) -> None:
        with pytest.raises(Refused) as caught:
            LocalStore(Path("/dev")).head("null")
        assert caught.value.code == "verify.special_file"

    def test_a_name_that_is_no_text_is_refused(self, model: Path) -> None:
        Path(os.fsdecode(bytes(model) + b"/\xff.bin")).write_bytes(b"x")
        assert code_of_list(model) == "verify.name_not_text"

    def test_folders_without_an_end_are_refused(self, model: Path) -> None:
        deep = model.joinpath(*["d"] * (local_tree.MAX_DEPTH + 1))
        deep.mkdir(parents=True)
        assert code_of_list(model) == "verify.folder_too_deep"

    def test_files_without_an_end_are_an_error(self, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(local_tree, "MAX_FILES", 3)
        assert code_of_list(model) == "verify.too_many_objects"

    def test_an_unreadable_folder_is_an_error_and_never_left_out(self, model: Path) -> None:
        (model / "weights").chmod(0)
        assert as_nobody(model.parent, lambda: code_of_list(model)) == "verify.unreadable"

    def test_an_unreadable_file_is_an_error(self, model: Path) -> None:
        (model / "config.json").chmod(0)

        def read() -> str:
            (info, *_) = store(model).list("model/")
            with pytest.raises(AegisError) as caught:
                b"".join(store(model).read(info))
            return caught.value.code

        assert as_nobody(model.parent, read) == "verify.unreadable"


class TestFolders:
    def test_those_right_below_one_by_name(self, model: Path) -> None:
        (model / "empty").mkdir()
        assert LocalStore(model).folders("") == ("empty/", "weights/")
        assert LocalStore(model.parent).folders("model/") == ("model/empty/", "model/weights/")

    def test_a_missing_one_has_none_but_the_store_itself_must_be_there(self, model: Path) -> None:
        assert LocalStore(model).folders("missing/") == ()
        with pytest.raises(CouldNotDecide) as caught:
            LocalStore(model / "missing").folders("")
        assert caught.value.code == "verify.store_missing"

    def test_a_link_to_a_folder_is_refused(self, model: Path) -> None:
        (model / "link").symlink_to(model / "weights")
        with pytest.raises(Refused) as caught:
            LocalStore(model).folders("")
        assert caught.value.code == "verify.symlink"

    @pytest.mark.parametrize("prefix", ["model", "../", "model/../", "a//"])
    def test_a_name_that_leads_elsewhere_is_refused(self, model: Path, prefix: str) -> None:
        with pytest.raises(Refused) as caught:
            LocalStore(model.parent).folders(prefix)
        assert caught.value.code == "verify.unsafe_name"


class TestHead:
    def test_a_file(self, model: Path) -> None:
        assert store(model).head("model/config.json") == store(model).list("model/")[0]

    def test_no_file(self, model: Path) -> None:
        assert store(model).head("model/other") is None
        assert store(model).head("other/config.json") is None

    def test_a_link_is_refused_also_to_nowhere(self, model: Path) -> None:
        (model / "link").symlink_to("nowhere")
        with pytest.raises(Refused) as caught:
            store(model).head("model/link")
        assert caught.value.code == "verify.symlink"

    @pytest.mark.parametrize("key", ["../x", "/etc/passwd", "model/../x", "model//config.json", "model/./config.json"])
    def test_no_key_leads_elsewhere(self, model: Path, key: str) -> None:
        with pytest.raises(Refused) as caught:
            store(model).head(key)
        assert caught.value.code == "verify.unsafe_name"


class TestRead:
    def test_from_any_offset(self, model: Path) -> None:
        (model / "x").write_bytes(bytes(range(256)) * 3000)
        info = store(model).head("model/x")
        assert info is not None
        for start in (0, 1, 255, 300_000, info.size):
            read = b"".join(bytes(chunk) for chunk in store(model).read(info, start))
            assert read == (bytes(range(256)) * 3000)[start:]

    def test_a_sparse_file_has_its_zeros(self, model: Path) -> None:
        with (model / "sparse").open("wb") as file:
            file.truncate(5_000_000)
        info = store(model).head("model/sparse")
        assert info is not None
        assert sum(len(chunk) for chunk in store(model).read(info)) == 5_000_000

    def test_a_large_file_needs_no_more_memory_than_a_small_one(self, model: Path) -> None:
        with (model / "sparse").open("wb") as file:
            file.truncate(200_000_000)
        info = store(model).head("model/sparse")
        assert info is not None
        tracemalloc.start()
        hashing = HashingSink(shard_size=1_000_000)
        read_once(store(model), info, [hashing])
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(hashing.shards) == 200
        assert peak < 1_000_000

    def test_one_that_was_written_to_since_it_was_listed(self, model: Path) -> None:
        info = self.info(model)
        path = model / "weights" / "a.bin"
        before = path.stat()
        path.write_bytes(b"b" * 600_000)
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        while path.stat().st_ctime_ns == before.st_ctime_ns:  # until the kernel's clock ticks
            os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert self.code(model, info) == "verify.file_changed"

    def test_no_byte_is_given_of_one_that_was_changed_before(self, model: Path) -> None:
        info = self.info(model)
        (model / "weights" / "a.bin").write_bytes(b"b" * 600_000)
        self.tick(model, info)
        with pytest.raises(Refused):
            next(iter(store(model).read(info)))

    def test_one_that_another_was_put_in_place_of(self, model: Path) -> None:
        info = self.info(model)
        path = model / "weights" / "a.bin"
        (model / "new").write_bytes(path.read_bytes())
        shutil.copystat(path, model / "new")
        (model / "new").rename(path)
        assert self.code(model, info) == "verify.file_changed"

    def test_a_link_that_was_put_in_its_place(self, model: Path) -> None:
        info = self.info(model)
        shutil.copy(model / "weights" / "a.bin", model.parent / "copy")
        (model / "weights" / "a.bin").unlink()
        (model / "weights" / "a.bin").symlink_to(model.parent / "copy")
        assert self.code(model, info) == "verify.symlink"

    def test_a_link_that_was_put_in_place_of_its_folder(self, model: Path) -> None:
        info = self.info(model)
        (model / "weights").rename(model.parent / "elsewhere")
        (model / "weights").symlink_to(model.parent / "elsewhere")
        assert self.code(model, info) == "verify.symlink"

    def test_one_that_is_written_to_through_an_open_descriptor_while_it_is_read(self, model: Path) -> None:
        info = self.info(model)
        with (model / "weights" / "a.bin").open("r+b") as file:
            reading: Iterator[bytes | memoryview] = store(model).read(info)
            assert bytes(next(reading)).startswith(b"aaa")
            file.seek(599_999)
            file.write(b"!")
            file.flush()
            self.tick(model, info)
            with pytest.raises(Refused) as caught:
                for _ in reading:
                    pass
        assert caught.value.code == "verify.file_changed"

    def test_one_that_is_gone(self, model: Path) -> None:
        info = self.info(model)
        (model / "weights" / "a.bin").unlink()
        assert self.code(model, info) == "verify.store_missing"

    def test_leaving_early_leaves_no_descriptor_open(self, model: Path) -> None:
        reading = store(model).read(self.info(model))
        next(iter(reading))
        assert self.opened(model)
        del reading
        assert self.opened(model) == set()

    @staticmethod
    def opened(model: Path) -> set[str]:
        """What has a descriptor here. Those of elsewhere may go at any moment, with what an earlier test has left."""
        found = set()
        for entry in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                found.add(str(entry.readlink()))
        return {each for each in found if each.startswith(str(model.parent))}

    @staticmethod
    def info(model: Path) -> ObjectInfo:
        return next(info for info in store(model).list("model/") if info.key.endswith("a.bin"))

    def tick(self, model: Path, info: ObjectInfo) -> None:
        """Wait until the kernel's clock, by which it marks a change, has moved on."""
        while self.info(model) == info:
            os.utime(model / "weights" / "a.bin")

    @staticmethod
    def code(model: Path, info: ObjectInfo) -> str:
        with pytest.raises(AegisError) as caught:
            for _ in store(model).read(info):
                pass
        return caught.value.code


class TestExchange:
    """Something else is put in place of what was just looked at, before it is opened."""

    @pytest.fixture
    def exchange(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, Callable[[], object]], None]:
        look = local_tree._look

        def once(name: str, do: Callable[[], object]) -> None:
            def looked(folder: int, part: str, where: str) -> os.stat_result:
                about = look(folder, part, where)
                if part == name:
                    monkeypatch.setattr(local_tree, "_look", look)
                    do()
                return about

            monkeypatch.setattr(local_tree, "_look", looked)

        return once

    def test_another_folder(self, model: Path, exchange: Callable[[str, Callable[[], object]], None]) -> None:
        def swap() -> None:
            (model / "weights").rename(model.parent / "aside")
            (model / "weights").mkdir()

        exchange("weights", swap)
        assert code_of_list(model) == "verify.file_changed"

    @pytest.mark.parametrize("name", ["weights", "config.json"])
    def test_a_link_to_the_very_same(
        self, model: Path, name: str, exchange: Callable[[str, Callable[[], object]], None]
    ) -> None:
        def swap() -> None:
            (model / name).rename(model.parent / "aside")
            (model / name).symlink_to(model.parent / "aside")

        exchange(name, swap)
        with pytest.raises(Refused) as caught:
            store(model).head("model/weights/a.bin" if name == "weights" else "model/config.json")
        assert caught.value.code == "verify.file_changed"

    def test_a_pipe(self, model: Path, exchange: Callable[[str, Callable[[], object]], None]) -> None:
        def swap() -> None:
            (model / "config.json").unlink()
            os.mkfifo(model / "config.json")

        exchange("config.json", swap)
        with pytest.raises(Refused) as caught:
            store(model).head("model/config.json")
        assert caught.value.code == "verify.file_changed"
