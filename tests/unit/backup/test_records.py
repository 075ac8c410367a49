"""What restores have shown is written once, read strictly, and counted as far as it goes."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from aegis.backup.manifest import Manifest
from aegis.backup.proofs import newest_verified, standing_of
from aegis.backup.records import (
    MAX_BYTES,
    Record,
    dump_record,
    entries_of,
    parse_record,
    read_record,
    record_key,
    records_of,
    write_record,
)
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.policy import BackedUp
from tests.doubles.shelf import ShelfStore
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

MADE = manifest_at(NOW - hours(2), 30, 70)


@pytest.fixture
def store() -> ShelfStore:
    return ShelfStore()


class TestOneRecord:
    @pytest.mark.parametrize("changes", [{}, FAILED, UNKNOWN], ids=["pass", "fail", "unknown"])
    def test_what_is_written_is_read(self, changes: dict[str, Any]) -> None:
        written = record(MADE, NOW, **changes)
        assert parse_record(dump_record(written)) == written

    def test_it_counts_differences_and_names_none_of_their_rows(self) -> None:
        data = dump_record(record(MADE, NOW, **FAILED))
        assert json.loads(data)["differences"] == [{"rule": "backup_check.table_content", "count": 2}]
        assert b"secret" not in data

    def test_what_a_person_waits_for_is_all_but_the_comparison(self) -> None:
        assert record(MADE, NOW).restore_seconds == 31.0

    def test_a_backup_whose_manifest_could_not_be_read_has_no_digest(self) -> None:
        written = structs.replace(record(MADE, NOW, **FAILED), manifest_sha256=None, snapshot_time=None)
        assert parse_record(dump_record(written)) == written

    @pytest.mark.parametrize(
        ("word", "changes"), [("PASS", {}), ("FAIL", FAILED), ("UNKNOWN", UNKNOWN)], ids=["pass", "fail", "unknown"]
    )
    def test_its_key_says_of_what_and_when_and_how_it_ended(self, word: str, changes: dict[str, Any]) -> None:
        assert record_key("r/", record(MADE, NOW, **changes)) == f"r/shop/{MADE.id}/20261126T120000Z-{word}.json"

    @pytest.mark.parametrize(
        "edit",
        [
            lambda fields: fields.pop("outcome"),
            lambda fields: fields.update(outcome="pass"),
            lambda fields: fields.update(schema="aegis-backup-record/v2"),
            lambda fields: fields.update(tier="everything"),
            lambda fields: fields.update(equality="mostly"),
            lambda fields: fields.update(more=1),
            lambda fields: fields.update(backup="latest"),
            lambda fields: fields.update(backup="20261326T003413Z-0000000016B37480"),
            lambda fields: fields.update(finished="2026-02-30T00:00:00.000000Z"),
            lambda fields: fields.update(started="yesterday"),
            lambda fields: fields.update(snapshot_time="2026-11-31T00:00:00.000000Z"),
            lambda fields: fields.update(seconds={"dream": 1.0}),
            lambda fields: fields.update(seconds={"restore": -1.0}),
            lambda fields: fields.update(size=-1),
            lambda fields: fields.update(manifest_sha256="A" * 64),
            lambda fields: fields.update(reason="because"),
            lambda fields: fields.update(isolated=1),
            lambda fields: fields.update(actor="a" * 501),
        ],
    )
    def test_another_reading_is_refused(self, edit: Callable[[dict[str, Any]], object]) -> None:
        fields = json.loads(dump_record(record(MADE, NOW)))
        edit(fields)
        with pytest.raises(Refused) as caught:
            parse_record(json.dumps(fields).encode())
        assert caught.value.code == "backup_check.record_invalid"

    @pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b'{"outcome":"FAIL","outcome":"PASS"}', b"null"])
    def test_what_is_no_object_of_one_reading_is_refused(self, data: bytes) -> None:
        with pytest.raises(Refused) as caught:
            parse_record(data)
        assert caught.value.code == "backup_check.record_invalid"

    @settings(max_examples=50, deadline=None)
    @given(st.binary(max_size=200))
    def test_no_bytes_raise_anything_else(self, data: bytes) -> None:
        with pytest.raises(Refused):
            parse_record(data)


class TestTheirKeys:
    def test_newest_first_whatever_else_lies_there(self, store: ShelfStore) -> None:
        made = back_up(store, NOW - hours(2))
        restore(store, made, NOW - hours(1))
        restore(store, made, NOW, **FAILED)
        folder = f"{RECORDS}shop/{made.id}/"
        for name in (
            "note.txt",
            "20261126T120000Z-MAYBE.json",
            "20261326T120000Z-PASS.json",
            "deep/20261126T120000Z-PASS.json",
        ):
            store.put(folder + name, b"x")
        store.put(f"{RECORDS}shop/other/20261126T120000Z-PASS.json", b"x")
        assert [entry.word for entry in entries_of(store, RECORDS, "shop")] == ["FAIL", "PASS"]
        assert entries_of(store, RECORDS, "sho") == ()

    def test_one_is_never_written_over(self, store: ShelfStore) -> None:
        written = record(MADE, NOW)
        write_record(store, RECORDS, written)
        with pytest.raises(CouldNotDecide) as caught:
            write_record(store, RECORDS, written)
        assert caught.value.code == "backup_check.object_exists"

    @pytest.mark.parametrize(
        "other",
        [
            lambda kept: structs.replace(kept, database="other"),
            lambda kept: structs.replace(kept, backup=manifest_at(NOW, 1).id),
            lambda kept: structs.replace(kept, outcome="FAIL"),
            lambda kept: structs.replace(kept, finished="2026-11-26T12:00:01.000000Z"),
        ],
        ids=["database", "backup", "outcome", "time"],
    )
    def test_one_that_says_something_else_than_its_key_is_refused(
        self, store: ShelfStore, other: Callable[[Record], Record]
    ) -> None:
        kept = record(MADE, NOW)
        store.put(record_key(RECORDS, kept), dump_record(other(kept)))
        (entry,) = entries_of(store, RECORDS, "shop")
        with pytest.raises(Refused, match="of another restore"):
            read_record(store, "shop", entry)

    def test_one_that_is_too_large_is_not_read(self, store: ShelfStore) -> None:
        store.put(record_key(RECORDS, record(MADE, NOW)), bytes(MAX_BYTES + 1))
        (entry,) = entries_of(store, RECORDS, "shop")
        with pytest.raises(Refused) as caught:
            read_record(store, "shop", entry)
        assert caught.value.code == "backup_check.record_invalid"
        assert store.asked["read"] == 0

    def test_the_newest_are_read_without_damaged_ones(self, store: ShelfStore) -> None:
        made = [manifest_at(NOW - hours(number), 1) for number in range(5)]
        for number, each in enumerate(made):
            restore(store, each, NOW - hours(number))
        store.put(record_key(RECORDS, record(made[1], NOW - hours(1))), b"damaged")
        assert [found.backup for found in records_of(store, RECORDS, "shop", limit=3)] == [made[0].id, made[2].id]


class TestVerified:
    @pytest.fixture
    def made(self, store: ShelfStore) -> Manifest:
        return back_up(store, NOW - hours(2))

    def word(self, store: ShelfStore, database: BackedUp = SHOP) -> str:
        from aegis.backup.listing import backups_of

        (listed,) = backups_of(store, PREFIX, "shop")
        return standing_of(store, store, database, listed, entries_of(store, RECORDS, "shop")).word

    def test_nothing_is_proven_before_a_restore(self, store: ShelfStore, made: Manifest) -> None:
        assert self.word(store) == "unproven"

    def test_a_restore_that_passes_proves_it(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW)
        assert self.word(store) == "verified"

    def test_a_failure_after_it_takes_that_away_and_a_pass_after_that_gives_it_back(
        self, store: ShelfStore, made: Manifest
    ) -> None:
        restore(store, made, NOW - hours(1))
        restore(store, made, NOW, **FAILED)
        assert self.word(store) == "failed"
        restore(store, made, NOW + hours(1))
        assert self.word(store) == "verified"

    def test_of_one_second_the_failure_counts(self, store: ShelfStore, made: Manifest) -> None:
        """Their keys do not say which was the later."""
        restore(store, made, NOW)
        restore(store, made, NOW + timedelta(milliseconds=900), **FAILED)
        assert self.word(store) == "failed"

    def test_could_not_verify_changes_nothing(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW - hours(3), **UNKNOWN)
        restore(store, made, NOW - hours(2), **UNKNOWN | {"equality": "equal"})
        assert self.word(store) == "unproven"
        restore(store, made, NOW - hours(1))
        restore(store, made, NOW, **UNKNOWN)
        assert self.word(store) == "verified"

    @pytest.mark.parametrize("tier", ["sample", "data", "proof", "full"])
    @pytest.mark.parametrize("asked", ["sample", "data", "proof", "full"])
    def test_a_tier_counts_if_it_proves_what_is_asked(
        self, store: ShelfStore, made: Manifest, tier: str, asked: str
    ) -> None:
        order = ["sample", "data", "proof", "full"]
        restore(store, made, NOW, tier=tier)
        enough = order.index(tier) >= order.index(asked)
        assert self.word(store, structs.replace(SHOP, tier=asked)) == ("verified" if enough else "unproven")

    def test_a_pass_of_a_part_takes_nothing_from_the_whole(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW - hours(1), tier="full")
        restore(store, made, NOW, tier="sample")
        assert self.word(store) == "verified"

    def test_nor_does_it_hide_a_failure_before_it(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW - hours(2), tier="full")
        restore(store, made, NOW - hours(1), **FAILED)
        restore(store, made, NOW, tier="sample")
        assert self.word(store) == "failed"

    def test_a_pass_without_equality_proves_nothing(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW, equality="not run")
        assert self.word(store) == "unproven"

    def test_the_proof_of_another_manifest_is_none(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW, sha256="0" * 64)
        assert self.word(store) == "replaced"

    def test_the_proof_of_a_manifest_that_is_gone_is_none(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW)
        store.drop(f"{PREFIX}shop/{made.id}/manifest.json")
        assert self.word(store) == "replaced"

    def test_a_record_that_is_damaged_proves_nothing(self, store: ShelfStore, made: Manifest) -> None:
        restore(store, made, NOW - hours(1))
        store.put(record_key(RECORDS, record(made, NOW)), b"{}")
        assert self.word(store) == "unreadable"


class TestNewestVerified:
    def newest(self, store: ShelfStore) -> str:
        return newest_verified(store, store, SHOP, prefix=PREFIX, records_prefix=RECORDS).listed.id

    def test_the_newest_backup_counts_not_the_newest_restore(self, store: ShelfStore) -> None:
        old, new, newest = (back_up(store, NOW - hours(age)) for age in (30, 20, 10))
        restore(store, new, NOW - hours(5))
        restore(store, old, NOW)
        restore(store, newest, NOW - hours(4), **FAILED)
        assert self.newest(store) == new.id

    def test_where_there_is_none_it_is_refused(self, store: ShelfStore) -> None:
        restore(store, back_up(store, NOW - hours(2)), NOW, **FAILED)
        with pytest.raises(Refused) as caught:
            self.newest(store)
        assert caught.value.code == "backup_check.never_proven"

    def test_what_no_restore_has_passed_is_not_read(self, store: ShelfStore) -> None:
        for number in range(50):
            made = back_up(store, NOW - timedelta(days=number))
        restore(store, made, NOW)
        store.asked.clear()
        assert self.newest(store) == made.id
        assert store.asked["read"] == 2  # its record and its manifest
