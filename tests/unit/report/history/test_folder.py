"""A folder may hold anything under the name of a verdict; what is no verdict is named and counted."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from aegis.report import json_report
from aegis.report.history import folder
from aegis.report.history.collected import Collected
from aegis.signatures.verdict_document import LIMIT
from tests.support.verdicts.past_verdicts import NOW, ago, past, put, stamp


def collected(place: Path, **settings: object) -> Collected:
    found = Collected(now=NOW, **settings)  # type: ignore[arg-type]
    folder.collect(place, found)
    return found


def test_every_verdict_below_it_is_read(tmp_path: Path) -> None:
    put(tmp_path / "a" / "b", past(ago(days=1), run=1), past(ago(days=2), run=2))
    put(tmp_path / "c", past(ago(days=3), run=3))
    found = collected(tmp_path)
    assert (len(found.pasts), found.unread, found.complete) == (3, [], True)
    assert [each.finished for each in found.newest_first()] == [ago(days=1), ago(days=2), ago(days=3)]


def test_a_file_may_be_named_itself(tmp_path: Path) -> None:
    put(tmp_path, past(ago(days=1)))
    assert len(collected(tmp_path / "scan-0" / "verdict.json").pasts) == 1


def test_only_the_name_that_gates_write_is_read(tmp_path: Path) -> None:
    (tmp_path / "verdict.json.bak").write_bytes(b"x")
    (tmp_path / "other.json").write_bytes(json_report.render(past(ago(days=1))))
    assert (collected(tmp_path).pasts, collected(tmp_path).unread) == ([], [])


def test_a_copy_counts_once_and_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a", past(ago(days=1)))
    put(tmp_path / "b", past(ago(days=1)))
    found = collected(tmp_path)
    assert (len(found.pasts), found.twice) == (1, 1)


def test_what_is_older_than_asked_for_is_counted(tmp_path: Path) -> None:
    put(tmp_path, past(ago(days=1), run=1), past(ago(days=9), run=2))
    found = collected(tmp_path, since=ago(days=2))
    assert (len(found.pasts), found.older, found.complete) == (1, 1, True)


GOOD = json_report.render(past(ago(days=1)))


@pytest.mark.parametrize(
    ("name", "content"),
    {
        "empty": b"",
        "cut": GOOD[:-20],
        "no json": b"verdict",
        "a list": b"[]",
        "another schema": GOOD.replace(b"verdict:v1", b"verdict:v2"),
        "a field that is unknown": GOOD.replace(b'"gate"', b'"gate2": 1, "gate"', 1),
        "a field twice": GOOD.replace(b'"gate"', b'"gate": "verify", "gate"', 1),
        "a result of its own": GOOD.replace(b'"result": "pass"', b'"result": "PASS"').replace(
            b'"result":"pass"', b'"result":"PASS"'
        ),
        "no UTF-8": GOOD.replace(b"octo", b"oc\xff", 1),
        "larger than any verdict": b'"' + b"x" * LIMIT + b'"',
    }.items(),
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_what_is_no_verdict_is_named(name: str, content: bytes, tmp_path: Path) -> None:
    put(tmp_path, past(ago(days=2)))
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "verdict.json").write_bytes(content)
    found = collected(tmp_path)
    assert (len(found.pasts), found.complete) == (1, False)
    (unread,) = found.unread
    assert (unread.place, unread.code) == (str(tmp_path / "bad" / "verdict.json"), "core.verdict_invalid")


@pytest.mark.parametrize("finished", ["2026-11-26T13:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_verdict_of_the_future_does_not_count(finished: str, tmp_path: Path) -> None:
    """It would be the newest for ever."""
    put(tmp_path, replace(past(ago(days=1)), finished=finished))
    found = collected(tmp_path)
    assert ([each.code for each in found.unread], found.pasts) == (["report.verdict_unfit"], [])
    assert "in the future" in found.unread[0].problem


def test_clocks_may_differ_a_little(tmp_path: Path) -> None:
    put(tmp_path, replace(past(ago(days=1)), finished=stamp(ago(minutes=-4))))
    assert collected(tmp_path).complete


@pytest.mark.parametrize("finished", ["2026-13-01T00:00:00Z", "yesterday Z"])
def test_a_time_that_is_none_does_not_count(finished: str, tmp_path: Path) -> None:
    put(tmp_path, replace(past(ago(days=1)), finished=finished))
    assert [each.code for each in collected(tmp_path).unread] in (["report.verdict_unfit"], ["core.verdict_invalid"])


class TestNothingIsFollowed:
    """A folder of downloaded artifacts may hold links and pipes that somebody put there."""

    def test_not_a_link_to_a_verdict(self, tmp_path: Path) -> None:
        put(tmp_path / "outside", past(ago(days=1)))
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "verdict.json").symlink_to(tmp_path / "outside" / "scan-0" / "verdict.json")
        found = collected(tmp_path / "in")
        assert ([each.code for each in found.unread], found.pasts) == (["report.verdict_unreadable"], [])

    def test_not_a_link_to_a_folder(self, tmp_path: Path) -> None:
        put(tmp_path / "outside", past(ago(days=1)))
        (tmp_path / "in").mkdir()
        (tmp_path / "in" / "more").symlink_to(tmp_path / "outside")
        found = collected(tmp_path / "in")
        assert ([each.problem for each in found.unread], found.pasts) == (
            [f"{tmp_path}/in/more is a link to a folder"],
            [],
        )

    def test_a_pipe_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "verdict.json")
        (unread,) = collected(tmp_path).unread
        assert (unread.code, "no regular file" in unread.problem) == ("report.verdict_unreadable", True)

    def test_a_folder_of_that_name_is_told(self, tmp_path: Path) -> None:
        (tmp_path / "verdict.json").mkdir()
        assert [each.code for each in collected(tmp_path).unread] == ["report.verdict_unreadable"]

    def test_a_file_that_is_gone_is_told(self, tmp_path: Path) -> None:
        found = collected(tmp_path / "gone" / "verdict.json")
        assert [each.code for each in found.unread] == ["report.verdict_unreadable"]


def test_more_than_a_limit_is_not_read_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "MOST_FILES", 2)
    put(tmp_path, *(past(ago(days=day), run=day) for day in range(1, 5)))
    found = collected(tmp_path)
    assert (len(found.pasts), [each.code for each in found.unread]) == (2, ["report.too_much"])


def test_a_folder_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a fault of the file system: root may list every folder."""
    put(tmp_path, past(ago(days=1)))
    listed = os.scandir

    def scandir(path: str) -> object:
        if str(path).endswith("scan-0"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    found = collected(tmp_path)
    assert ([each.code for each in found.unread], found.pasts) == (["report.verdict_unreadable"], [])
    assert "Permission denied" in found.unread[0].problem


def test_a_verdict_as_the_gates_write_it_today_is_read(tmp_path: Path) -> None:
    """The reader and the writer are of one schema."""
    assert json.loads(GOOD)["schema"].endswith("verdict:v1")
    put(tmp_path, past(ago(days=1)))
    assert collected(tmp_path).complete
