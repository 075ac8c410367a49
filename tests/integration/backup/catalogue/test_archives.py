"""Rows 1 to 6 of the catalogue: what happens to an archive's bytes, and what takes them for a backup."""

from __future__ import annotations

import gzip
import subprocess
from pathlib import Path

import pytest

from tests.support.backup.shop import FILLER, run
from tests.support.backup.way import PASS, RefusedError, Shelf, dumped, fails, programs, undecided
from tests.support.databases.postgres import Server, binaries


def half(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def flipped(whole: bytes) -> bytes:
    """With another bit in the middle."""
    place = len(whole) // 2
    return whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :]


def test_01_an_archive_is_cut_in_half(streamed: Shelf, broken: bool) -> None:
    """`pg_restore --list` reads the head alone, and finds it whole."""
    stored = streamed.newest()
    if broken:
        stored.change(stored.data(), half)
    assert streamed.drill() == (fails("object_damaged") if broken else PASS)


def test_01_also_where_the_manifest_was_written_of_the_half(streamed: Shelf, broken: bool) -> None:
    stored = streamed.newest()
    if broken:
        stored.change(stored.data(), half)
    stored.told()
    assert streamed.drill() == (fails("restore_failed") if broken else PASS)


def test_02_a_plain_dump_that_was_cut_before_it_was_compressed(
    server: Server, database: str, streamed: Shelf, broken: bool
) -> None:
    """`gzip --test` finds it whole, and psql obeys it to where it ends, with the exit status 0."""

    def plain(place: Path, _: str) -> None:
        command = [str(server.bin / "pg_dump"), "--format=plain", server.socket_url(database)]
        sql = subprocess.run(command, check=True, capture_output=True, timeout=60).stdout
        place.write_bytes(gzip.compress(half(sql)))

    streamed.newest().archive(plain if broken else dumped(server, database))
    assert streamed.drill() == (fails("archive_unknown") if broken else PASS)


@pytest.mark.parametrize("compression", ["zstd", "lz4"])
@pytest.mark.parametrize("damage", ["healthy", "cut", "flip"])
def test_03_a_file_of_a_directory_is_damaged(
    server: Server, database: str, shelf: Shelf, compression: str, damage: str
) -> None:
    """pg_restore takes it for data, and the end of a cut file for its end: these hold no checksum of their own."""
    stored = shelf.newest()
    stored.archive(dumped(server, database, f"--compress={compression}"))
    if damage != "healthy":
        stored.change(stored.data(), half if damage == "cut" else flipped)
    assert shelf.drill() == (PASS if damage == "healthy" else fails("object_damaged"))
    if damage == "cut":
        stored.told()
        assert shelf.drill().outcome == "FAIL"


@pytest.mark.parametrize("stream", [False, True], ids=["directory", "stream"])
def test_04_pg_dump_dies_in_the_middle(
    server: Server, database: str, shelf: Shelf, tmp_path: Path, stream: bool, broken: bool
) -> None:
    """What it wrote until then is stored by a pipeline, under the newest name."""
    before = shelf.newest().folder
    # It has told us all by then but its end: every byte is there, and still it is none.
    dies = programs(
        tmp_path / "dies", server.bin, pg_dump='"$real" "$@" || exit; case "$*" in *schema*);; *) exit 3; esac'
    )
    if broken:
        with pytest.raises(RefusedError) as caught:
            shelf.take(server, database, stream=stream, programs=dies)
        assert caught.value.code == "backup_check.dump_failed"
        assert shelf.newest().folder == before
    else:
        shelf.take(server, database, stream=stream)
        assert shelf.newest().folder != before
    assert [each for each in shelf.folder.rglob("*") if each.is_file() and "dump" in str(each)] != []
    assert shelf.drill() == PASS


def test_04_pg_dump_loses_the_end_and_says_nothing(
    server: Server, database: str, shelf: Shelf, tmp_path: Path, broken: bool
) -> None:
    cuts = programs(tmp_path / "cuts", server.bin, pg_dump='''
        case "$*" in *format=custom*) "$real" "$@" | head -c 20000;; *) exec "$real" "$@"; esac''')  # fmt: skip
    shelf.take(server, database, stream=True, programs=cuts if broken else None)
    assert shelf.drill() == (fails("restore_failed") if broken else PASS)


def test_05_the_check_itself_is_broken(server: Server, tmp_path: Path, broken: bool) -> None:
    """A healthy backup must not be called broken: here, one whose list of contents is longer than a pipe."""
    name = server.new_database()
    run(server, name, "".join(f"CREATE TABLE table_of_a_long_name_{i} (a int);" for i in range(500)))
    shelf = Shelf(tmp_path / "store")
    shelf.take(server, name)
    fails_itself = programs(tmp_path / "broken", binaries(), postgres="exit 1")
    assert shelf.drill(programs=fails_itself if broken else None) == (undecided("engine_failed") if broken else PASS)


def test_05_the_restore_is_killed(shelf: Shelf, tmp_path: Path, broken: bool) -> None:
    """As the kernel does for lack of memory: a healthy backup must not be called broken for that."""
    killed = programs(
        tmp_path / "killed",
        binaries(),
        pg_restore='case "$*" in *--list*|*file=*) exec "$real" "$@"; esac; kill -KILL $$',
    )
    assert shelf.drill(programs=killed if broken else None) == (undecided("engine_failed") if broken else PASS)


def test_06_a_file_of_a_directory_is_missing(shelf: Shelf, broken: bool) -> None:
    stored = shelf.newest()
    if broken:
        stored.data().unlink()
    assert shelf.drill() == (fails("object_damaged") if broken else PASS)
    stored.told()
    assert shelf.drill() == (fails("restore_failed") if broken else PASS)


def test_06_one_statement_fails(streamed: Shelf, broken: bool) -> None:
    """Without `--exit-on-error`, pg_restore goes on; scripts that look for words lose its status."""
    stored = streamed.newest()
    honest = f"COMMENT ON TABLE public.accounts IS '{FILLER}';".encode()
    if broken:
        stored.change(stored.data(), lambda whole: whole.replace(honest, b"SELECT 1/0;".ljust(len(honest))))
    stored.told()
    assert streamed.drill() == (fails("restore_failed") if broken else PASS)


def test_06_pg_restore_says_that_it_restored(shelf: Shelf, tmp_path: Path, broken: bool) -> None:
    lies = programs(
        tmp_path / "lies", binaries(), pg_restore='case "$*" in *--list*|*file=*) exec "$real" "$@"; esac; exit 0'
    )
    told = shelf.drill(programs=lies if broken else None)
    assert told == (fails("extension_missing") if broken else PASS)
