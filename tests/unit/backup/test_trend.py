"""How restores grow: a line where there is one, a ratio where there is none, and never a promise that shrinks."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.backup.records import Record
from aegis.backup.trend import Trend, trend
from tests.support.backup.shelves import FAILED, NOW, UNKNOWN, manifest_at, record

MIB = 1 << 20
MADE = manifest_at(NOW, 1)


def restored(days: float, mib: float, seconds: float, **changes: Any) -> Record:
    """So many days ago, of a backup of so many MiB."""
    passed = {"size": round(mib * MIB), "seconds": {"download": seconds, "compare": 99.0}}
    return record(MADE, NOW - timedelta(days=days), **{**passed, **changes})


def of(*records: Record) -> Trend:
    found = trend(records)
    assert found is not None
    return found


@pytest.mark.parametrize("records", [[], [record(MADE, NOW, **FAILED)], [record(MADE, NOW, **UNKNOWN)]])
def test_where_nothing_has_passed_there_is_none(records: list[Record]) -> None:
    assert trend(records) is None


def test_one_restore_gives_a_ratio() -> None:
    found = of(restored(0, 100, 20))
    assert found.seconds_at(200 * MIB) == pytest.approx(40)
    assert found.growth == 0
    assert found.seconds_in(90) == pytest.approx(20)
    assert found.formula == "RTO = 0.2 s * MiB of the backup, through 1 restore of tier proof"


def test_several_sizes_give_a_line_that_one_slow_restore_does_not_bend() -> None:
    days = [restored(9 - number, 100 + 10 * number, 5 + 0.1 * (100 + 10 * number)) for number in range(10)]
    days[4] = restored(5, 140, 500)
    found = of(*reversed(days))
    assert found.fixed == pytest.approx(5)
    assert found.per_mib == pytest.approx(0.1)
    assert found.seconds_at(1000 * MIB) == pytest.approx(105)
    assert found.growth == pytest.approx(10 * MIB)
    assert found.seconds_in(10) == pytest.approx(5 + 0.1 * 290)
    assert found.formula == "RTO = 5.0 s + 0.1 s * MiB of the backup, through 10 restores of tier proof"


def test_its_points_are_the_oldest_first() -> None:
    found = of(restored(0, 3, 30), restored(1, 2, 20), restored(2, 1, 10))
    assert [(point.seconds, point.size) for point in found.points] == [(10, MIB), (20, 2 * MIB), (30, 3 * MIB)]


def test_other_tiers_and_failures_are_left_out() -> None:
    found = of(
        restored(0, 1, 1, tier="full"), restored(1, 1, 9), restored(2, 1, 1, tier="full"), record(MADE, NOW, **FAILED)
    )
    assert found.tier == "full"
    assert [point.seconds for point in found.points] == [1, 1]


def test_larger_ones_that_took_less_give_no_line_downwards() -> None:
    found = of(restored(0, 300, 10), restored(1, 200, 20), restored(2, 100, 30))
    assert found.fixed == 0
    assert found.per_mib == pytest.approx(0.1)


def test_a_backup_that_shrinks_ends_at_nothing() -> None:
    found = of(restored(0, 1, 1), restored(1, 50, 50), restored(2, 100, 100))
    assert found.growth < 0
    assert found.seconds_in(1000) == found.fixed


SHAPES = st.lists(st.tuples(st.integers(1, 10**12), st.floats(0.001, 1e6)), min_size=1, max_size=30)


@settings(max_examples=100, deadline=None)
@given(SHAPES)
def test_more_bytes_never_take_less(shapes: list[tuple[int, float]]) -> None:
    records = [restored(number, size / MIB, seconds) for number, (size, seconds) in enumerate(shapes)]
    found = trend(records)
    if found is not None:
        assert 0 <= found.seconds_at(0) <= found.seconds_at(MIB) <= found.seconds_at(1 << 50)
