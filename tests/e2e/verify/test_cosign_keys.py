"""Signatures by keys between this package and the real cosign, in both directions, and agreement on broken ones."""

from __future__ import annotations

import base64
import copy
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa, utils

from aegis.core.errors import AegisError
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.keys import sign as sign_key
from aegis.signatures.keys.public import load_public_key
from aegis.signatures.types import KeySigner, Trust
from aegis.signatures.verify import needed_digests, verify_envelopes, verify_message
from tests.support.programs.cosign import Cosign
from tests.support.signing import signing

PREDICATE_TYPE = "https://example.com/test/v1"
STATEMENT = json.dumps(
    {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model.bin", "digest": {"sha256": hashlib.sha256(signing.CONTENT).hexdigest()}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {"a": 1},
    }
).encode()
P256 = "ecdsa-p256"


@dataclass(frozen=True)
class Workshop:
    cosign: Cosign
    file: Path

    def private(self, kind: str) -> Path:
        made = self.cosign.folder / f"{kind}.key"
        return made if made.exists() else self.cosign.import_key(signing.private_pem(_key(kind)), kind)

    def public(self, kind: str) -> Path:
        path = self.cosign.folder / f"{kind}.public"
        path.write_text(signing.pem(_key(kind)))
        return path

    def path(self, data: bytes) -> Path:
        path = self.cosign.folder / f"signature-{hashlib.sha256(data).hexdigest()[:16]}"
        path.write_bytes(data)
        return path

    def cosign_takes(self, data: bytes, kind: str = P256, flag: str = "--bundle") -> bool:
        return self.cosign.accepts(self.public(kind), self.file, self.path(data), flag=flag)

    def cosign_takes_attestation(self, data: bytes, kind: str = P256) -> bool:
        return self.cosign.accepts_attestation(self.public(kind), self.file, self.path(data), PREDICATE_TYPE)


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("cosign")
    file = folder / "model.bin"
    file.write_bytes(signing.CONTENT)
    (folder / "statement.json").write_bytes(STATEMENT)
    return Workshop(Cosign.within(folder), file)


KINDS = [*signing.KINDS, "rsa-3072", "rsa-4096"]


def _key(kind: str) -> signing.Private:
    if kind not in LARGE_RSA and kind.startswith("rsa-"):
        LARGE_RSA[kind] = rsa.generate_private_key(65537, int(kind[4:]))
    return LARGE_RSA[kind] if kind in LARGE_RSA else signing.private(kind)


LARGE_RSA: dict[str, rsa.RSAPrivateKey] = {}


def _we_take(data: bytes, kind: str = P256, *, attestation: bool = False) -> bool:
    trust = Trust(signers=(KeySigner("k", load_public_key(signing.pem(_key(kind)), name="k")),), now=signing.NOW)
    try:
        bundle = parse_bundle(data, name="b")
        if attestation:
            verify_envelopes([bundle], trust)
        else:
            digests = {name: hashlib.new(name, signing.CONTENT).digest() for name in needed_digests([bundle], trust)}
            verify_message([bundle], digests, trust, signing.CONTENT)
    except AegisError:
        return False
    return True


# --- both directions --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_we_take_what_cosign_signs(workshop: Workshop, kind: str) -> None:
    key = workshop.private(kind)
    bare, older = workshop.cosign.sign_older(key, workshop.file)
    for data in (workshop.cosign.sign(key, workshop.file), bare, bare + b"\n", older):
        assert _we_take(data, kind)


NO_ED25519_ENVELOPE = (
    "cosign 3.1.3 attests with Ed25519ph (cmd/cosign/cli/options/key.go), which its own verifier does not take; "
    "RFC 8032 5.1 and Sigstore's algorithm registry have it as another algorithm than Ed25519"
)


@pytest.mark.parametrize("kind", KINDS)
def test_we_take_what_cosign_attests(workshop: Workshop, kind: str) -> None:
    data = workshop.cosign.attest(workshop.private(kind), workshop.cosign.folder / "statement.json")
    if kind == "ed25519":
        assert not workshop.cosign_takes_attestation(data, kind), NO_ED25519_ENVELOPE
        assert not _we_take(data, kind, attestation=True), NO_ED25519_ENVELOPE
    else:
        assert _we_take(data, kind, attestation=True)


def test_a_pair_that_cosign_made(workshop: Workshop, tmp_path: Path) -> None:
    cosign = Cosign.within(tmp_path)
    cosign.run("generate-key-pair")
    data = cosign.sign(tmp_path / "cosign.key", workshop.file)
    public = (tmp_path / "cosign.pub").read_text()
    for text in (public, base64.b64encode(public.encode()).decode()):
        trust = Trust(signers=(KeySigner("k", load_public_key(text, name="k")),), now=signing.NOW)
        assert verify_message([parse_bundle(data, name="b")], signing.digests(signing.CONTENT), trust)


BUNDLES_OF_OTHER_KEYS = (
    "Sigstore's algorithm registry pairs P-384 with SHA-384, P-521 with SHA-512 and has Ed25519 over the content; "
    "verify-blob 3.1.3 hashes with SHA-256 for every key unless told otherwise, and so refuses what cosign signed"
)


@pytest.mark.parametrize("kind", KINDS)
def test_cosign_takes_what_we_sign(workshop: Workshop, kind: str) -> None:
    key = sign_key.load_private_key(signing.private_pem(_key(kind)), name="k")
    digests = signing.digests(signing.CONTENT)
    bundle = sign_key.sign_file(key, digests, signing.CONTENT)
    bare = sign_key.detached(key, digests, signing.CONTENT)
    attestation = sign_key.sign_statement(key, STATEMENT, payload_type=signing.IN_TOTO)
    if kind in {"ecdsa-p384", "ecdsa-p521", "ed25519"}:
        own = workshop.cosign.sign(workshop.private(kind), workshop.file)
        assert not workshop.cosign_takes(own, kind), BUNDLES_OF_OTHER_KEYS
        assert not workshop.cosign_takes(bundle, kind), BUNDLES_OF_OTHER_KEYS
    else:
        assert workshop.cosign_takes(bundle, kind)
        assert workshop.cosign_takes_attestation(attestation, kind)
    if kind in {"ecdsa-p384", "ecdsa-p521"}:
        size = kind[7:].replace("521", "512")
        assert workshop.cosign.tried(
            "verify-blob", "--key", workshop.public(kind), "--signature", workshop.path(bare),
            "--signature-digest-algorithm", f"sha{size}", "--insecure-ignore-tlog", workshop.file,
        ).returncode == 0  # fmt: skip
    else:
        assert workshop.cosign_takes(bare, kind, "--signature")


# --- agreement --------------------------------------------------------------------------------------------------------

Change = Callable[[dict[str, Any]], object]
M, V = "messageSignature", "verificationMaterial"
ENVELOPE = signing.envelope_bundle(signing.private(P256), STATEMENT)["dsseEnvelope"]
BASE = next(
    bundle
    for bundle in iter(lambda: signing.message_bundle(signing.private(P256)), None)
    if {"+", "/"}
    & set(bundle[M]["signature"])  # one signature in twenty has none of what the two alphabets spell apart
)
SIGNATURE = base64.b64decode(BASE[M]["signature"])
SHA384 = {"algorithm": "SHA2_384", "digest": signing.text64(signing.digests(signing.CONTENT)["sha384"])}
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def _other_half(signature: bytes) -> bytes:
    """ECDSA holds for -s as well: another signature over the same content, by whoever has seen one."""
    r, s = utils.decode_dss_signature(signature)
    return utils.encode_dss_signature(r, _ORDER - s)


def _put(*path: str, value: Any) -> Change:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        document[path[-1]] = value

    return change


def _drop(*path: str) -> Change:
    def change(document: dict[str, Any]) -> None:
        for step in path[:-1]:
            document = document[step]
        del document[path[-1]]

    return change


@dataclass(frozen=True)
class Stricter:
    """cosign takes it, and we do not, because of what a specification says."""

    specification: str


AGREED = None
PROTOJSON = Stricter(
    "protobuf.dev/programming-guides/json: serializers write lowerCamelCase names, enum names, and standard base64 "
    "with padding; parsers may take more. RFC 4648 3.5 lets them refuse what is not canonical: one bundle, one spelling"
)
ALGORITHM = Stricter(
    "sigstore/architecture-docs algorithm-registry.md: P-256 goes with SHA-256. A label for another hash is wrong, "
    "though the digest beside it is right"
)
I_JSON = Stricter(
    "RFC 7493 2.3 and RFC 8259 4: names in an object are unique, readers differ in which of two they take"
)
LOCAL_SIGNED_PAYLOAD = Stricter(
    "cosign pkg/cosign/fetch.go: LocalSignedPayload has base64Signature, cert and rekorBundle; Go's encoding/json "
    "ignores other names, and case (RFC 8259 8.3 compares them code unit by code unit)"
)
SIG_FILE = Stricter(
    "cosign cmd/cosign/cli/sign/sign_blob.go writes base64 of the signature (RFC 4648 4) without anything around it; "
    "raw bytes and other line ends are what others write, and give one signature many spellings"
)
KEYID = (
    "github.com/secure-systems-lab/dsse/blob/master/protocol.md: KEYID is an optional, unauthenticated hint, which "
    "must not be used for security decisions"
)

CHANGES: dict[str, Change] = {
    "as it was": lambda document: None,
    "hint of another key": _put(V, "publicKey", "hint", value=signing.hint(signing.private(P256, 1))),
    "no hint": _put(V, "publicKey", value={}),
    "hint is null": _put(V, "publicKey", "hint", value=None),
    "empty lists": lambda document: document[V].update({"tlogEntries": [], "timestampVerificationData": {}}),
    "null fields": lambda document: document.update({"dsseEnvelope": None}),
    "version in a parameter": _put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.3"),
    "version 0.2": _put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.2"),
    "version 0.1": _put("mediaType", value="application/vnd.dev.sigstore.bundle+json;version=0.1"),
    "version 0.4": _put("mediaType", value="application/vnd.dev.sigstore.bundle.v0.4+json"),
    "no media type": _drop("mediaType"),
    "media type of something else": _put("mediaType", value="application/json"),
    "no signature": _drop(M),
    "no material": _drop(V),
    "empty material": _put(V, value={}),
    "two contents": _put("dsseEnvelope", value=ENVELOPE),
    "two materials": _put(V, "certificate", value={"rawBytes": "AAAA"}),
    "a certificate for a key": _put(V, value={"certificate": {"rawBytes": "AAAA"}}),
    "unknown field": _put("extra", value=1),
    "unknown field inside": _put(M, "extra", value=1),
    "signature of another file": _put(
        M, "signature", value=signing.text64(signing.sign(signing.private(P256), b"other"))
    ),
    "signature by another key": _put(
        M, "signature", value=signing.text64(signing.sign(signing.private(P256, 1), signing.CONTENT))
    ),
    "first byte changed": _put(M, "signature", value=signing.text64(b"1" + SIGNATURE[1:])),
    "last byte changed": _put(M, "signature", value=signing.text64(SIGNATURE[:-1] + bytes([SIGNATURE[-1] ^ 1]))),
    "byte added": _put(M, "signature", value=signing.text64(SIGNATURE + b"\0")),
    "byte missing": _put(M, "signature", value=signing.text64(SIGNATURE[:-1])),
    "the other half": _put(M, "signature", value=signing.text64(_other_half(SIGNATURE))),
    "no bytes": _put(M, "signature", value=""),
    "signature is null": _put(M, "signature", value=None),
    "signature is a number": _put(M, "signature", value=7),
    "unknown algorithm": _put(M, "messageDigest", "algorithm", value="SHA1"),
    "digest cut off": _put(M, "messageDigest", "digest", value="AAAA"),
    # Where we refuse more.
    "name of the .proto file": lambda document: document.update({"media_type": document.pop("mediaType")}),
    "algorithm by number": _put(M, "messageDigest", "algorithm", value=1),
    "URL-safe base64": lambda document: document[M].update(
        {"signature": document[M]["signature"].replace("+", "-").replace("/", "_")}
    ),
    "no padding": lambda document: (
        document[V]["publicKey"].update({"hint": "x"})
        or document[M]["messageDigest"].update({"digest": document[M]["messageDigest"]["digest"].rstrip("=")})
    ),
    "digest of another file": _put(
        M, "messageDigest", "digest", value=signing.text64(signing.digests(b"other")["sha256"])
    ),
    "label of another hash": _put(M, "messageDigest", "algorithm", value="SHA2_512"),
    "digest by another hash": _put(M, "messageDigest", value=SHA384),
}
EXCEPTIONS = {
    "name of the .proto file": PROTOJSON,
    "algorithm by number": PROTOJSON,
    "URL-safe base64": PROTOJSON,
    "no padding": PROTOJSON,
    "digest by another hash": ALGORITHM,
}


def _compare(cosign: bool, ours: bool, exception: Stricter | None) -> None:
    if exception is None:
        assert ours == cosign
    else:
        assert (cosign, ours) == (True, False), exception.specification


@pytest.mark.parametrize("case", CHANGES)
def test_agreement_on_bundles(workshop: Workshop, case: str) -> None:
    document = copy.deepcopy(BASE)
    CHANGES[case](document)
    data = signing.dump(document)
    _compare(workshop.cosign_takes(data), _we_take(data), EXCEPTIONS.get(case))


TEXT = signing.dump(BASE)
HINT = signing.hint(signing.private(P256)).encode()


@pytest.mark.parametrize(
    ("data", "exception"),
    [
        (json.dumps(BASE, indent=2).encode(), AGREED),
        (b"\r\n\t " + TEXT + b"\n\n", AGREED),
        (json.dumps(BASE).replace("m", "\\u006d").encode(), AGREED),
        (TEXT.replace(HINT, b"\\ud83d\\ude00"), AGREED),
        (TEXT.replace(HINT, b"\\ud83d"), AGREED),
        (TEXT.replace(HINT, b"\xff"), AGREED),
        (TEXT + TEXT, AGREED),
        (TEXT + b"x", AGREED),
        (TEXT + b"\0", AGREED),
        (b"\xef\xbb\xbf" + TEXT, AGREED),
        (TEXT.decode().encode("utf-16"), AGREED),
        (TEXT[:-1], AGREED),
        (TEXT[:-1] + b",}", AGREED),
        (TEXT[:-1] + b',"mediaType":"' + signing.V03.encode() + b'"}', AGREED),
        (TEXT.replace(b'{"hint"', b'{"hint":"a","hint"'), AGREED),
        (TEXT.replace(HINT, b"\n"), AGREED),
        (b"[" + TEXT + b"]", AGREED),
        (b"[" * 100 + b"]" * 100, AGREED),
        (b"", AGREED),
        (b"{}", AGREED),
        (b"null", AGREED),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, bytes) else None,
)
def test_agreement_on_json(workshop: Workshop, data: bytes, exception: Stricter | None) -> None:
    _compare(workshop.cosign_takes(data), _we_take(data), exception)


BARE = signing.text64(SIGNATURE)
LATER = signing.text64(signing.sign(signing.private(P256), b"other"))


@pytest.mark.parametrize(
    ("data", "exception"),
    [
        (signing.dump({"base64Signature": BARE}), AGREED),
        (signing.dump({"base64Signature": BARE, "cert": None, "rekorBundle": None}), AGREED),
        (signing.dump({"base64Signature": BARE, "cert": ""}), AGREED),
        (signing.dump({"base64Signature": LATER}), AGREED),
        (signing.dump({"base64Signature": ""}), AGREED),
        (signing.dump({"base64Signature": BARE[:-4]}), AGREED),
        (signing.dump({"base64Signature": 7}), AGREED),
        (signing.dump({"base64Signature": BARE, "cert": "x"}), AGREED),
        (signing.dump({"base64Signature": BARE, "extra": 1}), LOCAL_SIGNED_PAYLOAD),
        (signing.dump({"BASE64signature": BARE}), LOCAL_SIGNED_PAYLOAD),
        (signing.dump({"base64Signature": LATER, "BASE64SIGNATURE": BARE}), LOCAL_SIGNED_PAYLOAD),
        (signing.dump({"mediaType": signing.V03, "base64Signature": BARE}), LOCAL_SIGNED_PAYLOAD),
        (f'{{"base64Signature":"{LATER}","base64Signature":"{BARE}"}}'.encode(), I_JSON),
        (f'{{"base64Signature":"{BARE}","cert":"\\ud800"}}'.encode(), AGREED),
    ],
    ids=lambda value: "data" if isinstance(value, bytes) else None,  # bytes differ from run to run
)
def test_agreement_on_older_bundles(workshop: Workshop, data: bytes, exception: Stricter | None) -> None:
    _compare(workshop.cosign_takes(data), _we_take(data), exception)


@pytest.mark.parametrize(
    ("data", "exception"),
    [
        (BARE.encode(), AGREED),
        (BARE.encode() + b"\n", AGREED),
        (LATER.encode(), AGREED),
        (BARE.encode()[:-4], AGREED),
        (BARE.encode() + b"AAAA", AGREED),
        (b"x", AGREED),
        (b"QUJD", AGREED),
        (BARE.encode() + b"\n\n", SIG_FILE),
        (BARE.encode() + b"\r\n", SIG_FILE),
        (BARE[:20].encode() + b"\n" + BARE[20:].encode(), SIG_FILE),
        (SIGNATURE, SIG_FILE),
        (signing.text64(_other_half(SIGNATURE)).encode(), AGREED),
    ],
    ids=lambda value: "data" if isinstance(value, bytes) else None,  # bytes differ from run to run
)
def test_agreement_on_bare_signatures(workshop: Workshop, data: bytes, exception: Stricter | None) -> None:
    _compare(workshop.cosign_takes(data, flag="--signature"), _we_take(data), exception)


def _signature(**fields: Any) -> Change:
    return lambda envelope: envelope["signatures"][0].update(fields)


ATTESTATIONS: dict[str, Change] = {
    "as it was": lambda envelope: None,
    "other payload": lambda envelope: envelope.update({"payload": signing.text64(STATEMENT + b" ")}),
    "other type": lambda envelope: envelope.update({"payloadType": "application/vnd.in-toto.v1+json"}),
    "no type": lambda envelope: envelope.pop("payloadType"),
    "no payload": lambda envelope: envelope.pop("payload"),
    "no signatures": lambda envelope: envelope.update({"signatures": []}),
    "two signatures": lambda envelope: envelope["signatures"].append(envelope["signatures"][0]),
    "a wrong one and a good one": lambda envelope: envelope["signatures"].insert(0, {"sig": "AAAA"}),
    "empty keyid": _signature(keyid=""),
    "signature of the payload alone": _signature(sig=signing.text64(signing.sign(signing.private(P256), STATEMENT))),
    "signature by another key": _signature(
        sig=signing.text64(signing.sign(signing.private(P256, 1), signing.pae(STATEMENT)))
    ),
    "unknown field": lambda envelope: envelope.update({"extra": 1}),
    "unknown field of a signature": _signature(cert="x"),
}


@pytest.mark.parametrize("case", ATTESTATIONS)
def test_agreement_on_attestations(workshop: Workshop, case: str) -> None:
    document = signing.envelope_bundle(signing.private(P256), STATEMENT)
    ATTESTATIONS[case](document["dsseEnvelope"])
    data = signing.dump(document)
    _compare(workshop.cosign_takes_attestation(data), _we_take(data, attestation=True), AGREED)


def test_a_keyid_is_a_hint(workshop: Workshop) -> None:
    document = signing.envelope_bundle(signing.private(P256), STATEMENT)
    document["dsseEnvelope"]["signatures"][0]["keyid"] = "elsewhere"
    data = signing.dump(document)
    assert not workshop.cosign_takes_attestation(data), KEYID
    assert _we_take(data, attestation=True), KEYID
