"""Whether backups are fresh, whole and proven: each fault with its healthy twin, which has no problem."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from aegis.backup.drill import Answered
from aegis.backup.freshness import COMPARED, TREND, Shelf, look
from aegis.backup.inventory import Table
from aegis.backup.manifest import Encryption, Manifest, dump_manifest
from aegis.backup.records import dump_record, record_key
from aegis.backup.shelf_problems import span
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.policy import BackedUp, Smoke, Tier
from aegis.signatures.types import IdentitySigner, Trust
from tests.doubles.shelf import ShelfStore
from tests.support.backup.inventories import DATABASE, USERS
from tests.support.backup.shelves import (
    FAILED,
    NOW,
    PREFIX,
    RECORDS,
    SHOP,
    UNKNOWN,
    back_up,
    hours,
    manifest_at,
    record,
    restore,
)

OWN = DATABASE.system_identifier
SIGNER = IdentitySigner(
    identity="https://github.com/org/app/.github/workflows/backup.yml@refs/heads/main",
    pattern=None,
    issuer="https://token.actions.githubusercontent.com",
    claims={},
    deny_self_hosted=False,
)

BOTH = (f"age1{'q' * 58}", f"age1{'r' * 58}")
FOREIGN = f"age1{'z' * 58}"


@pytest.fixture
def store() -> ShelfStore:
    """A week of nightly backups, the newest of which was proven."""
    store = ShelfStore()
    made = [back_up(store, NOW - hours(10 + 24 * day)) for day in range(8)]
    restore(store, made[0], NOW - hours(5))
    return store


def seen(
    store: ShelfStore, *, records: ShelfStore | None = None, recipients: tuple[str, ...] = (), **changes: Any
) -> Shelf:
    return look(
        store,
        records or store,
        structs.replace(SHOP, **changes) if changes else SHOP,
        prefix=PREFIX,
        records_prefix=RECORDS,
        recipients=recipients,
        now=NOW,
    )


def put(store: ShelfStore, made: Manifest) -> Manifest:
    """A backup with a manifest of one's own."""
    back_up(store, datetime.fromisoformat(made.snapshot.time))
    store.put(f"{PREFIX}shop/{made.id}/manifest.json", dump_manifest(made))
    return made


def codes(shelf: Shelf) -> list[str]:
    return [problem.code.removeprefix("backup_check.") for problem in shelf.problems]


def newest(store: ShelfStore) -> str:
    return store.folders(f"{PREFIX}shop/")[-1]


class TestHealthy:
    def test_nothing_is_wrong(self, store: ShelfStore) -> None:
        shelf = seen(store, system_identifier="18446744073709551615")
        assert shelf.problems == ()
        assert shelf.notices == ()
        assert len(shelf.backups) == 8
        assert shelf.newest is not None
        assert shelf.newest.folder == newest(store)
        assert shelf.age == hours(10)
        assert shelf.size == 100
        assert shelf.manifest == manifest_at(NOW - hours(10), 30, 70)
        assert shelf.proof is not None
        assert shelf.proof.backup == shelf.newest.id
        assert shelf.proof_age == hours(5)
        assert len(shelf.records) == 1

    def test_a_thousand_backups_cost_as_many_requests_as_ten(self) -> None:
        asked = []
        for number in (10, 1000):
            store = ShelfStore()
            made = [back_up(store, NOW - hours(10 + 24 * day)) for day in range(number)]
            for each in made[::5]:
                restore(store, each, NOW - hours(5), **({} if each is made[0] else FAILED))
            store.asked.clear()
            assert seen(store).problems == ()
            assert store.asked.pop("read") <= TREND + 3
            asked.append(store.asked)
        assert asked[0] == asked[1]
        assert asked[0]["folders"] == 2

    def test_a_backup_that_is_on_its_way_is_told_and_nothing_more(self, store: ShelfStore) -> None:
        made = back_up(store, NOW, complete=False)
        shelf = seen(store)
        assert codes(shelf) == []
        assert len(shelf.notices) == 1
        assert made.id in shelf.notices[0]


class TestPresence:
    def test_no_backup_at_all(self) -> None:
        assert codes(seen(ShelfStore())) == ["no_backup", "never_proven"]

    def test_none_of_this_database(self, store: ShelfStore) -> None:
        assert codes(seen(store, name="sho")) == ["no_backup", "never_proven"]

    def test_nothing_but_leftovers(self) -> None:
        store = ShelfStore()
        back_up(store, NOW, complete=False)
        shelf = seen(store)
        assert codes(shelf) == ["no_backup", "never_proven"]
        assert "1 without a manifest" in shelf.problems[0].problem

    def test_a_store_that_does_not_answer_is_no_answer(self, store: ShelfStore) -> None:
        store.fault = CouldNotDecide("verify.store_denied", "403", expected="200", remedy="grant it")
        with pytest.raises(CouldNotDecide):
            seen(store)

    def test_records_that_do_not_answer_are_no_answer(self, store: ShelfStore) -> None:
        records = ShelfStore(fault=CouldNotDecide("verify.store_denied", "403", expected="200", remedy="grant it"))
        with pytest.raises(CouldNotDecide):
            seen(store, records=records)


class TestAge:
    @pytest.mark.parametrize(("allowed", "found"), [("10h", []), ("599m", ["backup_stale"]), ("1d", [])])
    def test_it_counts_from_the_snapshot(self, store: ShelfStore, allowed: str, found: list[str]) -> None:
        assert codes(seen(store, max_age=allowed)) == found

    def test_a_backup_without_a_manifest_makes_nothing_fresh(self, store: ShelfStore) -> None:
        back_up(store, NOW, complete=False)
        assert codes(seen(store, max_age="1h")) == ["backup_stale"]

    @pytest.mark.parametrize(("ahead", "found"), [(60, []), (61, ["snapshot_in_future"])])
    def test_one_from_the_future_is_no_age(self, store: ShelfStore, ahead: int, found: list[str]) -> None:
        back_up(store, NOW + timedelta(seconds=ahead))
        shelf = seen(store)
        assert codes(shelf) == found
        assert all("by hand" in problem.remedy for problem in shelf.problems)


class TestReconciliation:
    def test_an_object_that_is_gone(self, store: ShelfStore) -> None:
        store.drop(f"{newest(store)}dump/1")
        shelf = seen(store)
        assert codes(shelf) == ["object_missing"]
        assert "dump/1" in shelf.problems[0].problem

    @pytest.mark.parametrize("size", [0, 69, 71])
    def test_an_object_of_another_size(self, store: ShelfStore, size: int) -> None:
        store.put(f"{newest(store)}dump/1", bytes(size))
        assert codes(seen(store, max_shrink=100)) == ["object_size"]

    def test_an_object_too_many(self, store: ShelfStore) -> None:
        store.put(f"{newest(store)}dump/2", b"x")
        assert codes(seen(store)) == ["object_unlisted"]

    def test_of_many_some_are_named(self, store: ShelfStore) -> None:
        for number in range(10, 20):
            store.put(f"{newest(store)}dump/{number}", b"x")
        assert "dump/14 and 5 more" in seen(store).problems[0].problem

    def test_a_manifest_that_is_damaged(self, store: ShelfStore) -> None:
        store.put(f"{newest(store)}manifest.json", b"{}")
        shelf = seen(store)
        assert "manifest_invalid" in codes(shelf)
        assert shelf.manifest is None
        assert shelf.age is None

    def test_a_manifest_of_an_older_backup_makes_nothing_fresh(self, store: ShelfStore) -> None:
        old = manifest_at(NOW - hours(34), 30, 70)
        folder = newest(store)
        store.put(f"{folder}manifest.json", dump_manifest(old))
        assert "manifest_invalid" in codes(seen(store))


class TestIdentity:
    def test_a_backup_of_another_cluster(self, store: ShelfStore) -> None:
        assert codes(seen(store, system_identifier="7")) == ["cluster_other"]

    @pytest.mark.parametrize(
        ("changes", "named", "found"),
        [
            ({}, {}, []),
            ({"name": "analytics"}, {}, ["cluster_other"]),
            ({"name": "analytics"}, {"database": "analytics"}, []),
            ({"name": "analytics"}, {"database": "shop"}, ["cluster_other"]),
            ({"name": "analytics"}, {"system_identifier": OWN}, ["cluster_other"]),
            ({"system_identifier": "7"}, {}, ["cluster_other"]),
            ({"system_identifier": "7"}, {"system_identifier": "7"}, []),
            ({"system_identifier": "7"}, {"system_identifier": OWN}, ["cluster_other"]),
            ({"system_identifier": "7"}, {"database": "shop"}, ["cluster_other"]),
            ({"system_identifier": "7", "name": "x"}, {"system_identifier": "7", "database": "x"}, []),
            ({}, {"database": "other"}, ["cluster_other"]),
        ],
    )
    @pytest.mark.parametrize("proven", [False, True])
    def test_a_backup_of_another_database_than_the_one_before(
        self, store: ShelfStore, changes: dict[str, str], named: dict[str, Any], found: list[str], proven: bool
    ) -> None:
        made = put(store, structs.replace(manifest_at(NOW, 30, 70), database=structs.replace(DATABASE, **changes)))
        if proven:
            restore(store, made, NOW)
        assert codes(seen(store, **named)) == found

    def test_nor_does_one_hide_behind_others_that_nobody_has_proven(self, store: ShelfStore) -> None:
        for age in (2, 1):
            made = manifest_at(NOW - hours(age), 30, 70)
            put(store, structs.replace(made, database=structs.replace(DATABASE, name="analytics")))
        assert codes(seen(store)) == ["cluster_other"]

    def test_before_any_proof_the_one_before_counts(self) -> None:
        store = ShelfStore()
        back_up(store, NOW - hours(2))
        assert codes(seen(store)) == ["never_proven"]
        put(store, structs.replace(manifest_at(NOW, 30, 70), database=structs.replace(DATABASE, name="analytics")))
        assert codes(seen(store)) == ["cluster_other", "never_proven"]

    def test_one_that_is_damaged_says_nothing(self) -> None:
        store = ShelfStore()
        old, damaged = back_up(store, NOW - hours(3)), back_up(store, NOW - hours(2))
        store.put(f"{PREFIX}shop/{damaged.id}/manifest.json", b"{}")
        put(store, structs.replace(manifest_at(NOW, 30, 70), database=structs.replace(DATABASE, name="analytics")))
        shelf = seen(store)
        assert codes(shelf) == ["cluster_other", "never_proven"]
        assert old.id in shelf.problems[0].expected

    @pytest.mark.parametrize("left", [(), (structs.replace(USERS, kind="extension"),)], ids=["nothing", "extension's"])
    def test_a_database_whose_tables_are_gone(self, store: ShelfStore, left: tuple[Table, ...]) -> None:
        restore(store, put(store, structs.replace(manifest_at(NOW, 30, 70), tables=left)), NOW)
        assert codes(seen(store)) == ["dump_empty"]

    def test_one_that_never_had_any_is_told(self) -> None:
        store = ShelfStore()
        for age in (1, 0):
            made = put(store, structs.replace(manifest_at(NOW - hours(age), 30, 70), tables=()))
            restore(store, made, NOW)
            shelf = seen(store)
            assert codes(shelf) == []
            assert shelf.notices == ("The database 'shop' has no tables.",)

    def test_a_signature_that_is_asked_for_and_missing(self, store: ShelfStore) -> None:
        trust = Trust(signers=(SIGNER,), threshold=1, trusted_root=None, now=NOW)
        shelf = look(store, store, SHOP, prefix=PREFIX, records_prefix=RECORDS, recipients=(), now=NOW, trust=trust)
        assert [problem.code for problem in shelf.problems] == ["verify.unsigned", "backup_check.never_proven"]
        assert shelf.manifest is None


class TestEncryption:
    @pytest.mark.parametrize(
        ("written", "asked", "said"),
        [
            ((), (), None),
            (BOTH, (), None),
            (BOTH, BOTH, None),
            (BOTH, BOTH[::-1], None),
            ((), BOTH, "is not encrypted"),
            (BOTH[:1], BOTH, f"is encrypted not to {BOTH[1]}"),
            ((*BOTH, FOREIGN), BOTH, f"is encrypted to {FOREIGN}, whom the policy does not name"),
            ((BOTH[0], FOREIGN), BOTH, f"{FOREIGN}, whom the policy does not name; not to {BOTH[1]}"),
        ],
    )
    def test_the_newest_is_encrypted_to_the_policys_recipients(
        self, store: ShelfStore, written: tuple[str, ...], asked: tuple[str, ...], said: str | None
    ) -> None:
        made = manifest_at(NOW - hours(2), 30, 70)
        if written:
            objects = tuple(structs.replace(each, name=f"{each.name}.age") for each in made.objects)
            made = structs.replace(made, objects=objects, encryption=Encryption(recipients=written))
        folder = f"{PREFIX}shop/{made.id}/"
        for each in made.objects:
            store.put(folder + each.name, bytes(each.size))
        store.put(f"{folder}manifest.json", dump_manifest(made))
        shelf = seen(store, recipients=asked)
        assert codes(shelf) == (["recipients_differ"] if said else [])
        assert said is None or said in shelf.problems[0].problem

    def test_older_ones_are_as_the_policy_was(self, store: ShelfStore) -> None:
        """They were taken before the recipients changed, and go by retention."""
        assert codes(seen(store, recipients=BOTH)) == ["recipients_differ"]
        self.test_the_newest_is_encrypted_to_the_policys_recipients(store, BOTH, BOTH, None)


class TestSize:
    @pytest.mark.parametrize(("size", "found"), [(50, []), (49, ["backup_shrunk"]), (500, [])])
    def test_it_is_compared_with_the_median_before(self, store: ShelfStore, size: int, found: list[str]) -> None:
        restore(store, back_up(store, NOW - hours(1), size), NOW)
        assert codes(seen(store)) == found

    def test_a_policy_may_allow_it(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(1), 1), NOW)
        assert codes(seen(store, max_shrink=99)) == []
        assert codes(seen(store, max_shrink=98)) == ["backup_shrunk"]

    def test_one_small_backup_among_others_does_not_lower_the_bar(self, store: ShelfStore) -> None:
        back_up(store, NOW - hours(2), 1)
        restore(store, back_up(store, NOW - hours(1), 2), NOW)
        assert codes(seen(store)) == ["backup_shrunk"]

    def test_a_new_size_becomes_the_usual_one(self, store: ShelfStore) -> None:
        for number in range(COMPARED, 0, -1):
            made = back_up(store, NOW - hours(number), 2)
        restore(store, made, NOW)
        assert codes(seen(store)) == []

    def test_of_too_few_nothing_is_said(self) -> None:
        store = ShelfStore()
        for number in (30, 20):
            back_up(store, NOW - hours(number))
        restore(store, back_up(store, NOW - hours(1), 1), NOW)
        assert codes(seen(store)) == []


class TestProof:
    def test_none_yet(self) -> None:
        store = ShelfStore()
        back_up(store, NOW - hours(1))
        shelf = seen(store)
        assert codes(shelf) == ["never_proven"]
        assert shelf.proof is None
        assert shelf.proof_age is None

    @pytest.mark.parametrize(("allowed", "found"), [("5h", []), ("4h", ["proof_stale"])])
    def test_it_counts_from_the_restore(self, store: ShelfStore, allowed: str, found: list[str]) -> None:
        assert codes(seen(store, max_proof_age=allowed)) == found

    def test_of_too_small_a_tier(self, store: ShelfStore) -> None:
        assert codes(seen(store, tier="full")) == ["never_proven"]

    def test_the_newest_backup_fails_though_an_older_one_was_proven(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(1)), NOW, **FAILED)
        shelf = seen(store)
        assert codes(shelf) == ["proof_failed"]
        assert "backup_check.table_content" in shelf.problems[0].problem
        assert shelf.proof is not None

    def test_an_older_one_that_failed_is_history(self, store: ShelfStore) -> None:
        old = manifest_at(NOW - hours(34), 30, 70)
        restore(store, old, NOW - hours(30), **FAILED)
        assert codes(seen(store)) == []

    def test_could_not_verify_is_no_proof_and_no_failure(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(1)), NOW, **UNKNOWN)
        assert codes(seen(store)) == []

    def test_a_manifest_that_was_replaced_after_its_proof(self, store: ShelfStore) -> None:
        made = back_up(store, NOW - hours(1))
        restore(store, made, NOW)
        store.put(f"{PREFIX}shop/{made.id}/manifest.json", dump_manifest(structs.replace(made, tool="another")))
        assert codes(seen(store)) == ["manifest_replaced"]

    def test_a_record_that_is_damaged(self, store: ShelfStore) -> None:
        made = back_up(store, NOW - hours(1))
        store.put(record_key(RECORDS, record(made, NOW)), b"{}")
        assert codes(seen(store)) == ["record_invalid"]

    def test_a_restore_of_tomorrow(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(1)), NOW + timedelta(seconds=61))
        assert codes(seen(store)) == ["proof_in_future"]

    @pytest.mark.parametrize(("seconds", "found"), [(60.0, []), (61.0, ["restore_slow"])])
    def test_a_restore_that_takes_too_long(self, store: ShelfStore, seconds: float, found: list[str]) -> None:
        restore(store, back_up(store, NOW - hours(1)), NOW, tier="full", seconds={"restore": seconds, "compare": 500.0})
        restore(store, back_up(store, NOW), NOW, seconds={"restore": 1.0})
        shelf = seen(store, max_restore="1m")
        assert (codes(shelf), shelf.notices) == (found, ())

    def test_other_tiers_do_not_measure_it(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(1)), NOW, seconds={"restore": 9000.0})
        shelf = seen(store, max_restore="1m")
        assert codes(shelf) == []
        assert "not measured" in shelf.notices[0]

    @pytest.mark.parametrize(
        ("age", "found"), [(9 * 24 + 2, []), (9 * 24 + 3, ["proof_stale"]), (9600, ["proof_stale"])]
    )
    def test_an_old_backup_that_is_proven_now_is_no_proof_of_those_since(self, age: int, found: list[str]) -> None:
        store = ShelfStore()
        old = back_up(store, NOW - hours(age))
        back_up(store, NOW - hours(1))
        restore(store, old, NOW)
        assert codes(seen(store)) == found

    @pytest.mark.parametrize(
        ("tier", "found"), [("proof", ["never_proven"]), ("full", ["never_proven"]), ("sample", [])]
    )
    def test_a_question_that_was_never_asked_is_not_answered(
        self, store: ShelfStore, tier: Tier, found: list[str]
    ) -> None:
        asked = (Smoke(name="users", sql="SELECT true"),)
        shelf = seen(store, smoke=asked, tier=tier)
        assert codes(shelf) == found
        restore(store, back_up(store, NOW), NOW, tier="full", smoke=(Answered(name="users", ok=True, said="true"),))
        assert codes(seen(store, smoke=asked, tier=tier)) == []

    def test_what_a_restore_lacks_is_said(self, store: ShelfStore) -> None:
        (problem,) = seen(store, tier="full").problems
        assert "it was of tier proof" in problem.problem
        (problem,) = seen(store, smoke=(Smoke(name="users", sql="SELECT true"),)).problems
        assert "it was not asked 'users'" in problem.problem


class TestVanished:
    def test_the_proven_backup_is_gone(self, store: ShelfStore) -> None:
        gone = newest(store)
        for key in store.names():
            if key.startswith(gone):
                store.drop(key)
        assert codes(seen(store, max_age="2d")) == ["backup_vanished", "never_proven"]

    def test_it_has_lost_its_manifest(self, store: ShelfStore) -> None:
        store.drop(f"{newest(store)}manifest.json")
        assert codes(seen(store, max_age="2d")) == ["backup_vanished", "never_proven"]

    def test_one_that_failed_and_lost_its_manifest(self, store: ShelfStore) -> None:
        made = back_up(store, NOW - hours(1), complete=False)
        restore(store, made, NOW, **FAILED)
        assert codes(seen(store)) == ["backup_vanished"]

    def test_pruning_that_was_cut_short_may_leave_parts_of_older_ones(self, store: ShelfStore) -> None:
        old = manifest_at(NOW - hours(34), 30, 70)
        restore(store, old, NOW - hours(33))
        store.drop(f"{PREFIX}shop/{old.id}/manifest.json")
        assert codes(seen(store)) == []

    def test_pruning_may_take_older_ones(self, store: ShelfStore) -> None:
        restore(store, manifest_at(NOW - hours(500), 30, 70), NOW - hours(499))
        assert codes(seen(store)) == []

    def test_pruning_may_take_those_that_failed(self, store: ShelfStore) -> None:
        restore(store, manifest_at(NOW - hours(34), 30, 70), NOW - hours(1), **FAILED)
        assert codes(seen(store)) == []


class TestWords:
    @pytest.mark.parametrize(
        ("seconds", "text"),
        [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3599, "59 min"), (3600, "1 h 0 min"), (90061, "1 d 1 h")],
    )
    def test_a_span_has_its_two_largest_units(self, seconds: int, text: str) -> None:
        assert span(timedelta(seconds=seconds)) == text

    def test_each_problem_is_a_refusal_that_says_what_to_do(self, store: ShelfStore) -> None:
        store.drop(f"{newest(store)}dump/0")
        store.put(f"{newest(store)}dump/1", b"")
        store.put(f"{newest(store)}dump/2", b"")
        shelf = seen(store, max_age="1h", max_proof_age="1h", max_restore="1m", system_identifier="7")
        assert len(shelf.problems) == 6
        for problem in shelf.problems:
            assert isinstance(problem, Refused)
            assert problem.remedy
            assert problem.expected


def test_what_a_record_says_of_itself_is_bounded(store: ShelfStore) -> None:
    """A record for `--max-proof-age` cannot be made newer by its key alone."""
    made = back_up(store, NOW - hours(1))
    old = record(made, NOW - timedelta(days=30))
    key: Callable[[str], str] = lambda word: f"{RECORDS}shop/{made.id}/20261126T110000Z-{word}.json"  # noqa: E731
    store.put(key("PASS"), dump_record(old))
    assert codes(seen(store)) == ["record_invalid"]


def test_the_names_of_databases_do_not_mix(store: ShelfStore) -> None:
    other = BackedUp(name="shop2")
    back_up(store, NOW - hours(1), name="shop2")
    shelf = look(store, store, other, prefix=PREFIX, records_prefix=RECORDS, recipients=(), now=NOW)
    assert [len(shelf.backups), codes(shelf)] == [1, ["never_proven"]]
