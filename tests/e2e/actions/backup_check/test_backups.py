"""What lies in the store decides: whole, flipped, cut, stale, unproven, absent."""

from __future__ import annotations

import pytest

from tests.doubles.cloud import BUCKET
from tests.e2e.actions.backup_check.conftest import (
    BACKUP_CHECK,
    IDENTITY,
    PREFIX,
    ROOT_ACTION,
    URL,
    Shop,
    assert_failed,
    assert_not_verified,
    assert_passed,
    nightly,
)
from tests.support.backup import shop_backups

each_action = pytest.mark.parametrize("uses", [BACKUP_CHECK, ROOT_ACTION], ids=["backup-check", "root"])


@each_action
def test_a_fresh_and_proven_backup_passes_before_a_deploy(shop: Shop, uses: str) -> None:
    shop.uses = uses
    shop.stock(shop.shelf.proven)
    shop.adopt()
    run = shop.changed()
    assert run.green, run.log[-6000:]
    assert "PROOF" in run.summary
    assert not shop.cloud.read() or all("/dump/" not in key for key in shop.cloud.read())


def test_a_restore_proves_the_backup_and_is_remembered(shop: Shop) -> None:
    shop.stock(shop.shelf.taken)
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.adopt()
    run = shop.run(nightly())
    assert_passed(shop, run)
    (record,) = shop.records()
    assert (record["outcome"], record["tier"], record["equality"]) == ("PASS", "proof", "equal")
    assert record["run_url"].startswith("https://github.com/octo/shop/actions/runs/")
    assert "PROOF" in run.summary


def test_a_backup_is_taken_proven_and_passes_by_the_action_alone(shop: Shop) -> None:
    shop.inputs["mode"] = "run"
    shop.given = {URL: shop.shelf.url}
    shop.stock(shop.shelf.proven)
    shop.adopt()
    run = shop.run(nightly())
    assert_passed(shop, run)
    manifests = [key for key in shop.stored() if key.endswith("/manifest.json")]
    assert len(manifests) == 2
    assert not shop.cloud.s3.uploads


def test_a_flipped_bit_is_found(shop: Shop) -> None:
    name = max((key for key in shop.shelf.taken if "/dump/" in key), key=lambda key: len(shop.shelf.taken[key]))
    content = bytearray(shop.shelf.taken[name])
    content[len(content) // 2] ^= 1
    shop.stock({**shop.shelf.proven, name: bytes(content)})
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.adopt()
    run = shop.run(nightly())
    assert_failed(shop, run, "backup_check.object_damaged", "backup_check.never_proven")
    assert [record["outcome"] for record in shop.records()] == ["PASS", "FAIL"]


def test_a_cut_object_is_found_without_a_restore(shop: Shop) -> None:
    name = max((key for key in shop.shelf.taken if "/dump/" in key), key=lambda key: len(shop.shelf.taken[key]))
    shop.stock({**shop.shelf.proven, name: shop.shelf.taken[name][:-1]})
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.object_size")


@pytest.mark.parametrize("mode", ["check", "verify"])
def test_that_there_is_no_backup_is_an_alarm(shop: Shop, mode: str) -> None:
    shop.inputs["mode"] = mode
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.no_backup", "backup_check.never_proven")
    assert shop.records() == []


def test_an_upload_that_was_never_finished_is_no_backup(shop: Shop) -> None:
    shop.stock({key: data for key, data in shop.shelf.taken.items() if not key.endswith("/manifest.json")})
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.no_backup", "backup_check.never_proven")


def test_a_backup_that_nobody_restored_does_not_pass(shop: Shop) -> None:
    shop.stock(shop.shelf.taken)
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.never_proven")


def test_a_stale_backup_is_red(shop: Shop) -> None:
    shop.stock(shop_backups.aged(shop.shelf.taken, days=3))
    shop.adopt()
    assert_failed(shop, shop.run(nightly()), "backup_check.backup_stale", "backup_check.never_proven")


def test_another_manifest_in_the_place_of_the_proven_one_is_not_proven(shop: Shop) -> None:
    (name,) = (key for key in shop.shelf.proven if key.endswith("/manifest.json"))
    shop.stock({**shop.shelf.proven, name: shop.shelf.proven[name].replace(b'"tool":"aegis', b'"tool":"Aegis')})
    shop.adopt()
    run = shop.run(nightly())
    assert not run.green
    assert "backup_check.manifest_replaced" in shop.rules()


def test_a_smoke_question_that_is_answered_by_no_is_red(shop: Shop) -> None:
    shop.section["databases"] = [
        {**shop_backups.DATABASE, "smoke": [{"name": "orders of today", "sql": "SELECT count(*) > 20000 FROM orders"}]}
    ]
    shop.stock(shop.shelf.taken)
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.adopt()
    run = shop.run(nightly())
    assert not run.green
    assert "orders of today" in run.summary


def test_the_keys_of_the_safe_open_it_too_and_others_do_not(shop: Shop) -> None:
    shop.stock(shop.shelf.proven)
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop_backups.Keys.made().identities[0]}
    shop.adopt()
    assert_not_verified(shop, shop.run(nightly()), "backup_check.identity_missing")
    shop.given = {IDENTITY: shop.shelf.keys.identities[1]}
    assert_passed(shop, shop.run_again())


def test_nothing_is_written_outside_of_the_records(shop: Shop) -> None:
    shop.stock(shop.shelf.taken)
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.adopt()
    assert_passed(shop, shop.run(nightly()))
    (session,) = shop.cloud.sts.sessions
    arn = f"arn:aws:s3:::{BUCKET}/{PREFIX}"
    assert shop.cloud.sts.allowed(session, "s3:PutObject", f"{arn}_records/shop/x.json", {})
    for action, key in (("s3:PutObject", "shop/x"), ("s3:DeleteObject", "shop/x"), ("s3:DeleteObject", "_records/x")):
        assert not shop.cloud.sts.allowed(session, action, f"{arn}{key}", {})
