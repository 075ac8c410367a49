"""Runners as they are: bare, poisoned, stopped in the middle."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.doubles.aws.s3 import S3
from tests.doubles.aws.s3_faults import FOREVER, Fault
from tests.e2e.actions.conftest import assert_error, patient, told
from tests.e2e.actions.verify.conftest import ROOT_ACTION, VERIFY, Staging
from tests.e2e.actions.watched import gate_of
from tests.support.actions import events
from tests.support.actions.act import Run, read_log

EVIL = "raise SystemExit('the workspace was imported')\n"
NOWHERE = "http://127.0.0.1:9"
POISON = {
    "AWS_ENDPOINT_URL": NOWHERE,
    "AWS_ENDPOINT_URL_S3": NOWHERE,
    "AWS_ENDPOINT_URL_STS": NOWHERE,
    "AWS_ACCESS_KEY_ID": "AKIAOTHERS0000000000",
    "AWS_SECRET_ACCESS_KEY": "others",
    "AWS_SESSION_TOKEN": "others",
    "AWS_PROFILE": "others",
    "AWS_CONFIG_FILE": "aws-config",
    "AWS_SHARED_CREDENTIALS_FILE": "aws-config",
    "AWS_CA_BUNDLE": "/nowhere.pem",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_DATA_PATH": ".",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "HTTP_PROXY": NOWHERE,
    "http_proxy": NOWHERE,
    "ALL_PROXY": NOWHERE,
    "REQUESTS_CA_BUNDLE": "/nowhere.pem",
    "SSL_CERT_FILE": "/nowhere.pem",
    "COSIGN_PUB_KEY": "keys/others.pub",
    "SIGSTORE_ROOT_FILE": "/nowhere.json",
    "PYTHONPATH": ".",
    "PYTHONHOME": "/nowhere",
    "PYTHONSTARTUP": "sitecustomize.py",
    "BOTO_CONFIG": "aws-config",
    "OPENSSL_CONF": "/nowhere.cnf",
    "LD_LIBRARY_PATH": "/nowhere",
}
CONFIG = "[default]\nregion = us-east-1\nendpoint_url = http://127.0.0.1:9\ncredential_process = touch configured\n"


def test_signed_models_are_green_from_a_cold_start(staging: Staging) -> None:
    staging.before = ""
    staging.cold()
    staging.adopt()
    run = staging.changed()
    assert run.green, run.log
    assert told(run) == "pass core.passed"


@pytest.mark.parametrize("uses", [VERIFY, ROOT_ACTION], ids=["verify", "root"])
def test_a_poisoned_job_changes_nothing(staging: Staging, uses: str) -> None:
    staging.uses, staging.env = uses, POISON
    modules = ("yaml", "msgspec", "cryptography/__init__", "botocore/__init__", "sigstore/__init__", "sitecustomize")
    traps: dict[str, str | bytes] = {f"{module}.py": EVIL for module in (*modules, "json", "aegis/__init__")}
    staging.adopt({**traps, "aws-config": CONFIG})
    run = staging.changed()
    assert "the workspace was imported" not in run.log
    assert run.green, run.log
    assert len(staging.cloud.sts.sessions) == 1
    assert not list(staging.kept.rglob("configured"))


def test_a_cancelled_run_leaves_a_verdict_and_nothing_else(staging: Staging) -> None:
    run = stopped_while_reading(staging, lambda launcher, gate: os.kill(launcher, signal.SIGTERM))
    assert_error(run, "core.interrupted", "SIGTERM")
    assert staging.verdict()["result"] == "error"
    (work,) = staging.kept.glob("*/tmp/aegis")
    assert {path.name.partition("-")[0] for path in work.iterdir()} == {"keyless", "verdict"}
    assert list(staging.temporary.iterdir()) == []
    assert not gate_of(staging)


def test_a_killed_gate_is_red(staging: Staging) -> None:
    run = stopped_while_reading(staging, lambda launcher, gate: os.kill(gate, signal.SIGKILL))
    assert_error(run, "core.no_verdict", "ended by signal 9")


def stopped_while_reading(staging: Staging, stop: Callable[[int, int], None]) -> Run:
    """Stop the run, by the ids of its launcher and of its gate, when the store has been asked for weights."""
    asked = threading.Event()
    told_to_go_on = threading.Event()

    def wait(_: S3) -> None:
        asked.set()
        told_to_go_on.wait(600)

    staging.cloud.s3.faults.append(Fault(key="fraud/weights.bin", times=FOREVER, meanwhile=wait))
    staging.change_action(patient())
    staging.adopt()
    event = events.pull_request(staging.repository, {"README.md": "A shop.\n"})
    with staging.surrounded().started(staging.repository, event.name, event.payload) as act:
        output: list[str] = []
        reader = threading.Thread(target=lambda: output.append(act.communicate(timeout=600)[0]))
        reader.start()
        try:
            assert asked.wait(300), "the store was not asked"
            launcher, gate = gate_of(staging)
            assert_no_secret_is_handed_on(staging, (launcher, gate))
            stop(launcher, gate)
            reader.join(300)
        finally:
            told_to_go_on.set()
    run = read_log(output[0], act.returncode)
    staging.check_secrets(run)
    return run


def assert_no_secret_is_handed_on(staging: Staging, processes: tuple[int, ...]) -> None:
    """Neither arguments nor environments hold what was obtained: other processes of the runner can read them."""
    minted = [secret for secret in staging.cloud.secrets if secret not in staging.cloud.job.values()]
    assert len(minted) >= 4
    for number in processes:
        for file in ("cmdline", "environ"):
            content = Path(f"/proc/{number}/{file}").read_bytes()
            assert not [secret[:6] for secret in minted if secret.encode() in content]
