"""A restore that has shown something is written down, also where another one has ended in the same second."""

from __future__ import annotations

import datetime
from types import SimpleNamespace

import pytest

from aegis.backup.records import entries_of
from aegis.cli.backup import remember as module
from aegis.cli.backup.audit import BackupAudit
from aegis.cli.backup.stores import Place
from aegis.core.errors import CouldNotDecide
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import NOW, RECORDS, manifest_at, result

MADE = manifest_at(NOW)


class Clock:
    """It goes on for who sleeps only, and then by as much as it is told to."""

    def __init__(self) -> None:
        self.time, self.pace, self.sleeps = NOW, 1, 0

    def now(self, zone: datetime.tzinfo) -> datetime.datetime:
        return self.time.astimezone(zone)

    def sleep(self, seconds: float) -> None:
        self.sleeps += 1
        self.time += datetime.timedelta(seconds=seconds * self.pace)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "datetime", SimpleNamespace(datetime=clock, UTC=datetime.UTC))
    monkeypatch.setattr(module, "time", clock)
    return clock


def remember(store: ShelfStore) -> None:
    module.remember(
        result(),
        database="shop",
        backup=MADE.id,
        started=NOW,
        audit=BackupAudit(None),
        records=Place(store, RECORDS),
        actor="",
        run_url="",
    )


def test_restores_of_one_second_are_all_remembered(clock: Clock) -> None:
    store = ShelfStore()
    for _ in range(3):
        remember(store)
        clock.time = NOW
    assert len(entries_of(store, RECORDS, "shop")) == 3
    assert clock.sleeps == 0 + 1 + 2


def test_who_finds_every_second_taken_says_so(clock: Clock) -> None:
    store = ShelfStore()
    remember(store)
    clock.pace = 0
    with pytest.raises(CouldNotDecide) as caught:
        remember(store)
    assert caught.value.code == "backup_check.object_exists"
    assert clock.sleeps < 10
