"""Storing a verdict: once and for ever, everything or an error."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.verdict import Source, Subject
from aegis.evidence import record
from aegis.evidence.finding import Asked, find
from aegis.evidence.layout import About
from aegis.evidence.storing import Stored, put
from tests.doubles.shelf import ShelfStore
from tests.support.verdicts.evidence import COMMIT, NOW, Made, made, trust
from tests.support.verdicts.signed_verdicts import DIGEST

UNTIL = NOW + datetime.timedelta(days=400)


class Holding(ShelfStore):
    """A store that holds objects fast until a day, or says so."""

    until: datetime.datetime | None = None

    def retained_until(self, key: str) -> datetime.datetime | None:
        return self.until


def store(shelf: ShelfStore, one: Made, **more: Any) -> Stored:
    said = record.unverified(one.bundle, name="b")
    return put(shelf, "p/", one.document, one.bundle, said, one.verdict, **more)


def content(shelf: ShelfStore) -> dict[str, bytes]:
    return {key: versions[-1][1] for key, versions in shelf.versions.items()}


def test_it_lies_where_the_page_says_and_is_found() -> None:
    shelf, one = ShelfStore(), made()
    assert store(shelf, one) == Stored(tuple(one.objects("p/")), 3)
    assert content(shelf) == one.objects("p/")
    for about in (About("commit", COMMIT), About("sha256", DIGEST)):
        assert find(shelf, "p/", about, Asked(("verify",)), trust()).problems == ()


def test_once_more_changes_nothing() -> None:
    shelf, one = ShelfStore(), made()
    store(shelf, one)
    assert store(shelf, one).new == 0
    assert all(len(versions) == 1 for versions in shelf.versions.values())


@pytest.mark.parametrize("part", ["by_itself", "by_digest", "by_commit"])
def test_what_lies_there_under_its_name_is_not_taken_for_it(part: str) -> None:
    shelf, one = ShelfStore(), made()
    key = f"p/{getattr(one, part)}"
    for other in (b"x", b"x" * len(one.objects("p/")[key])):
        shelf.versions.clear()
        shelf.put(key, other)
        with pytest.raises(Refused) as raised:
            store(shelf, one)
        assert raised.value.code == "evidence.altered"
        assert content(shelf)[key] == other


def test_a_fault_leaves_no_commit_without_the_rest() -> None:
    one = made()

    class Full(ShelfStore):
        def create(self, key: str) -> Any:
            if "/sha256/" in key:
                raise CouldNotDecide("backup_check.write_denied", "full", expected="room", remedy="make room")
            return super().create(key)

    shelf = Full()
    with pytest.raises(CouldNotDecide):
        store(shelf, one)
    assert not [key for key in shelf.versions if "/commit/" in key]


def test_every_commit_and_digest_has_its_own() -> None:
    merge, head, models = "aa" * 20, "bb" * 20, [f"{number:064x}" for number in range(3)]
    subject = (Subject(name="octo/shop", digest={"gitCommit": head}),)
    named = [{"name": f"m{digest[-1]}", "digest": {"sha256": digest}} for digest in models]
    one = made(source=Source(commit=merge), subject=subject, subjects=named)
    shelf = ShelfStore()
    keys = store(shelf, one).keys
    places = [f"p/sha256/{digest}" for digest in models] + [f"p/commit/{merge}", f"p/commit/{head}"]
    assert list(keys) == [f"p/{one.by_itself}", *(f"{place}/verify/{one.name}" for place in places)]


def test_the_verdicts_own_digest_is_no_place() -> None:
    shelf = ShelfStore()
    store(shelf, made())
    assert sorted({key.split("/")[2] for key in shelf.versions if "/sha256/" in key}) == [DIGEST]


@pytest.mark.parametrize("commit", [None, "main", "../../x"])
def test_one_that_nobody_would_find_is_refused(commit: str | None) -> None:
    shelf = ShelfStore()
    one = made(source=Source(commit=commit), subject=(), subjects=[{"name": "x", "digest": {"sha512": "ab" * 64}}])
    with pytest.raises(Refused) as raised:
        store(shelf, one)
    assert raised.value.code == "evidence.nowhere"
    assert not shelf.versions


class TestRetention:
    @pytest.mark.parametrize("until", [None, UNTIL - datetime.timedelta(seconds=1)], ids=["not", "shorter"])
    def test_a_store_that_does_not_hold_it_is_refused(self, until: datetime.datetime | None) -> None:
        shelf = Holding()
        shelf.until = until
        with pytest.raises(Refused) as raised:
            store(shelf, made(), until=UNTIL)
        assert raised.value.code == "evidence.not_retained"

    def test_and_one_that_knows_of_no_such_thing(self) -> None:
        with pytest.raises(Refused) as raised:
            store(ShelfStore(), made(), until=UNTIL)
        assert raised.value.code == "evidence.not_retained"

    def test_one_that_holds_it_is_enough(self) -> None:
        shelf = Holding()
        shelf.until = UNTIL
        assert store(shelf, made(), until=UNTIL).new == 3
