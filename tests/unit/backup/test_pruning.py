"""Removing: the manifest first, nothing half, nothing of others; and locks are told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from aegis.backup.listing import Contents, backups_of, contents_of
from aegis.backup.manifest import Manifest, dump_manifest
from aegis.backup.pruning import candidates, remove
from aegis.backup.records import entries_of
from aegis.backup.retention import fates
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Keep
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import FAILED, NOW, PREFIX, RECORDS, SHOP, UNKNOWN, back_up, hours, restore


def contents(store: ShelfStore, made: Manifest) -> Contents:
    (listed,) = [each for each in backups_of(store, PREFIX, "shop") if each.id == made.id]
    return contents_of(store, listed)


def held(store: ShelfStore) -> dict[str, str]:
    backups = backups_of(store, PREFIX, "shop")
    found = candidates(store, store, SHOP, backups, entries_of(store, RECORDS, "shop"))
    return {each.contents.listed.id: each.held for each in found}


class TestRemoving:
    def test_the_manifest_goes_first_and_all_else_after_it(self) -> None:
        store = ShelfStore()
        old, new = back_up(store, NOW - hours(2)), back_up(store, NOW)
        folder = f"{PREFIX}shop/{old.id}/"
        store.put(f"{folder}manifest.sigstore.json", b"{}")
        store.put(f"{folder}somebody's", b"x")
        found = remove(store, contents(store, old))
        assert found.problem is None
        assert found.objects == 5
        assert store.deleted[:2] == [f"{folder}manifest.json", f"{folder}manifest.sigstore.json"]
        assert [listed.id for listed in backups_of(store, PREFIX, "shop")] == [new.id]
        assert all(new.id in key for key in store.names())

    def test_one_without_a_manifest(self) -> None:
        store = ShelfStore()
        made = back_up(store, NOW, complete=False)
        assert remove(store, contents(store, made)).objects == 2
        assert store.names() == []

    def test_a_locked_manifest_keeps_the_whole_backup(self) -> None:
        store = ShelfStore()
        made = back_up(store, NOW)
        store.locked = {f"{PREFIX}shop/{made.id}/manifest.json"}
        found = remove(store, contents(store, made))
        assert found.problem is not None
        assert found.problem.code == "backup_check.prune_refused"
        assert "Object Lock" in found.problem.remedy
        assert found.objects == 0
        assert len(store.names()) == 3

    def test_a_locked_object_leaves_what_is_no_backup_any_more(self) -> None:
        store = ShelfStore()
        made = back_up(store, NOW)
        store.locked = {f"{PREFIX}shop/{made.id}/dump/0"}
        found = remove(store, contents(store, made))
        assert found.problem is not None
        assert found.objects == 1
        assert not contents(store, made).complete

    def test_an_older_version_of_the_manifest_would_come_back(self) -> None:
        store = ShelfStore()
        made = back_up(store, NOW)
        store.put(f"{PREFIX}shop/{made.id}/manifest.json", dump_manifest(made))
        found = remove(store, contents(store, made))
        assert found.problem is not None
        assert found.problem.code == "backup_check.prune_refused"
        assert "still there" in found.problem.problem
        assert len(store.names()) == 3

    def test_a_fault_of_the_store_is_told_as_it_is(self) -> None:
        store = ShelfStore()
        seen = contents(store, back_up(store, NOW))
        store.fault = CouldNotDecide("verify.store_failed", "500", expected="200", remedy="again")
        found = remove(store, seen)
        assert found.problem is store.fault


class TestWhatIsKnown:
    def test_each_state(self) -> None:
        store = ShelfStore()
        made = {name: back_up(store, NOW - hours(number)) for number, name in enumerate("abcdefg")}
        restore(store, made["a"], NOW)
        restore(store, made["b"], NOW, **FAILED)
        restore(store, made["c"], NOW, **UNKNOWN)
        restore(store, made["d"], NOW, sha256="0" * 64)
        restore(store, made["e"], NOW, **FAILED)
        store.drop(f"{PREFIX}shop/{made['e'].id}/manifest.json")
        store.drop(f"{PREFIX}shop/{made['f'].id}/manifest.json")
        assert held(store) == {
            made["a"].id: "verified",
            made["b"].id: "failed",
            made["c"].id: "unproven",
            made["d"].id: "damaged",
            made["e"].id: "damaged",
            made["f"].id: "unproven",
            made["g"].id: "unproven",
        }

    def test_what_was_proven_keeps_its_place_when_the_policy_asks_for_more(self) -> None:
        """321 daily backups, each proven; then the tier is raised, and eight nights are proven by it."""
        store = ShelfStore()
        made = [back_up(store, NOW - hours(24 * day)) for day in range(321)]
        for number, each in enumerate(made):
            restore(store, each, NOW - hours(24 * number - 1), tier="full" if number < 8 else "proof")
        raised = structs.replace(SHOP, tier="full")
        backups = backups_of(store, PREFIX, "shop")
        found = candidates(store, store, raised, backups, entries_of(store, RECORDS, "shop"))
        kept = [fate.candidate.contents.listed.id for fate in fates(found, Keep(), NOW) if fate.keep]
        assert len(kept) == 29
        assert kept[-1] < made[290].id

    @pytest.mark.parametrize(
        ("records", "word"),
        [
            ([{"tier": "sample"}], "weaker"),
            ([FAILED, {"tier": "sample"}], "weaker"),
            ([{"tier": "sample"}, FAILED], "failed"),
            ([{"tier": "sample", "equality": "not run"}], "unproven"),
            ([{"tier": "sample", "sha256": "0" * 64}], "damaged"),
            ([{}, {"tier": "sample"}], "verified"),
        ],
    )
    def test_by_whatever_tier_of_this_very_manifest(self, records: list[dict[str, Any]], word: str) -> None:
        store = ShelfStore()
        made = back_up(store, NOW - hours(9))
        for number, changes in enumerate(records):
            restore(store, made, NOW - hours(8 - number), **changes)
        assert held(store) == {made.id: word}

    @pytest.mark.parametrize("tier", ["proof", "sample"])
    @pytest.mark.parametrize("lost", ["dump/1", "all", "cut"])
    def test_what_has_lost_objects_since_takes_no_place_of_one_that_is_whole(self, tier: str, lost: str) -> None:
        """E.g. somebody began to remove a folder by hand: its manifest comes last there."""
        store = ShelfStore()
        whole, hollow = back_up(store, NOW - hours(48)), back_up(store, NOW - hours(24))
        for each in (whole, hollow):
            restore(store, each, NOW - hours(20), tier=tier)
        folder = f"{PREFIX}shop/{hollow.id}/"
        for number in (0, 1) if lost == "all" else (1,):
            store.drop(f"{folder}dump/{number}")
        if lost == "cut":
            store.put(f"{folder}dump/1", b"cut")
        store.put(f"{PREFIX}shop/{whole.id}/somebody's", b"x")
        assert held(store) == {whole.id: "weaker" if tier == "sample" else "verified", hollow.id: "damaged"}
        found = candidates(store, store, SHOP, backups_of(store, PREFIX, "shop"), entries_of(store, RECORDS, "shop"))
        assert all(fate.keep for fate in fates(found, Keep(last=1, daily=0, weekly=0, monthly=0), NOW))

    def test_a_record_that_nobody_can_read_removes_nothing(self) -> None:
        store = ShelfStore()
        made = back_up(store, NOW - hours(9))
        store.put(restore(store, made, NOW), b"{}")
        assert held(store) == {made.id: "unreadable"}
