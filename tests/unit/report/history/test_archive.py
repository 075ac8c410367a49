"""An artifact's archive is somebody's file: what it says of itself is believed in nothing."""

from __future__ import annotations

import io
import struct
import warnings
import zipfile
from collections.abc import Callable

import pytest

from aegis.core.verdict import Verdict
from aegis.report import json_report
from aegis.report.history import archive
from aegis.report.history.collected import Collected
from aegis.signatures.verdict_document import LIMIT
from tests.support.verdicts.past_verdicts import NOW, ago, past

GOOD = json_report.render(past(ago(days=1)))
OTHER = json_report.render(past(ago(days=2), run=8))


def packed(*members: tuple[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of members of one name
        with zipfile.ZipFile(file, "w", method) as opened:
            for name, content in members:
                opened.writestr(name, content)
    return file.getvalue()


def collected(content: bytes, fits: Callable[[Verdict], str | None] | None = None) -> Collected:
    found = Collected(now=NOW)
    archive.collect("artifact scan-1", content, found, fits)
    return found


def refused(content: bytes, *words: str) -> None:
    found = collected(content)
    assert ([each.code for each in found.unread], found.pasts) == (["report.archive_unfit"], [])
    for word in words:
        assert word in found.unread[0].problem


def test_its_verdicts_are_read_and_nothing_else() -> None:
    found = collected(packed(("verdict.json", GOOD), ("verify/verdict.json", OTHER), ("summary.md", b"# x")))
    assert [each.place for each in found.newest_first()] == [
        "artifact scan-1: verdict.json",
        "artifact scan-1: verify/verdict.json",
    ]
    assert found.complete


def test_one_without_a_verdict_is_no_problem() -> None:
    found = collected(packed(("coverage.xml", b"<x/>")))
    assert (found.pasts, found.unread) == ([], [])


@pytest.mark.parametrize(
    "name",
    [
        "../verdict.json",
        "a/../../verdict.json",
        "/etc/verdict.json",
        "a\\..\\verdict.json",
        "C:/verdict.json",
        "a\x1b/verdict.json",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(name: str) -> None:
    refused(packed((name, GOOD), ("verdict.json", OTHER)), "leads elsewhere")


def test_two_of_one_name_are_refused() -> None:
    """Two readers could take different ones."""
    refused(packed(("verdict.json", GOOD), ("verdict.json", OTHER)), "two members of one name")


def test_a_bomb_is_read_no_further_than_a_verdict_may_be() -> None:
    bomb = packed(("verdict.json", b" " * (LIMIT + 5)))
    assert len(bomb) < 100_000
    found = collected(bomb)
    assert [each.code for each in found.unread] == ["core.verdict_invalid"]


def test_never_more_is_unpacked_than_shows_that_it_is_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory is bounded by what is asked for, not by what comes of it."""
    asked: list[int | None] = []
    read = zipfile.ZipExtFile.read

    def spied(file: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        asked.append(n)
        return read(file, n)

    monkeypatch.setattr(zipfile.ZipExtFile, "read", spied)
    collected(packed(("verdict.json", b" " * (LIMIT + 5))))
    assert asked == [LIMIT + 1]


def test_many_members_may_not_add_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_BYTES", len(GOOD) + 10)
    content = packed(("a/verdict.json", GOOD), ("b/verdict.json", OTHER))
    found = collected(content)
    assert [each.code for each in found.unread] == ["report.archive_unfit"]
    assert "unpacks to more than" in found.unread[0].problem


def test_too_many_members_are_not_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "MOST_MEMBERS", 2)
    refused(packed(("a", b""), ("b", b""), ("verdict.json", GOOD)), "3 members")


def test_what_claims_to_be_smaller_than_it_is_is_broken() -> None:
    content = bytearray(packed(("verdict.json", GOOD)))
    # the central directory's uncompressed size
    place = content.rindex(b"PK\x01\x02") + 24
    content[place : place + 4] = struct.pack("<I", 10)
    found = collected(bytes(content))
    assert (found.complete, found.pasts) == (False, [])


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x05\x06", b"no archive", packed(("verdict.json", GOOD))[:-30], packed(("verdict.json", GOOD))[30:]],
    ids=["empty", "end-only", "text", "cut", "beheaded"],
)
def test_what_is_no_archive_is_named(content: bytes) -> None:
    refused(content, "cannot be read")


def test_one_that_was_changed_on_its_way_is_named() -> None:
    content = bytearray(packed(("verdict.json", GOOD), method=zipfile.ZIP_STORED))
    content[content.index(b"octo")] ^= 1
    refused(bytes(content), "BadZipFile")


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_only_what_github_packs_by_is_unpacked(method: int) -> None:
    refused(packed(("verdict.json", GOOD), method=method), "packed by method")


def test_an_encrypted_one_is_named() -> None:
    content = bytearray(packed(("verdict.json", GOOD)))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.rindex(mark) + offset
        content[place] |= 1
    refused(bytes(content), "cannot be read")


def test_a_verdict_that_does_not_belong_there_is_named() -> None:
    found = collected(packed(("verdict.json", GOOD)), lambda verdict: f"it is of gate {verdict.gate}")
    assert [(each.code, each.problem) for each in found.unread] == [("report.verdict_unfit", "it is of gate scan")]
    assert found.pasts == []
