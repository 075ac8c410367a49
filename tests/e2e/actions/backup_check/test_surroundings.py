"""Runners as they are: without secrets, of forks, poisoned, stopped in the middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doubles.aws.s3 import S3
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.e2e.actions.backup_check.conftest import (
    BACKUP_CHECK,
    IDENTITY,
    ROOT_ACTION,
    URL,
    Shop,
    assert_not_verified,
    assert_passed,
    eventually,
    nightly,
)
from tests.e2e.actions.conftest import assert_error, patient, told
from tests.e2e.actions.watched import gate_of
from tests.support.actions.act import Run, read_log

NOWHERE = "http://127.0.0.1:9"
POISON = {
    "AWS_ENDPOINT_URL": NOWHERE,
    "AWS_ACCESS_KEY_ID": "AKIAOTHERS0000000000",
    "AWS_SECRET_ACCESS_KEY": "others",
    "HTTP_PROXY": NOWHERE,
    "ALL_PROXY": NOWHERE,
    "AEGIS_POLICY": "others.yml",
    "AEGIS_DATA": "/nowhere",
    "AEGIS_AGE_IDENTITY_FILE": "/nowhere",
    "PGHOSTADDR": "192.0.2.66",
    "PGOPTIONS": "-c row_security=on -c default_transaction_read_only=off",
    "PGSERVICEFILE": "/nowhere",
    "PGDATA": "/nowhere",
    "PYTHONPATH": ".",
    "LD_PRELOAD": "/nowhere.so",
}


@pytest.mark.parametrize("uses", [BACKUP_CHECK, ROOT_ACTION], ids=["backup-check", "root"])
def test_a_pull_request_from_a_fork_is_red(shop: Shop, uses: str) -> None:
    # neither token nor secrets: GitHub gives such a run none of them
    shop.uses, shop.token, shop.inputs = uses, False, {}
    shop.stock(shop.shelf.proven)
    shop.adopt()
    run = shop.changed(fork=True)
    assert_not_verified(shop, run, "verify.no_id_token_fork", "from a fork")
    assert not shop.cloud.issuer.requests


def test_a_run_without_the_databases_address_is_told_the_secret(shop: Shop) -> None:
    shop.inputs["mode"] = "run"
    shop.stock(shop.shelf.proven)
    shop.adopt()
    run = shop.run(nightly())
    assert not run.green
    assert told(run) == "error core.wrong_usage"
    assert any(URL in note.message for note in run.errors())
    assert shop.stored() == shop.shelf.proven


def test_an_encrypted_backup_without_a_key_is_not_verified(shop: Shop) -> None:
    shop.inputs["mode"] = "verify"
    shop.stock(shop.shelf.proven)
    shop.adopt()
    assert_not_verified(shop, shop.run(nightly()), "backup_check.identity_missing", IDENTITY)


def test_a_poisoned_job_changes_nothing(shop: Shop) -> None:
    shop.env = dict(POISON)
    shop.inputs["mode"] = "run"
    shop.given = {URL: shop.shelf.url}
    shop.stock(shop.shelf.proven)
    shop.adopt({"others.yml": "version: 1\n"})
    assert_passed(shop, shop.run(nightly()))


def test_the_policy_of_the_base_is_in_force(shop: Shop) -> None:
    shop.stock(shop.shelf.taken)
    shop.adopt()
    loose = shop.policy(databases=[{"name": "shop", "max-age": "9000d", "max-proof-age": "9000d", "tier": "sample"}])
    run = shop.changed({"aegis.yml": loose, "README.md": "A shop.\n"})
    assert told(run) == "fail core.findings"
    assert sorted(set(shop.rules())) == ["backup_check.never_proven", "core.policy_loosened"]


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("mode", "restore", "core.wrong_usage"),
        ("max-age", "2d", "core.policy_loosened"),
        ("database", "other", "core.wrong_usage"),
    ],
)
def test_an_input_that_is_wrong_or_loosens_is_red_before_a_token_is_asked_for(
    shop: Shop, name: str, value: str, reason: str
) -> None:
    shop.inputs[name] = value
    shop.stock(shop.shelf.proven)
    shop.adopt()
    run = shop.run(nightly())
    assert not run.green
    assert told(run) == f"error {reason}"
    assert "exit status 2" in run.log or "exitcode '2'" in run.log
    assert not shop.cloud.issuer.requests


def test_a_store_that_is_down_is_not_verified(shop: Shop) -> None:
    shop.section["aws"] = {**shop.cloud.places, "s3-endpoint": NOWHERE}
    shop.adopt()
    run = shop.run(nightly())
    assert not run.green
    assert told(run).startswith("error ")
    assert shop.verdict()["decision"] == "COULD NOT VERIFY"


def test_a_proof_that_is_cancelled_leaves_a_verdict_and_nothing_else(shop: Shop) -> None:
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.stock(shop.shelf.proven)
    run = stopped(shop, ("GetObject", largest(shop)), lambda launcher, gate: os.kill(launcher, signal.SIGTERM))
    assert_error(run, "core.interrupted", "SIGTERM")
    assert shop.stored() == shop.shelf.proven


def test_a_backup_that_is_cancelled_leaves_no_object(shop: Shop) -> None:
    shop.inputs["mode"] = "run"
    shop.given = {URL: shop.shelf.url}
    shop.stock(shop.shelf.proven)
    run = stopped(shop, ("PutObject", None), lambda launcher, gate: os.kill(launcher, signal.SIGTERM))
    assert_error(run, "core.interrupted", "SIGTERM")
    assert shop.stored() == shop.shelf.proven
    assert not shop.cloud.s3.uploads


def test_a_gate_that_is_killed_in_the_middle_of_a_proof_is_red_and_takes_the_engine_along(shop: Shop) -> None:
    shop.section["databases"] = [
        {"name": "shop", "smoke": [{"name": "patience", "sql": "SELECT pg_sleep(600) IS NOT NULL"}]}
    ]
    shop.inputs["mode"] = "verify"
    shop.given = {IDENTITY: shop.shelf.keys.identities[0]}
    shop.stock(shop.shelf.proven)
    run = stopped(shop, None, lambda launcher, gate: os.kill(gate, signal.SIGKILL))
    assert_error(run, "core.no_verdict", "ended by signal 9")


def largest(shop: Shop) -> str:
    """The key of the object that takes longest."""
    taken = shop.shelf.taken
    return f"backups/{max((key for key in taken if '/dump/' in key), key=lambda key: len(taken[key]))}"


def meeting(reached: threading.Event, go_on: threading.Event, operation: str, key: str | None = None) -> Fault:
    """The store says when it is asked for this, and never answers."""

    def wait(_: S3) -> None:
        reached.set()
        go_on.wait(600)

    # of two objects it has taken something has to be removed again
    return Fault(operation, key=key, times=FOREVER, after=2 * (key is None), meanwhile=wait, drop=True)


def asks(shop: Shop) -> bool:
    """Whether the restored database is being asked something."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            title = (folder / "cmdline").read_bytes().replace(b"\0", b" ").strip()
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            of_this_job = str(shop.temporary) in Path(f"/proc/{parent}/cmdline").read_bytes().decode("utf-8", "replace")
        except (OSError, ValueError):
            continue
        if of_this_job and title.startswith(b"postgres: ") and title.endswith(b"SELECT"):
            return True
    return False


def stopped(shop: Shop, fault: tuple[str, str | None] | None, stop: Callable[[int, int], None]) -> Run:
    """Stop the run, by the ids of its launcher and of its gate, when the store is asked for this, or the engine is."""
    reached, go_on = threading.Event(), threading.Event()
    if fault is not None:
        shop.cloud.s3.faults.append(meeting(reached, go_on, *fault))
    shop.change_action(patient())
    shop.adopt()
    event = nightly()
    with shop.surrounded().started(shop.repository, event.name, event.payload) as act:
        output: list[str] = []
        reader = threading.Thread(target=lambda: output.append(act.communicate(timeout=600)[0]))
        reader.start()
        try:
            assert eventually(lambda: reached.is_set() or asks(shop), seconds=300), "the run did not get so far"
            launcher, gate = gate_of(shop)
            stop(launcher, gate)
            reader.join(300)
        finally:
            go_on.set()
    run = read_log(output[0], act.returncode)
    # a killed gate's engine is wiped a moment later
    assert eventually(lambda: not shop.engines() and not list(shop.temporary.iterdir()))
    shop.check_secrets(run)
    return run
