"""The files of a backup before anything reads them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from aegis.adapters.pg_archive import check_objects, recognised, without_plain_indexes
from aegis.backup.manifest import StoredObject
from aegis.core.errors import Refused

CUSTOM = b"PGDMP\x01\x10\x00\x04\x08\x01"
TAR = b"PGDMP\x01\x10\x00\x04\x08\x03"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump/toc.dat").write_bytes(b"contents")
    (tmp_path / "globals.sql").write_bytes(b"roles")
    return tmp_path


def objects(folder: Path) -> list[StoredObject]:
    return [
        StoredObject(
            name=str(path.relative_to(folder)),
            size=path.stat().st_size,
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]


def test_what_was_written_passes(folder: Path) -> None:
    check_objects(folder, objects(folder))


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[3] ^= 1
    path.write_bytes(data)


def cut(path: Path) -> None:
    os.truncate(path, 3)


def link(path: Path) -> None:
    """To a file of the same content."""
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (flip, "has the SHA-256"),
        (cut, "has 3 bytes, not 8"),
        (Path.unlink, "is missing"),
        (link, "is in no manifest|cannot be read"),
        (pipe, "is no file"),
    ],
)
def test_damage_is_refused(folder: Path, damage: Callable[[Path], None], told: str) -> None:
    expected = objects(folder)
    damage(folder / "dump/toc.dat")
    with pytest.raises(Refused, match=told) as caught:
        check_objects(folder, expected)
    assert caught.value.code == "backup_check.object_damaged"


def test_a_link_out_of_the_folder_is_not_followed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    expected = objects(folder)
    outside = tmp_path_factory.mktemp("outside") / "toc.dat"
    (folder / "dump/toc.dat").rename(outside)
    (folder / "dump/toc.dat").symlink_to(outside)
    with pytest.raises(Refused, match="cannot be read"):
        check_objects(folder, expected)


def test_what_nobody_wrote_is_refused(folder: Path) -> None:
    expected = objects(folder)
    (folder / "dump/9999.dat\n").write_bytes(b"")
    with pytest.raises(Refused, match=r"'dump/9999.dat\\n' is in no manifest"):
        check_objects(folder, expected)


def test_the_two_forms_are_recognised(tmp_path: Path) -> None:
    (tmp_path / "custom").write_bytes(CUSTOM + b"rest")
    assert recognised(tmp_path / "custom").format == "custom"
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump/toc.dat").write_bytes(TAR + b"rest")
    assert recognised(tmp_path / "dump").format == "directory"


@pytest.mark.parametrize(
    "content",
    [
        b"--\n-- PostgreSQL database dump\n--\n\\! touch /tmp/owned\n",
        b"\\restrict x\n\\unrestrict x`id`\n",
        b"",
        b"PGDM",
        b"-- a dump \x01\n\\! id\n",
        CUSTOM[:-1],
        TAR,
        b"\x1f\x8b",
    ],
)
def test_nothing_else_is_taken(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "dump").write_bytes(content)
    with pytest.raises(Refused) as caught:
        recognised(tmp_path / "dump")
    assert caught.value.code == "backup_check.archive_unknown"


def test_a_folder_with_other_contents_is_refused(tmp_path: Path) -> None:
    (tmp_path / "toc.dat").write_bytes(b"\\! id\n")
    with pytest.raises(Refused, match="is no archive"):
        recognised(tmp_path)


def test_a_folder_without_contents_or_nothing_is_refused(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none"):
        with pytest.raises(Refused, match="cannot be read"):
            recognised(path)


LISTING = """;
; Selected TOC Entries:
;
10; 1259 1 TABLE public t x
11; 1259 2 INDEX public plain x
12; 0 0 COMMENT public INDEX plain x
13; 1259 3 INDEX public only_once x
14; 2606 4 CONSTRAINT public t t_pkey x
15; 0 0 INDEX ATTACH public plain_1 x
16; 0 0 INDEX ATTACH public t_pkey_1 x
17; 2606 5 FK CONSTRAINT public t t_fkey x
"""


def entry(number: int, kind: str, statement: str, *needs: int) -> str:
    depends = f"-- Dependencies: {' '.join(map(str, needs))}\n" if needs else ""
    return (
        f"--\n-- TOC entry {number} (class 1 OID 1)\n{depends}"
        f"-- Name: a; Type: {kind}; Schema: public; Owner: x\n--\n\n{statement}\n\n"
    )


POST_DATA = (
    entry(11, "INDEX", "CREATE INDEX plain ON public.t USING gin (a);", 10)
    + entry(12, "COMMENT", "COMMENT ON INDEX public.plain IS 'x';", 11)
    + entry(13, "INDEX", "CREATE UNIQUE INDEX only_once ON public.t USING btree (a);", 10)
    + entry(14, "CONSTRAINT", "ALTER TABLE ONLY public.t\n    ADD CONSTRAINT t_pkey PRIMARY KEY (a);", 10)
    + entry(15, "INDEX ATTACH", "ALTER INDEX public.plain ATTACH PARTITION public.plain_1;", 11, 10)
    + entry(16, "INDEX ATTACH", "ALTER INDEX public.t_pkey ATTACH PARTITION public.t_pkey_1;", 14, 10)
)


def left(post_data: str) -> list[str]:
    return [line.partition(";")[0] for line in without_plain_indexes(LISTING, post_data).splitlines()]


def test_only_indexes_that_check_nothing_are_left_out() -> None:
    assert left(POST_DATA) == ["10", "13", "14", "16", "17"]


def test_a_comment_cannot_leave_out_a_constraint() -> None:
    forged = entry(12, "COMMENT", "COMMENT ON TABLE public.t IS '", 10) + entry(17, "INDEX", "CREATE INDEX x';")
    assert "17" in left(forged)
