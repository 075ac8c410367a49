"""What monitoring is told, in a form that Prometheus reads."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from aegis.backup.freshness import look
from aegis.backup.metrics import Checked, exposition
from aegis.core.errors import CouldNotDecide
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import NOW, PREFIX, RECORDS, SHOP, back_up, hours, restore

ERROR = CouldNotDecide("verify.store_denied", "403", expected="200", remedy="grant it")


def read(text: str) -> dict[str, float]:
    found = {}
    for family in text_string_to_metric_families(text):
        assert family.type == "gauge"
        assert family.documentation
        for sample in family.samples:
            assert sample.labels == {"database": "shop"}
            found[sample.name.removeprefix("aegis_backup_")] = sample.value
    return found


def checked(store: ShelfStore) -> Checked:
    return Checked(SHOP, look(store, store, SHOP, prefix=PREFIX, records_prefix=RECORDS, recipients=(), now=NOW))


def test_a_healthy_database() -> None:
    store = ShelfStore()
    restore(store, back_up(store, NOW - hours(3)), NOW - hours(1))
    assert read(exposition([checked(store)], NOW)) == {
        "last_proven_timestamp_seconds": (NOW - hours(1)).timestamp(),
        "last_snapshot_timestamp_seconds": (NOW - hours(3)).timestamp(),
        "size_bytes": 100,
        "restore_seconds": 31,
        "max_age_seconds": 26 * 3600,
        "max_proof_age_seconds": 8 * 86400,
        "check_outcome": 0,
        "checked_timestamp_seconds": NOW.timestamp(),
    }


def test_what_never_was_is_zero_and_thus_very_old() -> None:
    found = read(exposition([checked(ShelfStore())], NOW))
    assert found["last_proven_timestamp_seconds"] == 0
    assert found["last_snapshot_timestamp_seconds"] == 0
    assert found["check_outcome"] == 1
    assert "size_bytes" not in found
    assert "restore_seconds" not in found


def test_of_a_store_that_did_not_answer_nothing_is_known() -> None:
    assert set(read(exposition([Checked(SHOP, None, ERROR)], NOW))) == {
        "max_age_seconds",
        "max_proof_age_seconds",
        "check_outcome",
        "checked_timestamp_seconds",
    }
    assert read(exposition([Checked(SHOP, None, ERROR)], NOW))["check_outcome"] == 3
