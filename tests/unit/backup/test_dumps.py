"""A dump that did not end well is none, whatever it has written."""

from __future__ import annotations

from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.adapters.postgres import dump as pg_dump
from aegis.adapters.postgres.dump import Dumper
from aegis.backup.writing import write_backup
from aegis.core.errors import CouldNotDecide
from tests.support.backup.fake_programs import fake

SECRET = "hunter2"
URL = f"postgresql://me:{SECRET}@127.0.0.1:1/shop"


def dumper(folder: Path, script: str, *, silence: float = 300, version: str = "17.11") -> Dumper:
    return Dumper(tools=fake(folder / "bin", script, version=version), url=URL, silence=silence)


def streamed(folder: Path, script: str, *, silence: float = 300) -> str:
    """The code of what came of it; the content where it went well. There is an object only then."""
    (folder / "store").mkdir()
    store = WritableFolder(folder / "store")
    try:
        write_backup(
            store, "b/", [dumper(folder, script, silence=silence).stream_item("dump", snapshot="s")], lambda _: b"{}"
        )
    except CouldNotDecide as error:
        assert all(info.key.endswith("/") for info in store.list(""))
        return error.code
    assert (folder / "store/b/manifest.json").exists()
    return (folder / "store/b/dump").read_text()


def test_a_good_one(tmp_path: Path) -> None:
    assert streamed(tmp_path, "echo content") == "content\n"


@pytest.mark.parametrize("script", [
    "exit 1",
    "echo content; exit 1",
    "head -c 3000000 /dev/zero; exit 3",
    "echo content; kill -9 $$",
    "echo content; kill -15 $$",
    # its output ends, and it fails afterwards
    "echo content; exec >&-; sleep 0.3; exit 1",
    "echo content; exec >&-; sleep 0.3; kill -9 $$",
], ids=["at once", "late", "large", "killed", "ended", "after its output", "killed after its output"])  # fmt: skip
def test_a_producer_that_dies_leaves_no_object(tmp_path: Path, script: str) -> None:
    assert streamed(tmp_path, script) == "backup_check.dump_failed"


@pytest.mark.parametrize(
    "script", ["exec sleep 100", "echo content; exec sleep 100", "echo content; exec >&-; exec sleep 100"]
)
def test_one_that_hangs_leaves_no_object(tmp_path: Path, script: str) -> None:
    assert streamed(tmp_path, script, silence=0.5) == "backup_check.dump_stalled"


def test_waiting_for_the_reader_is_no_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It writes more than a pipe holds, and the reader takes hours; what it has to say afterwards comes in time."""
    hours = count()
    monkeypatch.setattr(pg_dump, "time", SimpleNamespace(monotonic=lambda: 3600.0 * next(hours)))
    zeros = "head -c 3000000 /dev/zero"
    script = f"{zeros}; while [ ! -e {tmp_path}/go ]; do sleep 0.05; done; {zeros}"
    size = 0
    with dumper(tmp_path, script).stream(snapshot="s") as chunks:
        for chunk in chunks:
            size += len(chunk)
            if not chunk:
                (tmp_path / "go").touch()
    assert size == 6_000_000


class TestFolder:
    def write(self, folder: Path, script: str, silence: float = 300) -> None:
        dumper(folder, script, silence=silence).write_folder(folder / "dump", snapshot="s", jobs=2)

    def test_a_good_one(self, tmp_path: Path) -> None:
        self.write(
            tmp_path, f"mkdir {tmp_path}/dump; echo x > {tmp_path}/dump/toc.dat; echo yy > {tmp_path}/dump/1.dat"
        )
        items = dumper(tmp_path, "").folder_items(tmp_path / "dump")
        assert [item.name for item in items] == ["dump/1.dat", "dump/toc.dat"]

    @pytest.mark.parametrize("script", ["exit 1", "kill -9 $$"])
    def test_one_that_dies(self, tmp_path: Path, script: str) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            self.write(tmp_path, f"mkdir {tmp_path}/dump; {script}")
        assert caught.value.code == "backup_check.dump_failed"

    def test_one_that_hangs(self, tmp_path: Path) -> None:
        with pytest.raises(CouldNotDecide) as caught:
            self.write(tmp_path, f"mkdir {tmp_path}/dump; exec sleep 100", silence=0.5)
        assert caught.value.code == "backup_check.dump_stalled"

    def test_one_that_is_slow_but_writes(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Between two bytes, an hour passes on the clock that it is looked at with."""
        sizes, size_of = [0], pg_dump._size_of

        def looked(folder: Path) -> int:
            sizes.append(size_of(folder))
            return sizes[-1]

        monkeypatch.setattr(pg_dump, "_size_of", looked)
        monkeypatch.setattr(pg_dump, "time", SimpleNamespace(monotonic=lambda: 3600.0 * sizes[-1]))
        slow = f"mkdir {tmp_path}/dump; for n in 1 2 3 4 5 6 7 8; do echo x >> {tmp_path}/dump/1.dat; sleep 0.3; done"
        self.write(tmp_path, slow)
        assert len(set(sizes)) > 1


@pytest.mark.parametrize(("version", "words"), [
    ("17.11", "--format=custom --compress=zstd:1 --snapshot=00000003-1 --lock-wait-timeout=60000"),
    ("16.15", "--format=custom --compress=zstd:1 --snapshot=00000003-1 --lock-wait-timeout=60000"),
    ("15.19", "--format=custom --compress=1 --snapshot=00000003-1 --lock-wait-timeout=60000"),
])  # fmt: skip
def test_what_pg_dump_is_asked_for(tmp_path: Path, version: str, words: str) -> None:
    with dumper(tmp_path, f'echo "$@" > {tmp_path}/argv', version=version).stream(snapshot="00000003-1") as chunks:
        assert b"".join(chunks) == b""
    argv = (tmp_path / "argv").read_text()
    assert argv.startswith(words)
    # never a part of the database, nor a part of its rows
    assert not any(word in argv for word in ("--table", "--schema", "--exclude", "row-security", "--no-owner"))


def test_definitions_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis.adapters.postgres.dump._MOST", 1000)
    with pytest.raises(CouldNotDecide) as caught:
        dumper(tmp_path, "yes").globals("shop")
    assert caught.value.code == "backup_check.dump_failed"


def test_repr_holds_no_password(tmp_path: Path) -> None:
    assert SECRET not in repr(dumper(tmp_path, ""))
