from __future__ import annotations

import copy
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.signatures.keyless.trusted_root import Window, load_trusted_root, packaged_trusted_root
from tests.doubles.sigstore.encoding import b64, spki
from tests.doubles.sigstore.signer import AT, PrivateSigstore

OWN = PrivateSigstore()
DOCUMENT = OWN.root.document()


def _refused(document: Any) -> UsageError:
    data = document if isinstance(document, bytes) else json.dumps(document).encode()
    with pytest.raises(UsageError) as error:
        load_trusted_root(data)
    assert error.value.code == "verify.trusted_root_invalid"
    return error.value


def test_packaged_root_is_that_of_the_public_good_instance() -> None:
    root = load_trusted_root(None)
    assert "https://rekor.sigstore.dev" in {log.url for log in root.logs}
    assert any(log.key.kind == "ed25519" for log in root.logs)
    assert len(root.authorities) >= 2
    assert root.certificate_logs
    assert root.timestamp_authorities
    assert load_trusted_root(packaged_trusted_root()) == root


def test_staging_root_with_its_rsa_log_is_read() -> None:
    from importlib.resources import files

    folder = "https%3A%2F%2Ftuf-repo-cdn.sigstage.dev"
    root = load_trusted_root(files("sigstore._store").joinpath(folder, "trusted_root.json").read_bytes())
    assert any(log.key.kind == "rsa" for log in root.certificate_logs)


def test_private_root() -> None:
    root = load_trusted_root(json.dumps(DOCUMENT).encode())
    assert [log.key_id for log in root.logs] == [OWN.log.key_id, OWN.tiled_log.key_id]
    assert [log.key_id for log in root.certificate_logs] == [OWN.certificate_log.key_id]
    assert root.authorities[0].certificates == (OWN.authority.certificate,)
    assert root.timestamp_authorities[0].certificates == OWN.timestamps.chain
    assert len(root.sha256) == 64


def test_windows_hold_both_of_their_ends() -> None:
    second = datetime.timedelta(seconds=1)
    window = Window(AT, AT + second)
    assert [window.holds(AT + number * second) for number in (-1, 0, 1, 2)] == [False, True, True, False]
    assert Window(AT).holds(AT + 10**8 * second)


def test_fractions_of_seconds_are_read() -> None:
    document = copy.deepcopy(DOCUMENT)
    document["tlogs"][0]["publicKey"]["validFor"] = {
        "start": "2021-01-12T11:53:27.5Z", "end": "2022-12-31T23:59:59.999999999Z",
    }  # fmt: skip
    window = load_trusted_root(json.dumps(document).encode()).logs[0].window
    assert window.start.microsecond == 500_000
    assert window.end is not None
    assert window.end.microsecond == 999_999


def _at(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(document: dict[str, Any]) -> None:
        place: Any = document
        for step in path[:-1]:
            place = place[step]
        if value is None:
            del place[path[-1]]
        else:
            place[path[-1]] = value

    return change


_KEY = ("tlogs", 0, "publicKey")
CHANGES = {
    "other media type": _at("mediaType", value="application/vnd.dev.sigstore.bundle.v0.3+json"),
    "no media type": _at("mediaType", value=None),
    "unknown field": _at("tlog", value=[]),
    "misspelt window": _at(*_KEY, "validfor", value={}),
    "no log": _at("tlogs", value=[]),
    "no authority": _at("certificateAuthorities", value=[]),
    "no list": _at("tlogs", value={}),
    "too many": _at("ctlogs", value=[DOCUMENT["ctlogs"][0]] * 101),
    "log given twice": _at("tlogs", value=[DOCUMENT["tlogs"][0]] * 2),
    "no window": _at(*_KEY, "validFor", value=None),
    "no start": _at(*_KEY, "validFor", value={"end": "2030-01-01T00:00:00Z"}),
    "end before start": _at(*_KEY, "validFor", value={"start": "2030-01-01T00:00:00Z", "end": "2029-01-01T00:00:00Z"}),
    "no such day": _at(*_KEY, "validFor", "start", value="2030-02-30T00:00:00Z"),
    "time without a zone": _at(*_KEY, "validFor", "start", value="2030-02-01T00:00:00"),
    "time with a line feed": _at(*_KEY, "validFor", "start", value="2030-02-01T00:00:00Z\n"),
    "other hash": _at("tlogs", 0, "hashAlgorithm", value="SHA2_512"),
    "unknown kind of key": _at(*_KEY, "keyDetails", value="PKIX_RSA_PSS_2048_SHA256"),
    "key of another kind": _at(*_KEY, "keyDetails", value="PKIX_ECDSA_P384_SHA_384"),
    "no key": _at(*_KEY, "rawBytes", value=None),
    "broken key": _at(*_KEY, "rawBytes", value=b64(spki(OWN.certificate_log.key.public_key())[:-1])),
    "no log id": _at("tlogs", 0, "logId", value=None),
    "short checkpoint id": _at("tlogs", 0, "checkpointKeyId", value={"keyId": b64(b"abc")}),
    "no chain": _at("certificateAuthorities", 0, "certChain", value=None),
    "broken certificate": _at("certificateAuthorities", 0, "certChain", "certificates", 0, "rawBytes", value=b64(b"x")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_what_is_not_understood_is_refused(change: Callable[[dict[str, Any]], None]) -> None:
    document = copy.deepcopy(DOCUMENT)
    change(document)
    error = _refused(document)
    assert error.problem.count("the trusted root") == 1
    assert error.expected


@pytest.mark.parametrize("data", [b"", b"[]", b"null", b"{", b'{"tlogs":[],"tlogs":[]}', b"\xff", b"[" * 10_000])
def test_other_bytes_are_refused(data: bytes) -> None:
    _refused(data)


@given(st.binary(max_size=50) | st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps).map(str.encode))
@settings(deadline=None)
def test_any_bytes_are_refused(data: bytes) -> None:
    _refused(data)
