"""Signatures of requests: judged by the double's own code, and held against `oci`'s signer on a request of its own."""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from functools import partial
from urllib.parse import urlsplit

import pytest

from aegis.adapters.oci.identity import OciSession
from aegis.adapters.oci.signing import RequestSigner
from tests.doubles.github_oidc import signing_key
from tests.doubles.oci.object_storage import ObjectStorage
from tests.doubles.oci.serving import Request
from tests.doubles.oci.tenancy import Tenancy, tenancy

NOW = 1_790_000_000.0
DATE = "Mon, 21 Sep 2026 14:13:20 GMT"
URL = "https://objectstorage.eu-frankfurt-1.oraclecloud.com/n/octons/b/models/o/staging/a%20b%C3%A9?versionId=v-1"
SESSION = OciSession("eyJh.e30.c2ln", signing_key("session"), int(NOW) + 3600)


def signed(method: str, url: str) -> dict[str, str]:
    return RequestSigner(lambda: SESSION, now=lambda: NOW)(method, url)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    "url", [URL, URL.partition("?")[0], "http://127.0.0.1:8123/n/o/b/m/o?prefix=a%2F&start=%C3%A9"]
)
def test_it_is_what_oci_would_send(method: str, url: str) -> None:
    ours = signed(method, url)
    # `oci` has no types.
    request = importlib.import_module("oci._vendor.requests").Request
    signer = importlib.import_module("oci.auth.signers.security_token_signer").SecurityTokenSigner
    theirs = request(method, url, headers={"date": DATE}).prepare()
    signer(SESSION.token, SESSION.key)(theirs)
    assert theirs.path_url == urlsplit(url)._replace(scheme="", netloc="").geturl()
    assert ours == {"Date": DATE, "Authorization": theirs.headers["authorization"]}


def test_only_what_is_needed_is_added() -> None:
    assert set(signed("GET", URL)) == {"Date", "Authorization"}
    assert 'keyId="ST$eyJh.e30.c2ln"' in signed("GET", URL)["Authorization"]
    assert 'headers="date (request-target) host"' in signed("GET", URL)["Authorization"]


def test_a_new_session_signs_with_its_own_key() -> None:
    sessions = [SESSION, SESSION, replace(SESSION, key=signing_key("next"))]
    signer = RequestSigner(lambda: sessions.pop(0), now=lambda: NOW)
    first, again, other = (signer("GET", URL)["Authorization"] for _ in range(3))
    assert first == again
    assert other != first


def test_repr_shows_neither_token_nor_key() -> None:
    signer = RequestSigner(lambda: SESSION, now=lambda: NOW)
    signer("GET", URL)
    assert SESSION.token not in repr(signer)


def test_the_environment_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    before = dict(os.environ)
    signed("GET", URL)
    assert dict(os.environ) == before
    monkeypatch.setenv("OCI_PYTHON_SDK_NO_SERVICE_IMPORTS", "false")
    signed("GET", URL)
    assert os.environ["OCI_PYTHON_SDK_NO_SERVICE_IMPORTS"] == "false"


class TestTheDouble:
    """The double refuses what OCI would refuse: or else it would prove nothing."""

    def asked(self, oci: Tenancy, **changes: str) -> int:
        """Status of a listing whose signature is right, but for these headers."""
        target = "/n/octons/b/models/o?prefix=staging%2F"
        headers = oci.signer()("GET", oci.storage.address + target)
        sent = {name.lower(): value for name, value in headers.items()}
        sent["host"] = urlsplit(oci.storage.address).netloc
        line = changes.pop("target", target)
        storage: ObjectStorage = oci.storage
        return storage.answer(Request("GET", line, {**sent, **changes}, b"")).status

    def test_what_is_signed_is_taken(self) -> None:
        with tenancy() as oci:
            assert self.asked(oci) == 200

    def test_what_was_signed_for_something_else_is_not(self) -> None:
        with tenancy() as oci:
            assert self.asked(oci, target="/n/octons/b/models/o?prefix=other%2F") == 401
            assert self.asked(oci, host="elsewhere") == 401
            assert self.asked(oci, date=DATE) == 401
            assert self.asked(oci, authorization="Bearer x") == 401

    def test_a_part_of_the_signature_that_is_missing_or_other(self) -> None:
        with tenancy() as oci:
            target = oci.storage.address + "/n/octons/b/models/o?prefix=staging%2F"
            right = oci.signer()("GET", target)["Authorization"]
            for old, new in (
                ("ST$", ""),
                ("rsa-sha256", "hmac-sha256"),
                ('version="1"', 'version="2"'),
                ("date (request-target) host", "date host"),
                ("date (request-target) host", "date (request-target)"),
                ('signature="', 'signature="A'),
                ('keyId="ST$eyJ', 'keyId="ST$eyK'),
            ):
                assert old in right
                assert self.asked(oci, authorization=right.replace(old, new)) == 401, old

    def test_a_date_that_is_more_than_five_minutes_away(self) -> None:
        with tenancy() as oci:
            signer = oci.signer()
            for seconds, status in ((-301, 401), (-299, 200), (299, 200), (301, 401)):
                # The date of a request has whole seconds.
                oci.time.date = float(int(oci.time.date))
                then = oci.time.date + seconds
                signer.now = partial(float, then)
                target = "/n/octons/b/models/o"
                headers = {k.lower(): v for k, v in signer("GET", oci.storage.address + target).items()}
                headers["host"] = urlsplit(oci.storage.address).netloc
                assert oci.storage.answer(Request("GET", target, headers, b"")).status == status, seconds

    def test_a_session_that_is_over_or_of_another_domain(self) -> None:
        with tenancy() as oci:
            signer = oci.signer()
            target = "/n/octons/b/models/o"
            headers = {k.lower(): v for k, v in signer("GET", oci.storage.address + target).items()}
            headers["host"] = urlsplit(oci.storage.address).netloc
            request = Request("GET", target, headers, b"")
            assert oci.storage.answer(request).status == 200
            oci.domain.now = lambda: oci.time.date + 3601
            assert oci.storage.answer(request).status == 401
