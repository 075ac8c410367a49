"""Backups are told by their folders, and only looked into where that is needed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from aegis.adapters.objects.local_writing import WritableFolder
from aegis.backup import listing
from aegis.backup.listing import backups_of, contents_of, newest_complete, read_manifest, side_by_side
from aegis.backup.manifest import MAX_BYTES, dump_manifest
from aegis.core.errors import CouldNotDecide, Refused
from aegis.core.ports.objects import ObjectInfo
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import NOW, PREFIX, back_up, hours


@pytest.fixture
def store() -> ShelfStore:
    return ShelfStore()


def manifest_of(store: ShelfStore, backup: str) -> ObjectInfo:
    info = store.head(f"{PREFIX}shop/{backup}/manifest.json")
    assert info is not None
    return info


class TestBackups:
    def test_newest_first_with_the_snapshots_time(self, store: ShelfStore) -> None:
        made = [back_up(store, NOW - hours(age)) for age in (48, 1, 24)]
        found = backups_of(store, PREFIX, "shop")
        assert [listed.id for listed in found] == [made[1].id, made[2].id, made[0].id]
        assert found[0].time == NOW - hours(1)
        assert found[0].folder == f"prod/shop/{made[1].id}/"

    def test_other_databases_and_folders_of_others_are_left_out(self, store: ShelfStore) -> None:
        for key in ("prod/shop2/20261126T003413Z-0000000016B37480/x", "prod/shop/tmp/x", "prod/shop/file"):
            store.put(key, b"x")
        store.put("prod/shop/20261326T003413Z-0000000016B37480/x", b"in month 13")
        store.put("prod/shop/20261126T003413Z-0000000016b37480/x", b"in lower case")
        assert backups_of(store, PREFIX, "shop") == ()

    def test_a_thousand_are_asked_for_at_once(self, store: ShelfStore) -> None:
        for number in range(1000):
            back_up(store, NOW - timedelta(hours=number))
        assert len(backups_of(store, PREFIX, "shop")) == 1000
        assert store.asked == {"folders": 1}

    def test_a_folder_of_this_machine(self, tmp_path: Path) -> None:
        made = back_up(store := ShelfStore(), NOW)
        for key in store.names():
            file = tmp_path / key
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(store.versions[key][-1][1])
        (listed,) = backups_of(WritableFolder(tmp_path), PREFIX, "shop")
        assert listed.id == made.id
        assert backups_of(WritableFolder(tmp_path), PREFIX, "other") == ()


class TestContents:
    def test_manifest_and_signature_are_told_from_the_objects(self, store: ShelfStore) -> None:
        made = back_up(store, NOW)
        store.put(f"{PREFIX}shop/{made.id}/manifest.sigstore.json", b"{}")
        (listed,) = backups_of(store, PREFIX, "shop")
        found = contents_of(store, listed)
        assert found.complete
        assert found.size == 100
        assert [info.key.removeprefix(listed.folder) for info in found.objects] == ["dump/0", "dump/1"]
        assert found.signature is not None
        assert found.manifest == manifest_of(store, made.id)

    def test_without_a_manifest_it_is_not_complete(self, store: ShelfStore) -> None:
        back_up(store, NOW, complete=False)
        (listed,) = backups_of(store, PREFIX, "shop")
        assert not contents_of(store, listed).complete


class TestNewest:
    def test_one_on_its_way_is_passed_over(self, store: ShelfStore) -> None:
        made = back_up(store, NOW - hours(30))
        for number in range(20):
            back_up(store, NOW - hours(number), complete=False)
        assert newest_complete(store, PREFIX, "shop").id == made.id

    def test_only_as_many_are_looked_into_as_needed(self, store: ShelfStore) -> None:
        for number in range(100):
            back_up(store, NOW - hours(number))
        newest_complete(store, PREFIX, "shop")
        assert store.asked["list"] == listing.WORKERS

    @pytest.mark.parametrize("unfinished", [0, 3])
    def test_where_there_is_none_it_is_refused(self, store: ShelfStore, unfinished: int) -> None:
        for number in range(unfinished):
            back_up(store, NOW - hours(number), complete=False)
        with pytest.raises(Refused) as caught:
            newest_complete(store, PREFIX, "shop")
        assert caught.value.code == "backup_check.no_backup"
        assert ("3 without a manifest" in caught.value.problem) == bool(unfinished)


class TestManifests:
    def test_with_the_digest_of_its_bytes(self, store: ShelfStore) -> None:
        made = back_up(store, NOW)
        found = read_manifest(store, manifest_of(store, made.id))
        assert found.manifest == made
        assert found.data == dump_manifest(made)

    def test_one_of_another_backup_is_refused(self, store: ShelfStore) -> None:
        old, new = back_up(store, NOW - hours(1)), back_up(store, NOW, complete=False)
        store.put(f"{PREFIX}shop/{new.id}/manifest.json", dump_manifest(old))
        with pytest.raises(Refused, match="is the manifest of") as caught:
            read_manifest(store, manifest_of(store, new.id))
        assert caught.value.code == "backup_check.manifest_invalid"

    def test_a_copy_in_a_folder_of_another_kind_of_name_is_read(self, store: ShelfStore) -> None:
        made = back_up(store, NOW)
        store.put("copy/manifest.json", dump_manifest(made))
        info = store.head("copy/manifest.json")
        assert info is not None
        assert read_manifest(store, info).manifest == made

    def test_one_that_is_too_large_is_not_read(self, store: ShelfStore, monkeypatch: pytest.MonkeyPatch) -> None:
        made = back_up(store, NOW)
        info = manifest_of(store, made.id)
        with pytest.raises(Refused) as caught:
            read_manifest(store, replace(info, size=MAX_BYTES + 1))
        assert caught.value.code == "backup_check.manifest_invalid"
        assert store.asked["read"] == 0


class TestSideBySide:
    def test_answers_come_in_the_order_of_the_things(self) -> None:
        assert side_by_side(range(100), lambda number: number * 2, "here") == tuple(range(0, 200, 2))
        assert side_by_side([], lambda _: 1, "here") == ()

    def test_an_error_of_one_is_raised(self) -> None:
        def fail(number: int) -> int:
            if number == 3:
                raise CouldNotDecide("verify.store_failed", "no", expected="yes", remedy="again")
            return number

        with pytest.raises(CouldNotDecide, match="no"):
            side_by_side(range(10), fail, "here")
