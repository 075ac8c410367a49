"""The files of a backup before anything reads them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from aegis.adapters.postgres.archive import (
    Archive,
    dumped_from,
    only_rows_of,
    recognised,
    without_plain_indexes,
)
from aegis.core.errors import Refused

CUSTOM = b"PGDMP\x01\x10\x00\x04\x08\x01"
TAR = b"PGDMP\x01\x10\x00\x04\x08\x03"


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


ROWS_LISTED = """\
;
; Archive created at 2026-11-26 00:34:13 UTC
;
215; 1259 16385 TABLE public users owner
216; 1259 16391 TABLE a b c owner
3400; 0 16385 TABLE DATA public users owner
3401; 0 16391 TABLE DATA a b c owner
3402; 0 16392 TABLE DATA public users old owner
3403; 0 16393 TABLE DATA public orders owner
3410; 0 0 BLOBS - 4711..4712 owner
3420; 0 0 SEQUENCE SET public users_id_seq owner
"""


@pytest.mark.parametrize(
    ("tables", "objects", "left"),
    [
        ([], False, set()),
        ([("public", "users")], False, {"3400", "3402"}),  # the second might be of an owner called `old owner`
        ([("a", "b c")], False, {"3401"}),
        ([("a b", "c")], False, {"3401"}),
        ([("public", "orders")], True, {"3403", "3410"}),
        ([("public", "order")], False, set()),
        ([("public", "users\nold")], False, {"3402"}),
    ],
)
def test_the_rows_of_some_tables(tables: list[tuple[str, str]], objects: bool, left: set[str]) -> None:
    """Definitions and positions of sequences stay; names that read the same come along."""
    chosen = only_rows_of(ROWS_LISTED, tables, large_objects=objects)
    numbers = {line.partition(";")[0] for line in chosen.splitlines() if line[0].isdigit()}
    assert numbers == {"215", "216", "3420", *left}


def head(version: tuple[int, int] = (1, 16), server: bytes | None = b"17.11", *, integer: int = 4) -> bytes:
    """As `WriteHead` in pg_backup_archiver.c writes it."""

    def number(value: int) -> bytes:
        return (b"\1" if value < 0 else b"\0") + abs(value).to_bytes(integer, "little")

    def text(value: bytes | None) -> bytes:
        return number(-1) if value is None else number(len(value)) + value

    compression = b"\2" if version >= (1, 15) else number(-1)
    time = b"".join(number(part) for part in (13, 34, 0, 26, 10, 126, 0))
    start = b"PGDMP" + bytes((*version, 0, integer, 8, 1)) + compression + time
    return start + text(b"shop") + text(server) + text(b"17.11") + number(0)


@pytest.mark.parametrize("version", [(1, 12), (1, 13), (1, 14), (1, 15), (1, 16)])
@pytest.mark.parametrize("server", ["17.11", "9.6.24", "15.18 (Debian 15.18-1)"])
def test_the_server_that_an_archive_is_of(version: tuple[int, int], server: str, tmp_path: Path) -> None:
    (tmp_path / "toc.dat").write_bytes(head(version, server.encode()))
    assert dumped_from(Archive(tmp_path, "directory")) == server
    assert dumped_from(Archive(tmp_path / "toc.dat", "custom")) == server


@pytest.mark.parametrize(
    "data",
    [
        *(head()[:length] for length in range(len(head()) - 15)),
        head((1, 11)),
        head((1, 17)),
        head((2, 0)),
        head(integer=8),
        head(server=None),
        head(server=b"\xff\xfe"),
        head()[:48] + b"\xff\xff\xff\x7f" + head()[52:],
    ],
    ids=lambda data: hashlib.sha256(data).hexdigest()[:8],
)
def test_a_head_that_is_none(data: bytes, tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(data)
    with pytest.raises(Refused) as caught:
        dumped_from(Archive(tmp_path / "dump", "custom"))
    assert caught.value.code == "backup_check.archive_unknown"
