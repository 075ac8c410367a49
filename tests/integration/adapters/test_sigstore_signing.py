"""Keyless signing against services on loopback, and what is said when they fail."""

from __future__ import annotations

import copy
import datetime
import hashlib
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from typing import Any

import jwt
import pytest

from aegis.adapters.sigstore_signing import AUDIENCE, sign_digest, sign_statement
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keyless.signature import verify_keyless
from aegis.signatures.types import IdentitySigner, SignedBy, Trust
from tests.doubles.sigstore.server import CERTIFICATES, ENTRIES, STAMPS, TILES, Service, serve
from tests.doubles.sigstore.signer import IDENTITY, ISSUER, PrivateSigstore
from tests.support.keyless.case import CONTENT, STATEMENT
from tests.support.network.ports import nobody

DIGEST = hashlib.sha256(CONTENT).digest()
PAYLOAD = json.dumps(STATEMENT).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    with serve(PrivateSigstore(at=datetime.datetime.now(datetime.UTC).replace(microsecond=0))) as running:
        yield running


def _token(**changes: Any) -> str:
    now = int(datetime.datetime.now(datetime.UTC).timestamp())
    claims = {"iss": ISSUER, "sub": IDENTITY, "aud": AUDIENCE, "iat": now, "exp": now + 300}
    return jwt.encode(claims | changes, "a secret of the issuer, 32 bytes long", algorithm="HS256")


def _config(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()


def _judged(service: Service, bundle: bytes, digest: bytes | None) -> SignedBy:
    signer = IdentitySigner(identity=IDENTITY, issuer=ISSUER)
    now = datetime.datetime.now(datetime.UTC)
    trust = Trust(signers=(signer,), trusted_root=service.sigstore.trusted_root(), now=now)
    return verify_keyless(parse_bundle(bundle, name="x"), signer, trust, digest=digest)


@pytest.mark.parametrize("tiled", [False, True], ids=["rekor v1", "rekor v2"])
def test_signed_bundles_verify(service: Service, *, tiled: bool) -> None:
    config = _config(service.trust_config(tiled=tiled))
    for bundle, digest in (
        (sign_digest(DIGEST, token=_token(), trust_config=config), DIGEST),
        (sign_statement(PAYLOAD, token=_token(), trust_config=config), None),
    ):
        assert _judged(service, bundle, digest).identity == IDENTITY
        assert parse_bundle(bundle, name="x").timestamps


def test_token_is_sent_to_the_authority_only(service: Service) -> None:
    token = _token()
    sign_digest(DIGEST, token=token, trust_config=_config(service.trust_config()))
    assert [path for path, sent in service.requests if sent] == [CERTIFICATES]
    assert {path for path, _ in service.requests} == {CERTIFICATES, ENTRIES, STAMPS}


def test_service_that_is_only_busy_is_asked_again(service: Service) -> None:
    service.fails = {ENTRIES: [503, 200], CERTIFICATES: [429, 200]}
    assert sign_digest(DIGEST, token=_token(), trust_config=_config(service.trust_config()))


@pytest.mark.parametrize(("path", "status"), [(CERTIFICATES, 400), (CERTIFICATES, 500), (ENTRIES, 400), (ENTRIES, 500)])
def test_service_that_fails(service: Service, path: str, status: int) -> None:
    service.fails = {path: [status]}
    error = _fails(service, service.trust_config())
    assert error.code == "verify.signing_failed"
    assert f"HTTP {status}" in error.problem


@pytest.mark.parametrize("tiled", [False, True], ids=["rekor v1", "rekor v2"])
def test_no_timestamp_though_an_authority_is_named(
    service: Service, caplog: pytest.LogCaptureFixture, *, tiled: bool
) -> None:
    service.fails = {STAMPS: [500]}
    error = _fails(service, service.trust_config(tiled=tiled))
    assert error.code == "verify.signing_failed"
    assert "TimestampError, HTTP 500" in error.problem
    assert [path for path, _ in service.requests if path in {ENTRIES, TILES}] == []
    assert caplog.messages == []


def test_no_timestamp_where_the_log_gives_no_time(service: Service) -> None:
    error = _fails(service, service.trust_config(tiled=True, stamps=False))
    assert error.code == "verify.signing_failed"


def test_log_that_lies(service: Service) -> None:
    service.sigstore.tiled_log.lies.size = 1000
    assert "checkpoint" in _fails(service, service.trust_config(tiled=True)).problem


def test_nobody_answers() -> None:
    with nobody() as address:
        gone = Service(PrivateSigstore())
        gone.url = address
        error = _fails(gone, gone.trust_config())
    assert error.code == "verify.signing_failed"
    assert gone.url.removeprefix("http://") in error.problem
    assert error.exit_code == 3


@pytest.mark.parametrize(
    "given",
    ["", "not.a.token", {"aud": "sts.amazonaws.com"}, {"exp": 1}, {"sub": None}],
    ids=["empty", "none", "other audience", "expired", "no subject"],
)
def test_token_that_is_none(service: Service, given: str | dict[str, Any]) -> None:
    token = given if isinstance(given, str) else _token(**given)
    with pytest.raises(CouldNotDecide) as error:
        sign_digest(DIGEST, token=token, trust_config=_config(service.trust_config()))
    assert error.value.code == "verify.token_invalid"
    assert service.requests == []


def _without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda document: document.pop(name)


def _plain_http(document: dict[str, Any]) -> None:
    document["signingConfig"]["caUrls"][0]["url"] = "http://fulcio.example"


def _other_type(document: dict[str, Any]) -> None:
    document["mediaType"] = "application/vnd.dev.sigstore.trustedroot+json;version=0.1"


@pytest.mark.parametrize(
    "change", [_without("trustedRoot"), _without("signingConfig"), _without("mediaType"), _plain_http, _other_type]
)
def test_trust_config_that_is_none(service: Service, change: Callable[[dict[str, Any]], None]) -> None:
    document = copy.deepcopy(service.trust_config())
    change(document)
    with pytest.raises(UsageError) as error:
        sign_digest(DIGEST, token=_token(), trust_config=_config(document))
    assert error.value.code == "verify.trust_config_invalid"
    assert service.requests == []


@pytest.mark.parametrize("data", [b"", b"[]", b'{"a":1,"a":1}'])
def test_other_bytes_are_no_trust_config(data: bytes) -> None:
    with pytest.raises(UsageError, match="trust config"):
        sign_digest(DIGEST, token=_token(), trust_config=data)


@pytest.mark.parametrize("path", [CERTIFICATES, ENTRIES, TILES])
def test_token_is_in_no_message(service: Service, path: str, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = _token()
    service.fails = {path: [400]}
    config = service.trust_config(tiled=path == TILES)
    with pytest.raises(AegisError) as error:
        sign_digest(DIGEST, token=token, trust_config=_config(config))
    told = "".join(traceback.format_exception(error.value)) + str(error.value) + caplog.text
    assert token not in told
    assert token.split(".")[1] not in told


def _fails(service: Service, config: dict[str, Any]) -> CouldNotDecide:
    with pytest.raises(CouldNotDecide) as error:
        sign_digest(DIGEST, token=_token(), trust_config=_config(config))
    return error.value
