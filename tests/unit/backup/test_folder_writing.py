"""Writing to a folder: whole or not at all, once, and through no link."""

from __future__ import annotations

import errno
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.core.errors import AegisError
from tests.support.processes.privileges import as_nobody

ROOT = Path(__file__).resolve().parents[3]
KEY = "db/1-0/dump"


def put(of: WritableFolder, data: bytes, key: str = KEY) -> None:
    with of.create(key) as upload:
        upload.write(data[:3])
        upload.write(memoryview(data)[3:])


def refused(do: Callable[[], object]) -> str:
    with pytest.raises(AegisError) as caught:
        do()
    return caught.value.code


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir())


@pytest.fixture(params=["without a name", "with one"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file system that knows files without names, and one that does not."""
    if request.param == "with one":
        opened = os.open

        def without(path: str, flags: int, mode: int = 0o777, *, dir_fd: int | None = None) -> int:
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "no such files here")
            return opened(path, flags, mode, dir_fd=dir_fd)

        monkeypatch.setattr(os, "open", without)
    return tmp_path


def test_written_listed_read_and_deleted(folder: Path) -> None:
    of = WritableFolder(folder)
    put(of, b"content")
    put(of, b"", "db/1-0/empty")
    assert [info.key for info in of.list("")] == [KEY, "db/1-0/empty"]
    (info, _) = of.list("db/1-0/")
    assert b"".join(map(bytes, of.read(info))) == b"content"
    assert (folder / KEY).stat().st_mode & 0o777 == 0o600
    of.delete(info)
    of.delete(info)
    assert files(folder) == ["db/1-0/empty"]


def test_folders_go_with_what_was_in_them(folder: Path) -> None:
    of = WritableFolder(folder)
    put(of, b"one")
    put(of, b"two", "db/2-0/dump")
    (folder / "db/1-0/empty").mkdir()
    found = of.list("db/1-0/")
    assert [info.key for info in found] == [KEY, "db/1-0/empty/"]
    of.delete(found[0])
    assert sorted(path.name for path in (folder / "db").iterdir()) == ["1-0", "2-0"]
    of.delete(found[1])
    assert of.folders("db/") == ("db/2-0/",)
    of.delete(of.list("db/")[0])
    assert list(folder.iterdir()) == []


def test_it_is_not_there_before_the_end(folder: Path) -> None:
    of = WritableFolder(folder)
    with of.create(KEY) as upload:
        upload.write(b"content")
        assert of.head(KEY) is None
    assert of.head(KEY) is not None


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt()], ids=["own", "^C"])
def test_a_producer_that_fails_leaves_nothing(folder: Path, error: BaseException) -> None:
    def begin() -> None:
        with WritableFolder(folder).create(KEY) as upload:
            upload.write(b"a part")
            raise error

    with pytest.raises(type(error)):
        begin()
    assert files(folder) == []


def test_what_is_there_stays_as_it_is(folder: Path) -> None:
    of = WritableFolder(folder)
    put(of, b"the first")
    assert refused(lambda: put(of, b"another")) == "backup_check.object_exists"
    assert (folder / KEY).read_bytes() == b"the first"
    assert files(folder) == [KEY]


def test_what_came_meanwhile_stays_too(folder: Path) -> None:
    of = WritableFolder(folder)

    def begin() -> None:
        with of.create(KEY) as upload:
            upload.write(b"another")
            (folder / KEY).write_bytes(b"the first")

    assert refused(begin) == "backup_check.object_exists"
    assert (folder / KEY).read_bytes() == b"the first"
    assert files(folder) == [KEY]


@pytest.mark.parametrize("key", ["../x", "a/../../x", "a//x", "a/./x", "/x", "", "..", "a/", "a\0b"])
def test_names_that_lead_elsewhere(tmp_path: Path, key: str) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    assert refused(lambda: put(WritableFolder(inner), b"x", key)) == "verify.unsafe_name"
    assert files(tmp_path) == []
    assert list(inner.iterdir()) == []


def test_a_link_on_the_way(tmp_path: Path) -> None:
    (tmp_path / "inner").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "inner/db").symlink_to(tmp_path / "outside")
    assert refused(lambda: put(WritableFolder(tmp_path / "inner"), b"x")) == "verify.symlink"
    assert files(tmp_path / "outside") == []


def test_a_link_in_the_files_place(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("as it was")
    (tmp_path / "dump").symlink_to(tmp_path / "precious")
    assert refused(lambda: put(WritableFolder(tmp_path), b"x", "dump")) == "backup_check.object_exists"
    assert (tmp_path / "precious").read_text() == "as it was"


def test_a_file_where_a_folder_is_meant(tmp_path: Path) -> None:
    (tmp_path / "db").write_text("a file")
    assert refused(lambda: put(WritableFolder(tmp_path), b"x")) == "verify.store_missing"


def test_the_folder_itself_is_never_made(tmp_path: Path) -> None:
    """A disk that is not mounted must not be taken for an empty one."""
    assert refused(lambda: put(WritableFolder(tmp_path / "mount"), b"x")) == "verify.store_missing"
    assert not (tmp_path / "mount").exists()


def test_a_file_that_is_another_one_meanwhile_is_not_deleted(tmp_path: Path) -> None:
    of = WritableFolder(tmp_path)
    put(of, b"first")
    (info,) = of.list("")
    (tmp_path / KEY).unlink()
    (tmp_path / KEY).write_bytes(b"other")
    while of.list("") == (info,):  # it may have the inode of the first, and, before the kernel's clock ticks, its time
        os.utime(tmp_path / KEY)
    assert refused(lambda: of.delete(info)) == "verify.file_changed"
    assert (tmp_path / KEY).read_bytes() == b"other"


def test_who_may_not_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    assert as_nobody(tmp_path, lambda: refused(lambda: put(WritableFolder(tmp_path), b"x"))) == (
        "backup_check.write_denied"
    )


def test_a_limit_of_the_disk(tmp_path: Path) -> None:
    def limited() -> str:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        return refused(lambda: put(WritableFolder(tmp_path), bytes(2000)))

    tmp_path.chmod(0o777)
    assert as_nobody(tmp_path, limited) == "verify.disk_failed"
    assert files(tmp_path) == []


def test_a_process_that_is_killed_leaves_nothing(tmp_path: Path) -> None:
    program = (
        "import sys, pathlib\n"
        "from aegis.adapters.objects.local_writing import WritableFolder\n"
        "with WritableFolder(pathlib.Path(sys.argv[1])).create('dump') as upload:\n"
        "    upload.write(bytes(1000))\n"
        "    print('written', flush=True)\n"
        "    sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path],
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")}, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    assert list(tmp_path.iterdir()) == []
