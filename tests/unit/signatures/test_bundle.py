from __future__ import annotations

import contextlib
import copy
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.types import Bundle, Envelope, MessageSignature
from tests.support.signing import signing
from tests.support.signing.signing import text64

KEY = signing.private("ecdsa-p256")
CERTIFICATE = b"leaf"
PEM_CERTIFICATE = f"-----BEGIN CERTIFICATE-----\n{text64(CERTIFICATE)}\n-----END CERTIFICATE-----\n"
BODY = text64(b'{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{}}')
PROOF = {
    "logIndex": "4", "rootHash": text64(b"r" * 32), "treeSize": "9", "hashes": [text64(b"h" * 32)],
    "checkpoint": {"envelope": "log\n9\n"},
}  # fmt: skip
ENTRY = {
    "logIndex": "5", "logId": {"keyId": text64(b"k" * 32)}, "kindVersion": {"kind": "hashedrekord", "version": "0.0.1"},
    "integratedTime": "1700000000", "inclusionPromise": {"signedEntryTimestamp": text64(b"set")},
    "inclusionProof": PROOF, "canonicalizedBody": BODY,
}  # fmt: skip
REKOR = {
    "SignedEntryTimestamp": text64(b"set"),
    "Payload": {"body": BODY, "integratedTime": 1700000000, "logIndex": 5, "logID": "6b" * 32},
}
OLDER = {"base64Signature": text64(b"sig"), "cert": text64(PEM_CERTIFICATE.encode()), "rekorBundle": REKOR}

Change = Callable[[Any], object]


def _message() -> dict[str, Any]:
    return signing.message_bundle(KEY)


def _keyless() -> dict[str, Any]:
    bundle = _message()
    bundle["verificationMaterial"] = {
        "certificate": {"rawBytes": text64(CERTIFICATE)},
        "tlogEntries": [copy.deepcopy(ENTRY)],
        "timestampVerificationData": {"rfc3161Timestamps": [{"signedTimestamp": text64(b"stamp")}]},
    }
    return bundle


def _parse(document: Any) -> Bundle:
    return parse_bundle(document if isinstance(document, bytes) else signing.dump(document), name="a.json")


def _refuse(document: Any, says: str, code: str = "verify.bundle_malformed") -> None:
    with pytest.raises(Refused, match=says) as error:
        _parse(document)
    assert error.value.code == code
    assert error.value.problem.isprintable()
    assert len(error.value.problem) < 400


# --- what is taken ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("media_type", "form"),
    [
        ("application/vnd.dev.sigstore.bundle+json;version=0.1", "sigstore-bundle-v0.1"),
        ("application/vnd.dev.sigstore.bundle+json;version=0.2", "sigstore-bundle-v0.2"),
        ("application/vnd.dev.sigstore.bundle+json;version=0.3", "sigstore-bundle-v0.3"),
        ("application/vnd.dev.sigstore.bundle.v0.3+json", "sigstore-bundle-v0.3"),
    ],
)
def test_media_types(media_type: str, form: str) -> None:
    assert _parse(_message() | {"mediaType": media_type}).format == form


def test_a_bundle_by_a_key() -> None:
    bundle = _parse(_message())
    assert bundle.key_hint == signing.hint(KEY)
    assert (bundle.certificates, bundle.log_entries, bundle.timestamps, bundle.keyless) == ((), (), (), False)
    assert isinstance(bundle.content, MessageSignature)
    assert bundle.content.digest_algorithm == "sha256"
    assert bundle.content.digest == signing.digests(signing.CONTENT)["sha256"]


def test_a_keyless_bundle() -> None:
    bundle = _parse(_keyless())
    assert bundle.certificates == (CERTIFICATE,)
    assert bundle.timestamps == (b"stamp",)
    assert bundle.log_entries == (ENTRY,)
    assert bundle.keyless


def test_an_envelope() -> None:
    content = _parse(signing.envelope_bundle(KEY)).content
    assert isinstance(content, Envelope)
    assert (content.payload, content.payload_type) == (signing.STATEMENT, signing.IN_TOTO)
    assert content.signed == signing.pae(signing.STATEMENT)


def test_certificate_chains() -> None:
    """The certificate method of OpenSSF Model Signing: a v0.3 bundle with a chain and no log."""
    bundle = _message()
    bundle["verificationMaterial"] = {
        "x509CertificateChain": {"certificates": [{"rawBytes": text64(b"leaf")}, {"rawBytes": text64(b"ca")}]},
        "tlogEntries": [],
    }
    assert _parse(bundle).certificates == (b"leaf", b"ca")
    old = _keyless() | {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}
    del old["verificationMaterial"]["certificate"], old["verificationMaterial"]["tlogEntries"][0]["inclusionProof"]
    old["verificationMaterial"]["x509CertificateChain"] = {"certificates": [{"rawBytes": text64(b"leaf")}]}
    assert _parse(old).keyless


def test_defaults_may_be_absent_or_null() -> None:
    """A writer of protojson leaves out what has its default: cosign does for the first entry of a log."""
    bundle = _keyless()
    entry = bundle["verificationMaterial"]["tlogEntries"][0]
    del entry["logIndex"], entry["integratedTime"], entry["inclusionPromise"]
    entry["inclusionProof"] = {"rootHash": text64(b"r"), "treeSize": 1, "logIndex": None, "hashes": None}
    bundle["messageSignature"]["messageDigest"] = None
    bundle["verificationMaterial"]["publicKey"] = None
    bundle["dsseEnvelope"] = None
    found = _parse(bundle)
    assert found.log_entries == (
        {
            "logIndex": "0", "logId": ENTRY["logId"], "kindVersion": ENTRY["kindVersion"], "integratedTime": "0",
            "canonicalizedBody": BODY,
            "inclusionProof": {
                "logIndex": "0", "rootHash": text64(b"r"), "treeSize": "1", "hashes": [],
                "checkpoint": {"envelope": ""},
            },
        },
    )  # fmt: skip
    assert isinstance(found.content, MessageSignature)
    assert found.content.digest is None
    hintless = _message()
    hintless["verificationMaterial"] = {"publicKey": {}}
    assert _parse(hintless).key_hint == ""


def test_integers_are_strings_or_numbers() -> None:
    bundle = _keyless()
    bundle["verificationMaterial"]["tlogEntries"][0]["logIndex"] = 2**63 - 1
    assert _parse(bundle).log_entries[0]["logIndex"] == "9223372036854775807"


def test_cosign_s_older_bundle() -> None:
    bundle = _parse(OLDER)
    assert (bundle.format, bundle.content) == ("cosign-bundle", MessageSignature(b"sig"))
    assert bundle.certificates == (CERTIFICATE,)
    expected = {name: value for name, value in ENTRY.items() if name != "inclusionProof"}
    assert bundle.log_entries == (expected,)
    assert _parse(OLDER | {"cert": PEM_CERTIFICATE}).certificates == (CERTIFICATE,)


def test_a_key_in_a_bundle_is_never_taken() -> None:
    for pem in (signing.pem(KEY), text64(signing.pem(KEY).encode())):
        bundle = _parse({"base64Signature": text64(b"sig"), "cert": pem})
        assert bundle == Bundle(format="cosign-bundle", content=MessageSignature(b"sig"))


@pytest.mark.parametrize("end", [b"", b"\n"])
def test_a_bare_signature(end: bytes) -> None:
    assert _parse(text64(b"sig!").encode() + end) == Bundle(format="cosign-sig", content=MessageSignature(b"sig!"))


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xef\xbb\xbf{}", "neither JSON nor base64"),
        (b"[]", "neither JSON nor base64"),
        (b"c2ln\n\n", "neither JSON nor base64"),
        (b" c2ln", "neither JSON nor base64"),
        (b"c2ln\r\n", "neither JSON nor base64"),
        (b"c2\nln", "neither JSON nor base64"),
        (b"c2lnIQ", "neither JSON nor base64"),
        (b"c2lnIR==", "neither JSON nor base64"),
        (b"-_-_", "neither JSON nor base64"),
        (b"0\x82\x01", "neither JSON nor base64"),
        ("c2l\N{FULLWIDTH LATIN SMALL LETTER N}".encode(), "neither JSON nor base64"),
        (b"A" * 4096, "is no JSON and has 4096 bytes"),
        (b"{", "not JSON"),
        (b"{}", "no mediaType"),
        (b'{"mediaType":null}', "no mediaType"),
        (b'{"mediaType":7}', "wrong value in mediaType"),
        (b'{"payload":"","payloadType":"","signatures":[]}', "no mediaType"),
        (signing.dump(OLDER) + b"{}", "Extra data"),
        (b'{"mediaType":"a","mediaType":"a"}', "twice"),
    ],
)
def test_what_is_no_signature(data: bytes, says: str) -> None:
    _refuse(data, says)


def test_a_gigantic_bundle_is_not_parsed() -> None:
    for data in (b"{" + b" " * (1 << 20), b"A" * (1 << 20) + b"A"):
        _refuse(data, "1048577 bytes", "verify.bundle_too_large")
    large = signing.envelope_bundle(KEY, b'"' + b"x" * (2 << 20) + b'"')
    _refuse(large, "bytes", "verify.bundle_too_large")
    assert parse_bundle(signing.dump(large), name="model.sig", limit=8 << 20).content


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.dev.sigstore.bundle.v0.4+json",
        "application/vnd.dev.sigstore.bundle.v0.1+json",
        "application/vnd.dev.sigstore.bundle+json;version=0.3 ",
        "application/vnd.dev.sigstore.bundle+json; version=0.3",
        "application/VND.dev.sigstore.bundle.v0.3+json",
        "application/json",
        "\x1b[31m::error::" + "x" * 1000,
    ],
)
def test_unknown_media_types(media_type: str) -> None:
    _refuse(_message() | {"mediaType": media_type}, "has the mediaType")


@pytest.mark.parametrize(
    "broken",
    [
        {"mediaType": signing.V03, **OLDER},
        {"mediaType": "application/vnd.dev.sigstore.bundle.v9+json", **OLDER},
        {"mediaType": "", **OLDER},
    ],
)
def test_a_broken_bundle_is_not_read_as_an_older_format(broken: dict[str, Any]) -> None:
    """Downgrade: cosign tries the format without digest and log when the newer one does not parse."""
    _refuse(broken, "unknown field|mediaType")


def _set(*path: str | int, value: Any) -> Change:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


def _drop(*path: str | int) -> Change:
    def change(document: Any) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


M, V, E = "messageSignature", "verificationMaterial", "tlogEntries"
ENVELOPE = signing.envelope_bundle(KEY)["dsseEnvelope"]
CHAIN = {"certificates": [{"rawBytes": "AAAA"}]}


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_drop(M), "no signature"),
        (_set("dsseEnvelope", value=ENVELOPE), "both messageSignature and dsseEnvelope"),
        (_set("extra", value=1), "unknown field 'extra' in its top level"),
        (_set("media_type", value=signing.V03), "unknown field 'media_type'"),
        (_set(V, "extra", value=1), "unknown field"),
        (_set(V, "certificate", "extra", value=None), "unknown field"),
        (_set(V, E, 0, "extra", value=1), r"unknown field 'extra' in verificationMaterial.tlogEntries\[0\]"),
        (_set(V, E, 0, "inclusionProof", "log_index", value=1), "unknown field"),
        (_set(M, "messageDigest", "extra", value=1), "unknown field"),
        (_drop(V), "has nothing to verify it with"),
        (_set(V, value=None), "has nothing to verify it with"),
        (_set(V, value=[]), "wrong value in verificationMaterial"),
        (_drop(V, "certificate"), "has nothing to verify it with"),
        (_set(V, "publicKey", value={"hint": "x"}), "publicKey and certificate"),
        (_set(V, "x509CertificateChain", value=CHAIN), "x509CertificateChain and certificate|certificate chain"),
        (_set(V, "certificate", "rawBytes", value=""), "certificate.rawBytes"),
        (_set(V, "certificate", value={}), "certificate.rawBytes"),
        (_set(V, "certificate", "rawBytes", value="AAA"), "certificate.rawBytes"),
        (_set(V, "certificate", "rawBytes", value="AB=="), "certificate.rawBytes"),
        (_set(V, "certificate", "rawBytes", value="-_-_"), "certificate.rawBytes"),
        (_set(V, "certificate", "rawBytes", value="AA\nAA"), "certificate.rawBytes"),
        (_set(V, "certificate", "rawBytes", value=["AAAA"]), "certificate.rawBytes"),
        (_set(M, "signature", value=""), "messageSignature.signature"),
        (_drop(M, "signature"), "messageSignature.signature"),
        (_set(M, "signature", value=7), "messageSignature.signature"),
        (_set(M, "messageDigest", "algorithm", value="SHA1"), "messageDigest.algorithm"),
        (_set(M, "messageDigest", "algorithm", value="MD5"), "messageDigest.algorithm"),
        (_set(M, "messageDigest", "algorithm", value="SHA3_256"), "messageDigest.algorithm"),
        (_set(M, "messageDigest", "algorithm", value="sha256"), "messageDigest.algorithm"),
        (_set(M, "messageDigest", "algorithm", value=1), "messageDigest.algorithm"),
        (_drop(M, "messageDigest", "algorithm"), "messageDigest.algorithm"),
        (_set(M, "messageDigest", "algorithm", value="SHA2_384"), "messageDigest.digest"),
        (_drop(M, "messageDigest", "digest"), "messageDigest.digest"),
        (_set(M, "messageDigest", value="x"), "messageDigest"),
        (_set(V, E, value={}), "tlogEntries"),
        (_set(V, E, value=[ENTRY] * 33), "33 members in verificationMaterial.tlogEntries"),
        (_set(V, E, 0, value="x"), r"tlogEntries\[0\]"),
        (_set(V, E, 0, "logIndex", value="-1"), "logIndex"),
        (_set(V, E, 0, "logIndex", value=-1), "logIndex"),
        (_set(V, E, 0, "logIndex", value="01"), "logIndex"),
        (_set(V, E, 0, "logIndex", value="1 "), "logIndex"),
        (_set(V, E, 0, "logIndex", value="1\n"), "logIndex"),
        (_set(V, E, 0, "logIndex", value="\N{ARABIC-INDIC DIGIT ONE}"), "logIndex"),
        (_set(V, E, 0, "logIndex", value=1.0), "logIndex"),
        (_set(V, E, 0, "logIndex", value=True), "logIndex"),
        (_set(V, E, 0, "logIndex", value=2**63), "logIndex"),
        (_set(V, E, 0, "logIndex", value="9223372036854775808"), "logIndex"),
        (_set(V, E, 0, "integratedTime", value="1e3"), "integratedTime"),
        (_set(V, E, 0, "logId", value={}), "logId.keyId"),
        (_set(V, E, 0, "canonicalizedBody", value=""), "canonicalizedBody"),
        (_set(V, E, 0, "inclusionPromise", value={}), "signedEntryTimestamp"),
        (_set(V, E, 0, "inclusionProof", "rootHash", value=""), "rootHash"),
        (_set(V, E, 0, "inclusionProof", "hashes", value=["A"]), "hashes"),
        (_set(V, E, 0, "inclusionProof", "hashes", value=[7]), "hashes"),
        (_set(V, E, 0, "inclusionProof", "hashes", value=["AAAA"] * 65), "65 members"),
        (_drop(V, E, 0, "inclusionProof"), "log entry without inclusionProof"),
        (_set(V, "timestampVerificationData", "rfc3161Timestamps", value=[{"signedTimestamp": "AAAA"}] * 33), "33"),
        (_set(V, "timestampVerificationData", "rfc3161Timestamps", value=[{}]), "signedTimestamp"),
    ],
)
def test_what_a_bundle_may_not_hold(change: Change, says: str) -> None:
    bundle = _keyless()
    change(bundle)
    _refuse(bundle, says)


def test_v01_needs_a_promise_and_v03_no_chain() -> None:
    bundle = _keyless() | {"mediaType": "application/vnd.dev.sigstore.bundle+json;version=0.1"}
    del bundle[V][E][0]["inclusionPromise"]
    _refuse(bundle, "log entry without inclusionPromise")
    bundle = _keyless()
    del bundle[V]["certificate"]
    bundle[V]["x509CertificateChain"] = CHAIN
    _refuse(bundle, "a certificate chain and a log entry")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("signatures", value=[]), "no signature in its envelope"),
        (_set("signatures", value=None), "no signature in its envelope"),
        (_set("signatures", value=[{"sig": "AAAA"}, {"sig": "AAAA"}]), "2 members in dsseEnvelope.signatures"),
        (_set("signatures", value=[{}]), "sig"),
        (_set("signatures", value=[{"sig": "AAAA", "cert": "x"}]), "unknown field 'cert'"),
        (_set("signatures", value=[{"sig": "AAAA", "keyid": 7}]), "keyid"),
        (_set("payload", value="e30"), "payload"),
        (_set("payload", value="e31="), "payload"),
        (_set("payloadType", value=""), "payloadType"),
        (_drop("payloadType"), "payloadType"),
        (_set("payload_type", value="x"), "unknown field"),
    ],
)
def test_what_an_envelope_may_not_hold(change: Change, says: str) -> None:
    bundle = signing.envelope_bundle(KEY)
    change(bundle["dsseEnvelope"])
    _refuse(bundle, says)


def test_a_chain_has_a_leaf_and_an_end() -> None:
    bundle = _message()
    for certificates, says in (([], "certificates"), ([{"rawBytes": "AAAA"}] * 11, "11 members"), ([{}], "rawBytes")):
        bundle[V] = {"x509CertificateChain": {"certificates": certificates}}
        _refuse(bundle, says)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (_set("base64Signature", value=""), "base64Signature"),
        (_set("base64Signature", value="AB=="), "base64Signature"),
        (_set("Base64Signature", value="AAAA"), "unknown field 'Base64Signature'"),
        (_set("extra", value=1), "unknown field"),
        (_set("cert", value="x"), "wrong value in cert"),
        (_set("cert", value=PEM_CERTIFICATE * 2), "wrong value in cert"),
        (_set("cert", value=signing.private_pem(KEY).decode()), "wrong value in cert"),
        (_set("rekorBundle", value=[]), "rekorBundle"),
        (_set("rekorBundle", value={}), "SignedEntryTimestamp|body"),
        (_set("rekorBundle", "SignedEntryTimestamp", value=""), "SignedEntryTimestamp"),
        (_set("rekorBundle", "Payload", "body", value={"kind": "x"}), "body"),
        (_set("rekorBundle", "Payload", "body", value=text64(b"x")), "log entry of .* not JSON"),
        (_set("rekorBundle", "Payload", "body", value=text64(b"[]")), "kind and apiVersion|body"),
        (_set("rekorBundle", "Payload", "body", value=text64(b'{"kind":"a","kind":"b"}')), "twice"),
        (_set("rekorBundle", "Payload", "logID", value="6B" * 32), "logID"),
        (_set("rekorBundle", "Payload", "logID", value="6b 6b"), "logID"),
        (_set("rekorBundle", "Payload", "logID", value=""), "logID"),
        (_set("rekorBundle", "Payload", "logIndex", value=-1), "logIndex"),
    ],
)
def test_what_an_older_bundle_may_not_hold(change: Change, says: str) -> None:
    bundle = copy.deepcopy(OLDER)
    change(bundle)
    _refuse(bundle, says)


def test_a_hostile_name_is_escaped() -> None:
    with pytest.raises(Refused) as error:
        parse_bundle(b"{}", name="\n::set-output name=x::\u202e" + "y" * 1000)
    assert error.value.problem.isascii()
    assert error.value.problem.isprintable()


# --- every byte, and anything at all ----------------------------------------------------------------------------------


@pytest.mark.parametrize("document", [_message(), _keyless(), signing.envelope_bundle(KEY), OLDER])
def test_a_cut_off_bundle_is_refused(document: dict[str, Any]) -> None:
    data = signing.dump(document)
    for end in range(len(data)):
        with pytest.raises(Refused):
            parse_bundle(data[:end], name="n")


@pytest.mark.parametrize("document", [_message(), _keyless(), signing.envelope_bundle(KEY), OLDER])
@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_a_changed_byte_is_refused_or_read(document: dict[str, Any], flip: int) -> None:
    data = signing.dump(document)
    for at in range(len(data)):
        with contextlib.suppress(Refused):
            parse_bundle(data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :], name="n")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5).map(text64),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


def _places(value: Any, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [path] if path else []
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inner in items:
        found += _places(inner, (*path, name))
    return found


@given(st.sampled_from([_message(), _keyless(), signing.envelope_bundle(KEY), OLDER]), st.data())
def test_any_value_in_any_place_is_refused_or_read(document: dict[str, Any], data: st.DataObject) -> None:
    changed = json.loads(json.dumps(document))
    place = data.draw(st.sampled_from(_places(changed)))
    with contextlib.suppress(KeyError, IndexError, TypeError):
        _set(*place, value=data.draw(JSON))(changed)
    with contextlib.suppress(Refused):
        bundle = _parse(changed)
        assert all(isinstance(item, bytes) for item in (*bundle.certificates, *bundle.timestamps))


@given(st.binary(max_size=200))
def test_anything_at_all(data: bytes) -> None:
    with contextlib.suppress(Refused):
        parse_bundle(data, name="n")
