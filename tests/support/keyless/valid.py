"""What must be accepted: each kind of bundle, and what is right at the edge."""

from __future__ import annotations

import datetime
import hashlib

from cryptography.hazmat.primitives.asymmetric import ec

from aegis.signatures.types import IdentitySigner
from tests.doubles.sigstore.authority import YEAR
from tests.doubles.sigstore.entries import Signature, body
from tests.doubles.sigstore.log import Log
from tests.doubles.sigstore.signer import AT, ISSUER, V01, V02, PrivateSigstore
from tests.doubles.sigstore.timestamp import TimestampAuthority
from tests.doubles.sigstore.trusted_root import Window
from tests.support.keyless.case import CONTENT, STATEMENT, Cases, Made, entry_of, signature_of

VALID = Cases()
case = VALID
_UNTIL_NOW = Window(AT - YEAR, AT)
_FROM_NOW = Window(AT, AT + YEAR)


@case()
def rekor_v1() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT), own)


@case()
def rekor_v1_and_timestamp() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, stamped=True), own)


@case()
def rekor_v1_with_timestamp_in_place_of_promise() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, stamped=True, promise=False), own)


@case()
def rekor_v2() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case()
def attestation_dsse() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_statement(STATEMENT), own, content=None)


@case()
def attestation_intoto() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_statement(STATEMENT, kind="intoto"), own, content=None)


@case()
def attestation_rekor_v2() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_statement(STATEMENT, kind="hashedrekord-v2"), own, content=None)


@case()
def version_01_with_promise_only() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, media_type=V01, proof=False), own)


@case()
def version_01_with_proof() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, media_type=V01), own)


@case()
def version_02() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, media_type=V02), own)


@case()
def version_03_in_its_other_spelling() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    bundle["mediaType"] = "application/vnd.dev.sigstore.bundle+json;version=0.3"
    return Made(bundle, own)


@case()
def cosign_bundle_of_old() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_older(CONTENT), own)


@case()
def first_entry_of_a_log_with_defaults_left_out() -> Made:
    """protojson leaves out the index 0 and the empty list of hashes."""
    own = PrivateSigstore(history=0)
    bundle = own.sign_file(CONTENT)
    entry = entry_of(bundle)
    del entry["logIndex"], entry["inclusionProof"]["logIndex"], entry["inclusionProof"]["hashes"]
    return Made(bundle, own)


@case()
def no_digest_in_the_bundle() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    del bundle["messageSignature"]["messageDigest"]
    return Made(bundle, own)


@case()
def intermediate_authority() -> Made:
    own = PrivateSigstore(intermediate=True)
    return Made(own.sign_file(CONTENT), own)


@case()
def mail_address() -> Made:
    own = PrivateSigstore()
    request = own.request(identity="dev@example.org", issuer="https://accounts.example.org", email=True)
    signer = IdentitySigner(identity="dev@example.org", issuer="https://accounts.example.org")
    return Made(own.sign_file(CONTENT, request=request), own, signer)


@case()
def pattern_and_claims() -> Made:
    own = PrivateSigstore()
    signer = IdentitySigner(
        pattern=r"^https://github\.com/org/models/\.github/workflows/release\.yml@refs/heads/[a-z]+$",
        issuer=ISSUER,
        claims={"repository-id": "700000001", "owner-id": "400000001", "ref": "refs/heads/main", "trigger": "push"},
        deny_self_hosted=True,
    )
    return Made(own.sign_file(CONTENT), own, signer)


@case()
def issuer_only_in_its_old_extension() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, request=own.request(only_raw_issuer=True)), own)


@case()
def last_second_of_the_certificate() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_file(CONTENT, at=AT + datetime.timedelta(minutes=10)), own)


@case()
def authority_in_its_last_second() -> Made:
    own = PrivateSigstore()
    own.root.authorities = [(chain, _UNTIL_NOW) for chain, _ in own.root.authorities]
    return Made(own.sign_file(CONTENT), own)


@case()
def authority_in_its_first_second() -> Made:
    own = PrivateSigstore()
    own.root.authorities = [(chain, _FROM_NOW) for chain, _ in own.root.authorities]
    return Made(own.sign_file(CONTENT), own)


@case()
def log_in_its_last_second() -> Made:
    own = PrivateSigstore()
    own.root.logs = [(log, _UNTIL_NOW) for log, _ in own.root.logs]
    return Made(own.sign_file(CONTENT), own)


@case()
def tiled_log_in_its_first_second() -> Made:
    own = PrivateSigstore()
    own.root.logs = [(log, _FROM_NOW) for log, _ in own.root.logs]
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case()
def certificate_log_in_its_last_second() -> Made:
    own = PrivateSigstore()
    own.root.certificate_logs = [(own.certificate_log, _UNTIL_NOW)]
    return Made(own.sign_file(CONTENT), own)


@case()
def timestamp_authority_in_its_last_second() -> Made:
    own = PrivateSigstore()
    own.root.timestamp_authorities = [(own.timestamps, _UNTIL_NOW)]
    return Made(own.sign_file(CONTENT, kind="hashedrekord-v2"), own)


@case()
def retired_authority_beside_the_current_one() -> Made:
    own = PrivateSigstore()
    other = PrivateSigstore()
    own.root.authorities.insert(0, ((other.authority.certificate,), Window(AT - YEAR, AT - YEAR / 2)))
    own.root.logs.insert(0, (other.log, Window(AT - YEAR, AT - YEAR / 2)))
    return Made(own.sign_file(CONTENT), own)


@case()
def two_timestamp_authorities() -> Made:
    own = PrivateSigstore()
    second = TimestampAuthority(AT, name="second")
    own.root.timestamp_authorities.append((second, Window(AT - YEAR)))
    bundle = own.sign_file(CONTENT, kind="hashedrekord-v2")
    return Made(own.stamp(bundle, *(each.stamp(signature_of(bundle), AT) for each in (own.timestamps, second))), own)


@case()
def timestamp_of_a_stranger_beside_a_promise() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_file(CONTENT)
    return Made(own.stamp(bundle, TimestampAuthority(AT, name="stranger").stamp(signature_of(bundle), AT)), own)


@case()
def entry_of_a_strangers_log_beside_a_known_one() -> Made:
    own = PrivateSigstore()
    own.log = Log("stranger.test", tiled=False)
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own.certificate(key)
    # The same key and signature in both logs.
    bundle = own.sign_file(CONTENT, key=key, certificate=certificate)
    known = own.root.logs[0][0]
    signed = Signature(signature_of(bundle), certificate, hashlib.sha256(CONTENT).digest())
    made = body("hashedrekord", signed)
    bundle["verificationMaterial"]["tlogEntries"].append(known.add(made.data, made.kind, made.version, AT))
    return Made(bundle, own)
