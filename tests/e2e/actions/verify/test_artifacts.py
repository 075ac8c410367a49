"""What lies in the store against what the policy says: green only for the very bytes that the right one signed."""

from __future__ import annotations

import datetime
import json

import pytest

from tests.e2e.actions.conftest import told
from tests.e2e.actions.verify.conftest import FRAUD, RANKING, ROOT_ACTION, VERIFY, Staging, assert_refused
from tests.support.actions import staged

RELEASED = {**FRAUD, "release": {}}
TAMPERED = {**staged.WEIGHTS, "weights.bin": b"\x01" + staged.WEIGHTS["weights.bin"][1:]}
each_action = pytest.mark.parametrize("uses", [VERIFY, ROOT_ACTION], ids=["verify", "root"])


def release(staging: Staging, version: str) -> None:
    """Upload what a builder uploads with a new version."""
    staging.cloud.put(staged.release("fraud", staged.WEIGHTS, version, staged.by_key()), "fraud/")


def accepted(version: str) -> str:
    """A lock in which this version was accepted."""
    entry = {"version": version, "sha256": "0" * 64, "statement": "0" * 64, "accepted": "2026-01-02"}
    return json.dumps({"version": 1, "artifacts": {"fraud": entry}})


@each_action
def test_signed_models_are_green(staging: Staging, uses: str) -> None:
    staging.uses = uses
    staging.adopt()
    run = staging.changed()
    assert run.green, run.log
    assert told(run) == "pass core.passed"
    assert not run.errors()
    assert sorted(staging.cloud.read()) == sorted(
        f"{model}/{name}" for model in ("fraud", "ranking") for name in (*staged.WEIGHTS, "model.sig")
    )
    (session,) = staging.cloud.sts.sessions.values()
    assert session.name == "aegis-verify-1-1"
    assert session.policy is not None


@each_action
def test_one_other_byte_is_red(staging: Staging, uses: str) -> None:
    staging.uses = uses
    staging.cloud.put(TAMPERED, "fraud/")
    staging.adopt()
    run = staging.changed()
    assert_refused(staging, run, "verify.file_differs")
    assert any("weights.bin" in note.message for note in run.errors())
    assert "FAIL" in run.summary


def test_a_model_with_its_release_in_the_lock_is_green(staging: Staging) -> None:
    staging.verify = {"artifacts": [RELEASED]}
    release(staging, "1.4.0")
    staging.adopt({"aegis.lock": accepted("1.3.9")})
    run = staging.changed()
    assert run.green, run.log
    (found,) = staging.verdict()["evidence"][0]["value"]
    assert found["release"] == "1.4.0"


def test_an_older_release_than_the_locks_is_red(staging: Staging) -> None:
    staging.verify = {"artifacts": [RELEASED]}
    release(staging, "1.3.9")
    staging.adopt({"aegis.lock": accepted("1.4.0")})
    assert_refused(staging, staging.changed(), "verify.rollback")


def test_a_release_out_of_time_is_red(staging: Staging) -> None:
    staging.verify = {"artifacts": [RELEASED]}
    past = datetime.timedelta(days=-1)
    staging.cloud.put(staged.release("fraud", staged.WEIGHTS, "1.4.0", staged.by_key(), lifetime=past), "fraud/")
    staging.adopt()
    assert_refused(staging, staging.changed(), "verify.release_expired")


def test_another_key_is_red(staging: Staging) -> None:
    staging.cloud.put(staged.model(staged.WEIGHTS, staged.by_key(1)), "fraud/")
    staging.adopt()
    assert_refused(staging, staging.changed(), "verify.wrong_key")


def test_another_workflow_of_the_same_repository_is_red(staging: Staging) -> None:
    other = "https://github.com/org/models/.github/workflows/test.yml@refs/heads/main"
    staging.cloud.put(staged.model(staged.WEIGHTS, staging.sign(identity=other)), "ranking/")
    staging.adopt()
    run = staging.changed()
    assert_refused(staging, run, "verify.wrong_identity")
    assert any("test.yml" in note.message for note in run.errors())


def test_another_repository_of_the_same_name_is_red(staging: Staging) -> None:
    claims = {**staging.sigstore.request().claims, "15": "700000002"}
    staging.cloud.put(staged.model(staged.WEIGHTS, staging.sign(claims=claims)), "ranking/")
    staging.adopt()
    assert_refused(staging, staging.changed(), "verify.wrong_claim")


@pytest.mark.parametrize(
    ("artifact", "how"), [(FRAUD, "--key KEY.pem"), (RANKING, "--keyless")], ids=["key", "identity"]
)
def test_an_unsigned_model_is_red_and_told_how_to_sign(staging: Staging, artifact: dict[str, str], how: str) -> None:
    staging.verify = {"artifacts": [artifact]}
    staging.cloud.s3.delete(f"{artifact['name']}/model.sig", bucket="octo-models-staging")
    staging.adopt()
    run = staging.changed()
    assert_refused(staging, run, "verify.unsigned")
    line = f"aegis sign model FOLDER {how}"
    assert any(line in note.message for note in run.errors())
    assert line in run.summary.replace("&#45;", "-")


def test_no_model_is_red(staging: Staging) -> None:
    staging.verify = {"artifacts": [{**FRAUD, "source": "s3://octo-models-staging/gone/"}, RANKING]}
    staging.adopt()
    assert_refused(staging, staging.changed(), "verify.artifact_missing")


def test_a_file_that_nobody_signed_is_red(staging: Staging) -> None:
    staging.cloud.put({"fraud/.git/hooks/run.py": b"import os\n"})
    staging.adopt()
    assert_refused(staging, staging.changed(), "verify.file_unsigned")


def test_odd_names_are_verified_and_forge_nothing(staging: Staging) -> None:
    odd = {"sp ace ü.bin": b"1", "%0A::warning::forged": b"2", "<img src=x>|`.bin": b"3", "a+b=c&d#e?.bin": b"4"}
    staging.cloud.put(staged.model(odd, staged.by_key()), "odd/")
    staging.cloud.put({"odd/%0A::error::forged": b"5", "odd/::error file=x::forged.bin": b"6"})
    staging.verify = {"artifacts": [RANKING, {**FRAUD, "name": "odd", "source": "s3://octo-models-staging/odd/"}]}
    staging.adopt()
    run = staging.changed()
    assert_refused(staging, run, "verify.file_unsigned")
    assert not any(note.file == "x" or note.message.startswith("forged") for note in run.annotations)
    assert "<img" not in run.summary
    for name in ("%0A::error::forged", "::error file=x::forged.bin"):
        staging.cloud.s3.delete(f"odd/{name}", bucket="octo-models-staging")
    again = staging.run_again()
    assert again.green, again.log


def test_it_works_inside_a_consumers_composite(staging: Staging) -> None:
    given = "".join(f"        {name}: {value}\n" for name, value in staging.inputs.items())
    nested = (
        "name: checks\noutputs:\n  result: {value: '${{ steps.inner.outputs.result }}'}\n"
        "  reason: {value: '${{ steps.inner.outputs.reason }}'}\n"
        "runs:\n  using: composite\n  steps:\n"
        f"    - id: inner\n      uses: {staging.uses}\n      with:\n{given}"
    )
    staging.uses, staging.inputs = "./.github/actions/checks", {}
    staging.adopt({".github/actions/checks/action.yml": nested})
    run = staging.changed()
    assert run.green, run.log
    assert told(run) == "pass core.passed"
