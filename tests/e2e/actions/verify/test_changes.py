"""Pull requests that change policy, keys or lock: those of the base commit are in force, and loosening is seen."""

from __future__ import annotations

import json

import pytest

from tests.doubles.cloud import BUCKET
from tests.e2e.actions.conftest import told
from tests.e2e.actions.verify.conftest import (
    BY_KEY,
    FRAUD,
    KEY,
    RANKING,
    ROOT_ACTION,
    VERIFY,
    Staging,
    assert_misconfigured,
    assert_refused,
)
from tests.support.actions import staged
from tests.support.signing.signing import pem, private

MALLORY = pem(private("ecdsa-p256", 1))
each_action = pytest.mark.parametrize("uses", [VERIFY, ROOT_ACTION], ids=["verify", "root"])


@each_action
def test_a_signer_that_the_change_adds_is_none_yet(staging: Staging, uses: str) -> None:
    staging.uses = uses
    staging.adopt()
    staging.cloud.put(staged.model(staged.WEIGHTS, staged.by_key(1)), "fraud/")
    more = {**FRAUD, "signers": [BY_KEY, {"key": "keys/mallory.pub"}]}
    policy = staging.policy(artifacts=[more, RANKING])
    run = staging.changed({"aegis.yml": policy, "keys/mallory.pub": MALLORY, "README.md": "A shop.\n"})
    assert_refused(staging, run, "verify.wrong_key", "core.policy_loosened")


def test_an_artifact_that_the_change_takes_out_is_judged(staging: Staging) -> None:
    staging.adopt()
    staging.cloud.put({"fraud/weights.bin": b"others"})
    run = staging.changed({"aegis.yml": staging.policy(artifacts=[RANKING]), "README.md": "A shop.\n"})
    assert_refused(staging, run, "verify.file_differs", "core.policy_loosened")


def test_a_key_that_the_change_replaces_stays_in_force(staging: Staging) -> None:
    staging.adopt()
    staging.cloud.put(staged.model(staged.WEIGHTS, staged.by_key(1)), "fraud/")
    run = staging.changed({KEY: MALLORY, "README.md": "A shop.\n"})
    assert_refused(staging, run, "verify.wrong_key", "core.policy_loosened")
    assert any(KEY in note.message and "loosens" in note.message for note in run.errors())


def test_a_change_of_the_key_alone_is_green_by_the_key_of_before_and_is_told(staging: Staging) -> None:
    staging.adopt()
    run = staging.changed({KEY: MALLORY})
    assert run.green, run.log
    assert any(note.level == "notice" and KEY in note.message for note in run.annotations)


def test_a_lock_that_moves_backward_is_red(staging: Staging) -> None:
    staging.verify = {"artifacts": [{**FRAUD, "release": {}}]}
    staging.cloud.put(staged.release("fraud", staged.WEIGHTS, "1.4.0", staged.by_key()), "fraud/")

    def lock(version: str) -> str:
        entry = {"version": version, "sha256": "0" * 64, "statement": "0" * 64, "accepted": "2026-01-02"}
        return json.dumps({"version": 1, "artifacts": {"fraud": entry}})

    staging.adopt({"aegis.lock": lock("1.3.0")})
    run = staging.changed({"aegis.lock": lock("1.2.0"), "README.md": "A shop.\n"})
    assert_refused(staging, run, "core.policy_loosened")


@each_action
def test_a_misspelt_policy_is_red_at_its_place(staging: Staging, uses: str) -> None:
    staging.uses = uses
    staging.adopt({"aegis.yml": staging.policy().replace("signers:", "singers:")})
    run = staging.run_again()
    assert_misconfigured(run, "core.policy_invalid", "singers")
    assert any(note.file == "aegis.yml" and note.line for note in run.errors())
    assert not staging.cloud.issuer.requests


@pytest.mark.parametrize(
    ("artifact", "reason"),
    [
        ({**FRAUD, "signers": []}, "verify.policy_incomplete"),
        ({**FRAUD, "signers": [{"identity-pattern": ".*", "issuer": "https://i.example"}]}, "verify.pattern_unsafe"),
        ({**FRAUD, "signers": [{"key": "keys/gone.pub"}]}, "verify.key_missing"),
        ({**FRAUD, "source": f"gs://{BUCKET}/fraud/"}, "verify.source_invalid"),
    ],
    ids=["no signer", "any identity", "no key", "unknown store"],
)
def test_a_policy_that_protects_nothing_is_red_before_a_token_is_asked_for(
    staging: Staging, artifact: dict[str, object], reason: str
) -> None:
    staging.verify = {"artifacts": [artifact]}
    staging.adopt()
    assert_misconfigured(staging.run_again(), reason)
    assert not staging.cloud.issuer.requests


@pytest.mark.parametrize(
    ("name", "value", "reason", "says"),
    [
        ("shard", "3/2", "core.wrong_usage", "i/N"),
        ("cloud", "gcp", "core.wrong_usage", "`aws` or `oci`"),
        ("aws-region", "Frankfurt", "verify.region_invalid", "Frankfurt"),
        ("policy", "gone.yml", "core.policy_missing", "gone.yml"),
    ],
)
def test_a_wrong_input_is_told(staging: Staging, name: str, value: str, reason: str, says: str) -> None:
    staging.inputs[name] = value
    staging.adopt()
    assert_misconfigured(staging.run_again(), reason, says)
    assert not staging.cloud.sts.requests


def test_the_policy_that_the_change_brings_is_bootstrap(staging: Staging) -> None:
    staging.adopt({"aegis.yml": "version: 1\nscan: {}\n"})
    run = staging.changed({"aegis.yml": staging.policy()})
    assert not run.green
    assert told(run) == "error core.policy_missing"


def test_a_section_that_the_change_takes_out_is_red_in_the_root_action(staging: Staging) -> None:
    staging.uses = ROOT_ACTION
    staging.adopt()
    run = staging.changed({"aegis.yml": "version: 1\nscan: {}\n", "README.md": "A shop.\n"})
    assert told(run) == "fail core.findings"
    assert {"core.policy_loosened"} == {note.title.partition(":")[0] for note in run.errors()}
    assert len(staging.cloud.sts.sessions) == 1
