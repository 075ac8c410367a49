"""Somebody else has signed, or with a certificate that is none of a signer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID, ObjectIdentifier

from aegis.signatures.types import IdentitySigner
from tests.doubles.sigstore.authority import Issuer, issue
from tests.doubles.sigstore.certificate_log import CertificateLog
from tests.doubles.sigstore.encoding import b64
from tests.doubles.sigstore.signer import CLAIMS, IDENTITY, ISSUER, PrivateSigstore, sign_file_with_key
from tests.support.keyless.case import CONTENT, STATEMENT, Cases, Made

IDENTITY_ATTACKS = Cases()
case = IDENTITY_ATTACKS


def _by(identity: str = IDENTITY, issuer: str = ISSUER, **changes: Any) -> Made:
    own = PrivateSigstore()
    request = own.request(identity=identity, issuer=issuer, **changes)
    return Made(own.sign_file(CONTENT, request=request), own)


def _wanted(wanted: Mapping[str, str], *, deny_self_hosted: bool = False, **changes: Any) -> Made:
    made = _by(**changes)
    signer = IdentitySigner(identity=IDENTITY, issuer=ISSUER, claims=wanted, deny_self_hosted=deny_self_hosted)
    return Made(made.bundle, made.sigstore, signer)


@case("wrong_identity")
def other_workflow() -> Made:
    return _by(IDENTITY.replace("release.yml", "test.yml"))


@case("wrong_identity")
def other_ref() -> Made:
    return _by(IDENTITY.replace("heads/main", "heads/attack"))


@case("wrong_identity")
def identity_with_a_suffix() -> Made:
    return _by(IDENTITY + "-2")


@case("wrong_identity")
def identity_as_a_suffix() -> Made:
    return _by("https://attacker.example/" + IDENTITY)


@case("wrong_identity")
def other_identity_for_a_pattern() -> Made:
    made = _by("https://github.com/org/models/.github/workflows/release.yml@refs/heads/main/../x")
    pattern = r"^https://github\.com/org/models/\.github/workflows/release\.yml@refs/heads/[a-z]+$"
    return Made(made.bundle, made.sigstore, IdentitySigner(pattern=pattern, issuer=ISSUER))


@case("wrong_issuer")
def other_issuer() -> Made:
    return _by(issuer="https://token.actions.githubusercontent.com.attacker.example")


@case("wrong_issuer")
def other_issuer_in_the_old_extension() -> Made:
    return _by(issuer="https://attacker.example", only_raw_issuer=True)


@case("certificate_invalid")
def two_issuers() -> Made:
    return _by(raw_issuer="https://attacker.example")


@case("wrong_claim")
def repository_that_took_a_freed_name() -> Made:
    return _wanted({"repository-id": "700000001"}, claims={**CLAIMS, "15": "999999999"})


@case("wrong_claim")
def claim_that_is_absent() -> Made:
    return _wanted({"repository-id": "700000001"}, claims={})


@case("self_hosted_runner")
def self_hosted_runner() -> Made:
    return _wanted({}, deny_self_hosted=True, claims={**CLAIMS, "11": "self-hosted"})


@case("self_hosted_runner")
def runner_that_nobody_names() -> Made:
    return _wanted({}, deny_self_hosted=True, claims={})


@case("certificate_invalid")
def uri_as_mail_address() -> Made:
    name = x509.RFC822Name._init_without_validation(IDENTITY)
    return _by(names=(name,))


@case("certificate_invalid")
def mail_address_as_uri() -> Made:
    own = PrivateSigstore()
    request = own.request(names=(x509.UniformResourceIdentifier("dev@example.org"),))
    signer = IdentitySigner(identity="dev@example.org", issuer=ISSUER)
    return Made(own.sign_file(CONTENT, request=request), own, signer)


@case("certificate_invalid")
def identity_as_another_kind_of_name() -> Made:
    own = PrivateSigstore()
    name = x509.OtherName(ObjectIdentifier("1.3.6.1.4.1.57264.1.7"), b"\x0c\x03dev")
    return Made(own.sign_file(CONTENT, request=own.request(names=(name,))), own)


@case("certificate_invalid")
def two_names() -> Made:
    other = x509.UniformResourceIdentifier("https://attacker.example/")
    return _by(names=(x509.UniformResourceIdentifier(IDENTITY), other))


@case("not_code_signing")
def no_purpose() -> Made:
    return _by(purposes=())


@case("not_code_signing")
def certificate_of_a_web_server() -> Made:
    return _by(purposes=(ExtendedKeyUsageOID.SERVER_AUTH,))


@case("not_code_signing")
def key_that_is_not_for_signatures() -> Made:
    return _by(digital_signature=False)


@case("certificate_is_ca")
def certificate_of_an_authority() -> Made:
    return _by(authority=True)


@case("sct_missing")
def certificate_that_was_never_logged() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue(own.authority, key.public_key(), own.request())
    return Made(own.sign_file(CONTENT, key=key, certificate=certificate), own)


@case("unknown_trust_key")
def certificate_of_a_strangers_log() -> Made:
    own = PrivateSigstore()
    own.certificate_log = CertificateLog()
    return Made(own.sign_file(CONTENT), own)


@case("sct_invalid")
def certificate_that_its_log_has_not_signed() -> Made:
    own = PrivateSigstore()
    own.certificate_log.lies = True
    return Made(own.sign_file(CONTENT), own)


@case("sct_invalid")
def two_log_timestamps() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = issue(own.authority, key.public_key(), own.request(), [own.certificate_log, own.certificate_log])
    return Made(own.sign_file(CONTENT, key=key, certificate=certificate), own)


@case("unknown_trust_key")
def authority_of_a_stranger_with_the_same_name() -> Made:
    own, stranger = PrivateSigstore(), PrivateSigstore()
    own.authority = stranger.authority
    return Made(own.sign_file(CONTENT), own)


@case("unknown_trust_key")
def certificate_issued_by_a_signers_certificate() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    own.authority = Issuer(key, own.certificate(key))
    return Made(own.sign_file(CONTENT), own)


@case("certificate_untrusted")
def certificate_with_a_broken_signature() -> Made:
    made = _by()
    assert isinstance(made.bundle, dict)
    certificate = made.bundle["verificationMaterial"]["certificate"]
    der = bytearray(base64.b64decode(certificate["rawBytes"]))
    der[-1] ^= 1
    certificate["rawBytes"] = b64(bytes(der))
    return made


@case("certificate_invalid")
def certificate_that_is_none() -> Made:
    made = _by()
    assert isinstance(made.bundle, dict)
    made.bundle["verificationMaterial"]["certificate"]["rawBytes"] = b64(b"\x30\x03\x02\x01\x00")
    return made


@case("unsupported_key")
def key_of_another_curve() -> Made:
    own = PrivateSigstore()
    certificate = issue(
        own.authority, ec.generate_private_key(ec.SECP384R1()).public_key(), own.request(), [own.certificate_log]
    )
    return Made(own.sign_file(CONTENT, certificate=certificate), own)


@case("unsupported_key")
def key_that_signs_no_digest() -> Made:
    own = PrivateSigstore()
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    certificate = issue(own.authority, key, own.request(), [own.certificate_log])
    return Made(own.sign_file(CONTENT, certificate=certificate), own)


@case("wrong_key")
def bare_key_in_place_of_an_identity() -> Made:
    key = ec.generate_private_key(ec.SECP256R1())
    return Made(sign_file_with_key(CONTENT, key), PrivateSigstore())


@case("wrong_signature")
def certificate_of_another_key() -> Made:
    own = PrivateSigstore()
    certificate = own.certificate(ec.generate_private_key(ec.SECP256R1()))
    return Made(own.sign_file(CONTENT, certificate=certificate), own)


@case("wrong_signature")
def other_file() -> Made:
    made = _by()
    return Made(made.bundle, made.sigstore, content=CONTENT + b"!")


@case("wrong_signature")
def other_file_without_a_digest_in_the_bundle() -> Made:
    made = _by()
    assert isinstance(made.bundle, dict)
    del made.bundle["messageSignature"]["messageDigest"]
    return Made(made.bundle, made.sigstore, content=b"")


@case("wrong_signature")
def digest_under_a_wrong_label() -> Made:
    made = _by()
    assert isinstance(made.bundle, dict)
    made.bundle["messageSignature"]["messageDigest"] = {"algorithm": "SHA2_384", "digest": b64(bytes(48))}
    return made


@case("wrong_signature")
def digest_of_another_file_beside_a_right_signature() -> Made:
    made = _by()
    assert isinstance(made.bundle, dict)
    made.bundle["messageSignature"]["messageDigest"]["digest"] = b64(bytes(32))
    return made


@case("wrong_content")
def attestation_in_place_of_a_file() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_statement(STATEMENT), own)


@case("wrong_content")
def file_in_place_of_an_attestation() -> Made:
    made = _by()
    return Made(made.bundle, made.sigstore, content=None)


@case("wrong_signature")
def attestation_with_another_payload() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_statement(STATEMENT)
    bundle["dsseEnvelope"]["payload"] = b64(b'{"_type":"https://in-toto.io/Statement/v1"}')
    return Made(bundle, own, content=None)


@case("wrong_signature")
def attestation_with_another_payload_type() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_statement(STATEMENT)
    bundle["dsseEnvelope"]["payloadType"] = "text/plain"
    return Made(bundle, own, content=None)
