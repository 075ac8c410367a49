"""From GitHub's token to the bytes of an object in OCI, against services that check every step."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis.core.errors import AegisError, CouldNotDecide
from tests.doubles.oci.serving import Answer, Fault
from tests.doubles.oci.tenancy import BUCKET, USER, WANTED, Tenancy, tenancy

DATA = bytes(range(256)) * 40
ROOT = Path(__file__).parents[3]
POISON = {
    "OCI_CLI_AUTH": "api_key",
    "OCI_CLI_ENDPOINT": "http://127.0.0.1:1",
    "OCI_CLI_KEY_FILE": "/nonexistent/key.pem",
    "OCI_CLI_PROFILE": "EVIL",
    "OCI_CLI_REGION": "xx-evil-1",
    "OCI_CLI_RC_FILE": "/nonexistent/rc",
    "OCI_CLI_SECURITY_TOKEN_FILE": "/nonexistent/token",
    "OCI_CONFIG_FILE": "/nonexistent/config",
    "OCI_REGION": "xx-evil-1",
    "OCI_REGION_METADATA": '{"realmKey": "ocx", "realmDomainComponent": "evil.example"}',
    "OCI_DEFAULT_REALM": "evil.example",
    "OCI_RESOURCE_PRINCIPAL_VERSION": "2.2",
    "OCI_PYTHON_SDK_LAZY_IMPORTS_DISABLED": "true",
    "OCI_SDK_APPEND_USER_AGENT": "evil",
    "http_proxy": "http://127.0.0.1:1",
    "https_proxy": "http://127.0.0.1:1",
    "ALL_PROXY": "http://127.0.0.1:1",
    "NO_PROXY": "",
}


@pytest.fixture
def oci() -> Iterator[Tenancy]:
    with tenancy() as running:
        running.bucket.put("staging/model.bin", DATA)
        running.bucket.put("production/model.bin", b"not yours")
        running.storage.buckets["octons", "secrets"].put("staging/key", b"not yours")
        yield running


def fetched(oci: Tenancy) -> bytes:
    store = oci.store()
    (info,) = store.list("staging/")
    return b"".join(store.read(info))


def test_the_printed_trust_and_policy_let_the_job_read_its_artifacts(oci: Tenancy) -> None:
    assert fetched(oci) == DATA


def test_after_immutable_subjects_are_turned_on_it_still_does(oci: Tenancy) -> None:
    oci.issuer.claims["sub"] = "repo:octo@42/shop@7001:ref:refs/heads/main"
    assert fetched(oci) == DATA


@pytest.mark.parametrize(
    "claims",
    [
        {"sub": "repo:octo/shop:pull_request"},
        {"sub": "repo:octo/shop:ref:refs/heads/dev"},
        {"sub": "repo:octo/shop:environment:staging"},
        {"sub": "repo:octo/other:ref:refs/heads/main", "repository_id": "7002"},
        {"sub": "repo:evil/shop:ref:refs/heads/main", "repository_id": "666"},
        {"repository_id": "666"},
        {"sub": "repo:octo@42/shop@666:ref:refs/heads/main", "repository_id": "666"},
        {"iss": "https://token.actions.evil.example"},
    ],
    ids=["pull request", "branch", "environment", "repository", "owner", "recycled name", "immutable", "issuer"],
)
def test_no_other_job_gets_a_session(oci: Tenancy, claims: dict[str, str]) -> None:
    oci.issuer.claims.update(claims)
    with pytest.raises(CouldNotDecide) as caught:
        fetched(oci)
    assert caught.value.code == "verify.oci_exchange_refused"
    assert oci.domain.given == []
    assert oci.storage.requests == []


def test_the_printed_policy_lets_it_read_nothing_else(oci: Tenancy) -> None:
    store = oci.store()
    (other,) = store.list("production/")
    with pytest.raises(CouldNotDecide) as caught:
        b"".join(store.read(other))
    assert caught.value.code == "verify.store_denied"
    with pytest.raises(CouldNotDecide) as caught:
        oci.store("secrets").list("staging/")
    assert caught.value.code == "verify.store_denied"


def test_a_job_of_an_environment(oci: Tenancy) -> None:
    oci.apply(replace(WANTED, environment="staging"))
    oci.issuer.claims.update(sub="repo:octo/shop:environment:staging", environment="staging")
    assert fetched(oci) == DATA


def test_a_session_that_ends_during_a_run_is_renewed(oci: Tenancy) -> None:
    store = oci.store()
    (info,) = store.list("staging/")
    oci.time.date += 3590
    assert b"".join(store.read(info)) == DATA
    assert len(oci.issuer.minted) == 2
    keys = {re.search('keyId="([^"]+)"', request.headers["authorization"]) for request in oci.storage.requests}
    assert len({found[1] for found in keys if found}) == 2


@pytest.mark.parametrize(
    "fault",
    [
        None,
        Fault(Answer(401, b'{"error": "invalid_client"}')),
        Fault(Answer(400, b'{"error": "invalid_grant"}')),
        Fault(Answer(500), times=9),
        Fault(Answer(200, b'{"token": "a.b.c"}')),
    ],
    ids=["success", "client", "grant", "down", "no session"],
)
def test_no_secret_stands_anywhere_afterwards(
    oci: Tenancy,
    fault: Fault | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("DEBUG")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    oci.domain.faults += [fault] if fault else []
    told = ""
    try:
        fetched(oci)
    except AegisError as error:
        told = "".join(traceback.format_exception(error))
    assert bool(told) is bool(fault)
    out, err = capfd.readouterr()
    everything = "\n".join([told, out, err, caplog.text, *os.environ.values(), str(sys.argv)])
    for secret in oci.secrets:
        assert secret not in everything
    assert list(tmp_path.iterdir()) == []


def test_a_poisoned_environment_changes_nothing(oci: Tenancy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / ".oci" / "config"
    config.parent.mkdir()
    config.write_text("[DEFAULT]\nuser=ocid1.user.oc1..evil\nregion=xx-evil-1\nkey_file=/nonexistent\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name, value in POISON.items():
        monkeypatch.setenv(name, value)
    assert fetched(oci) == DATA
    assert all("evil" not in str(request) for request in (*oci.domain.requests, *oci.storage.requests))


CHILD = """
import json, sys
from aegis.adapters.objects.oci import OciStore
from aegis.adapters.oci.identity import OciClient, OciExchange, OciSessions
from aegis.adapters.oci.signing import RequestSigner
said = json.load(sys.stdin)
exchange = OciExchange(domain=said["domain"], audience="x", client=OciClient(*said["client"]))
sessions = OciSessions(exchange, lambda audience: said["token"], mask=lambda value: None)
store = OciStore("octons", "models", "eu-frankfurt-1", RequestSigner(sessions), endpoint=said["storage"])
(info,) = store.list("staging/")
print(sum(map(len, store.read(info))))
"""


def test_nor_does_it_in_a_new_process(oci: Tenancy, tmp_path: Path) -> None:
    """`oci` reads some variables when it is imported: one of them would make that take half a minute."""
    client = oci.exchange().client
    said = {
        "domain": oci.domain.address,
        "storage": oci.storage.address,
        "client": [client.client_id, client.secret],
        "token": oci.issuer.token("https://cloud.oracle.com"),
    }
    run = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT / 'src')!r})\n{CHILD}"],
        input=json.dumps(said),
        env={"PATH": os.environ["PATH"], "HOME": str(tmp_path), **POISON},
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, f"{len(DATA)}\n", "")
    assert list(tmp_path.iterdir()) == []


def test_the_user_is_the_service_user_and_the_bucket_the_one_of_the_policy(oci: Tenancy) -> None:
    principal = oci.domain.principal(oci.sessions()().token)
    assert principal is not None
    assert principal[0] == USER
    assert oci.store().location == f"oci://octons/{BUCKET}"
