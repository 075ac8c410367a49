"""Which backups stay: the newest verified always, and of the others none before enough verified ones are newer."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.backup.listing import Contents, Listed
from aegis.backup.retention import GRACE, Candidate, Fate, Held, fates
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Keep
from aegis.core.ports.objects import ObjectInfo

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def candidate(time: datetime, held: Held = "verified", *, complete: bool = True) -> Candidate:
    backup = f"{time:%Y%m%dT%H%M%SZ}-0000000016B37480"
    manifest = ObjectInfo(f"{backup}/manifest.json", 1) if complete else None
    return Candidate(Contents(Listed(backup, f"{backup}/", time), manifest, None, ()), held)


def days(*ages: float, held: Held = "verified", complete: bool = True) -> list[Candidate]:
    return [candidate(NOW - timedelta(days=age), held, complete=complete) for age in ages]


def kept(found: tuple[Fate, ...]) -> list[int]:
    """The ages in days of those that stay."""
    return [(NOW - fate.candidate.contents.listed.time).days for fate in found if fate.keep]


NOTHING = Keep(last=1, daily=0, weekly=0, monthly=0)


class TestPlaces:
    def test_the_newest_so_many(self) -> None:
        assert kept(fates(days(*range(10)), Keep(last=3, daily=0, weekly=0, monthly=0), NOW)) == [0, 1, 2]

    def test_the_newest_of_each_day(self) -> None:
        found = fates(days(0, 0.1, 0.2, 1, 1.1, 2), Keep(last=1, daily=2, weekly=0, monthly=0), NOW)
        assert [fate.keep for fate in found] == [True, False, False, True, False, False]
        assert found[3].reason == "the newest verified of 2026-11-25"

    def test_the_newest_of_each_week_from_monday_on(self) -> None:
        # 2026-11-26 is a Thursday: its week began 3 days ago
        assert kept(fates(days(*range(20)), Keep(last=1, daily=0, weekly=3, monthly=0), NOW)) == [0, 4, 11]

    def test_the_newest_of_each_month(self) -> None:
        assert kept(fates(days(*range(90)), Keep(last=1, daily=0, weekly=0, monthly=3), NOW)) == [0, 26, 57]

    def test_the_turn_of_the_year_is_one_week(self) -> None:
        now = datetime(2027, 1, 3, 12, tzinfo=UTC)  # a Sunday, of the ISO week 2026-W53
        found = fates(
            [candidate(now - timedelta(days=age)) for age in range(8)], Keep(last=1, daily=0, weekly=2, monthly=0), now
        )
        assert [fate.keep for fate in found] == [True] + [False] * 6 + [True]

    def test_days_without_a_backup_take_no_place(self) -> None:
        assert kept(fates(days(100, 200, 300, 400), Keep(last=1, daily=3, weekly=0, monthly=0), NOW)) == [100, 200, 300]

    def test_they_overlap_rather_than_add_up(self) -> None:
        found = kept(fates(days(*range(400)), Keep(last=7, daily=14, weekly=8, monthly=12), NOW))
        assert found[:14] == list(range(14))
        assert len(found) == 14 + 6 + 10


class TestWhatWasNeverProven:
    def test_it_takes_nobodys_place(self) -> None:
        found = fates([*days(0, 1, 2, held="unproven"), *days(3, 4)], Keep(last=2, daily=0, weekly=0, monthly=0), NOW)
        assert kept(found) == [0, 1, 2, 3, 4]

    @pytest.mark.parametrize("held", ["unproven", "failed"])
    def test_it_goes_when_enough_verified_ones_are_newer(self, held: Held) -> None:
        keep = Keep(last=2, daily=5, weekly=0, monthly=0)
        assert kept(fates([*days(0, 1), *days(2, held=held)], keep, NOW)) == [0, 1]
        assert kept(fates([*days(0), *days(2, held=held)], keep, NOW)) == [0, 2]

    def test_without_a_verified_one_nothing_goes(self) -> None:
        for held in ("unproven", "failed"):
            assert len(kept(fates(days(*range(100), held=held), NOTHING, NOW))) == 100
        assert kept(fates(days(50, held="unproven", complete=False), NOTHING, NOW)) == [50]


class TestWithoutAManifest:
    def test_it_has_time_to_get_one(self) -> None:
        young, old = GRACE - timedelta(seconds=1), GRACE
        for age, stays in ((young, True), (old, False)):
            found = fates([candidate(NOW - age, "unproven", complete=False), *days(0)], NOTHING, NOW)
            assert found[-1].keep == stays

    def test_it_stays_while_no_verified_one_is_newer(self) -> None:
        assert kept(fates([*days(3, held="unproven", complete=False), *days(4)], NOTHING, NOW)) == [3, 4]

    @pytest.mark.parametrize(("newer", "stays"), [(1, True), (2, False)])
    def test_one_that_was_restored_from_is_kept_to_be_looked_at_while_it_may_be_needed(
        self, newer: int, stays: bool
    ) -> None:
        keep = Keep(last=2, daily=0, weekly=0, monthly=0)
        found = fates([*days(30, held="damaged", complete=False), *days(*range(newer))], keep, NOW)
        assert found[-1].keep == stays

    def test_one_with_another_manifest_than_was_proven_always_is(self) -> None:
        assert kept(fates([*days(30, held="damaged"), *days(0, 1, 2)], NOTHING, NOW)) == [0, 30]


def test_by_a_clock_that_is_behind_nothing_goes() -> None:
    with pytest.raises(CouldNotDecide) as caught:
        fates([candidate(NOW + timedelta(seconds=61)), *days(1)], NOTHING, NOW)
    assert caught.value.code == "backup_check.clocks_differ"
    assert len(fates([candidate(NOW + timedelta(seconds=60)), *days(1)], NOTHING, NOW)) == 2


WORDS: list[Held] = ["verified", "unproven", "failed", "damaged"]
SHELVES = st.lists(
    st.tuples(st.integers(0, 5000), st.sampled_from(WORDS), st.booleans()), max_size=60, unique_by=lambda one: one[0]
)
KEEPS = st.builds(
    Keep, last=st.integers(1, 9), daily=st.integers(0, 9), weekly=st.integers(0, 9), monthly=st.integers(0, 9)
)


@settings(max_examples=200, deadline=None)
@given(SHELVES, KEEPS)
def test_what_holds_for_every_shelf(shelf: list[tuple[int, Held, bool]], keep: Keep) -> None:
    made = [
        candidate(NOW - timedelta(hours=age), held, complete=complete or held == "verified")
        for age, held, complete in shelf
    ]
    found = fates(made, keep, NOW)
    assert {fate.candidate.contents.listed.id for fate in found} == {one.contents.listed.id for one in made}
    verified = [fate for fate in found if fate.candidate.held == "verified"]
    assert all(fate.keep for fate in verified[: keep.last])
    if not verified:
        assert all(fate.keep for fate in found)
    else:
        assert verified[0].keep
        newer = [fate for fate in found if fate.candidate.contents.listed.id > verified[0].candidate.contents.listed.id]
        assert all(fate.keep for fate in newer)
    assert all(fate.keep for fate in found if fate.candidate.held == "damaged" and fate.candidate.contents.complete)
    # what stays would stay again: to prune twice is to prune once
    again = fates([fate.candidate for fate in found if fate.keep], keep, NOW)
    assert all(fate.keep for fate in again)


class TestTiers:
    def test_a_proof_by_a_lower_tier_fills_a_place(self) -> None:
        found = fates(days(0, 1) + days(2, 40, held="weaker"), Keep(last=1, daily=0, weekly=0, monthly=2), NOW)
        assert kept(found) == [0, 40]

    def test_the_newest_by_the_policy_s_tier_stays_behind_newer_ones_of_a_lower(self) -> None:
        found = fates(days(0, 1, 2, held="weaker") + days(3, 4), NOTHING, NOW)
        assert kept(found) == [0, 3]
        assert found[3].reason == "the newest verified by the tier of the policy"

    def test_what_no_record_says_any_more_stays(self) -> None:
        assert kept(fates(days(0, 1) + days(2, 300, held="unreadable"), NOTHING, NOW)) == [0, 2, 300]
