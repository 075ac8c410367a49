"""Not in a log, or in it as something else."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec

from tests.doubles.sigstore.encoding import b64
from tests.doubles.sigstore.log import Log
from tests.doubles.sigstore.signer import AT, V01, PrivateSigstore
from tests.support.keyless.case import CONTENT, STATEMENT, Cases, Made, entry_of

LOG_ATTACKS = Cases()
case = LOG_ATTACKS


def _file(own: PrivateSigstore | None = None, **how: Any) -> tuple[PrivateSigstore, dict[str, Any], dict[str, Any]]:
    own = own or PrivateSigstore()
    bundle = own.sign_file(CONTENT, **how)
    return own, bundle, entry_of(bundle)


def _flipped(text: str) -> str:
    data = bytearray(base64.b64decode(text))
    data[-1] ^= 1
    return b64(bytes(data))


def _exchanged(bundle: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    bundle["verificationMaterial"]["tlogEntries"] = other["verificationMaterial"]["tlogEntries"]
    return bundle


@case("log_entry_missing")
def in_no_log() -> Made:
    own, bundle, _ = _file(stamped=True)
    del bundle["verificationMaterial"]["tlogEntries"]
    return Made(bundle, own)


@case("bundle_malformed")
def promise_only_where_a_proof_is_due() -> Made:
    own, bundle, _ = _file(proof=False)
    return Made(bundle, own)


@case("log_entry_missing")
def promise_only_of_a_tiled_log() -> Made:
    own, bundle, entry = _file(kind="hashedrekord-v2", media_type=V01)
    del entry["inclusionProof"]
    entry["inclusionPromise"] = {"signedEntryTimestamp": b64(b"promise")}
    return Made(bundle, own)


@case("log_promise_invalid")
def promise_of_a_tiled_log() -> Made:
    own, bundle, entry = _file(kind="hashedrekord-v2")
    entry["integratedTime"] = str(int(AT.timestamp()))
    entry["inclusionPromise"] = {
        "signedEntryTimestamp": b64(own.tiled_log.promise(base64.b64decode(entry["canonicalizedBody"]), 5, AT))
    }
    return Made(bundle, own)


@case("log_promise_invalid")
def broken_promise() -> Made:
    own, bundle, entry = _file()
    promise = entry["inclusionPromise"]
    promise["signedEntryTimestamp"] = _flipped(promise["signedEntryTimestamp"])
    return Made(bundle, own)


@case("log_promise_invalid")
def promise_of_another_time() -> Made:
    own, bundle, entry = _file()
    entry["integratedTime"] = str(int(AT.timestamp()) + 1)
    return Made(bundle, own)


@case("log_promise_invalid")
def promise_of_another_place_in_the_log() -> Made:
    own, bundle, entry = _file()
    entry["logIndex"] = "1"
    return Made(bundle, own)


@case("log_promise_invalid")
def old_bundle_with_another_time() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_older(CONTENT)
    bundle["rekorBundle"]["Payload"]["integratedTime"] += 60
    return Made(bundle, own)


@case("log_proof_invalid")
def broken_proof() -> Made:
    own, bundle, entry = _file()
    entry["inclusionProof"]["hashes"][0] = _flipped(entry["inclusionProof"]["hashes"][0])
    return Made(bundle, own)


@case("log_proof_invalid")
def proof_cut_short() -> Made:
    own, bundle, entry = _file()
    del entry["inclusionProof"]["hashes"][-1]
    return Made(bundle, own)


@case("log_proof_invalid")
def proof_for_another_leaf() -> Made:
    own, bundle, entry = _file()
    entry["inclusionProof"]["logIndex"] = "4"
    return Made(bundle, own)


@case("log_proof_invalid")
def leaf_outside_the_tree() -> Made:
    own, bundle, entry = _file()
    entry["inclusionProof"]["logIndex"] = entry["inclusionProof"]["treeSize"]
    return Made(bundle, own)


@case("log_proof_invalid")
def entry_and_proof_of_different_numbers() -> Made:
    own, bundle, entry = _file(kind="hashedrekord-v2")
    entry["logIndex"] = "0"
    return Made(bundle, own)


@case("log_proof_invalid")
def log_that_holds_something_else() -> Made:
    own = PrivateSigstore()
    own.log.lies.earlier_body = b"another entry"
    return Made(_file(own)[1], own)


@case("checkpoint_invalid")
def checkpoint_of_another_size() -> Made:
    own = PrivateSigstore()
    own.log.lies.size = 1_000_000
    return Made(_file(own)[1], own)


@case("checkpoint_invalid")
def checkpoint_of_another_size_of_a_tiled_log() -> Made:
    own = PrivateSigstore()
    own.tiled_log.lies.size = 1_000_000
    return Made(_file(own, kind="hashedrekord-v2")[1], own)


@case("checkpoint_invalid")
def checkpoint_of_another_root() -> Made:
    own = PrivateSigstore()
    own.log.lies.root = hashlib.sha256(b"another tree").digest()
    return Made(_file(own)[1], own)


@case("checkpoint_invalid")
def checkpoint_signed_by_a_stranger() -> Made:
    own = PrivateSigstore()
    own.log.lies.key = ec.generate_private_key(ec.SECP256R1())
    return Made(_file(own)[1], own)


@case("checkpoint_invalid")
def checkpoint_with_a_strangers_signature_under_the_logs_id() -> Made:
    own, bundle, entry = _file()
    checkpoint = entry["inclusionProof"]["checkpoint"]
    head, name, blob = checkpoint["envelope"].rpartition(" ")
    checkpoint["envelope"] = head + name + _flipped(blob.strip()) + "\n"
    return Made(bundle, own)


@case("checkpoint_invalid")
def checkpoint_of_another_origin() -> Made:
    own = PrivateSigstore()
    own.tiled_log.lies.origin = "another.test"
    return Made(_file(own, kind="hashedrekord-v2")[1], own)


@case("checkpoint_invalid")
def checkpoint_signed_under_another_name() -> Made:
    own, bundle, entry = _file()
    checkpoint = entry["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].replace("— rekor.private.test", "— another.test")
    return Made(bundle, own)


@case("checkpoint_invalid")
def checkpoint_without_a_signature() -> Made:
    own, bundle, entry = _file()
    checkpoint = entry["inclusionProof"]["checkpoint"]
    checkpoint["envelope"] = checkpoint["envelope"].partition("\n\n")[0] + "\n\n"
    return Made(bundle, own)


@case("unknown_trust_key")
def log_of_a_stranger() -> Made:
    own = PrivateSigstore()
    own.log = Log("stranger.test", tiled=False)
    return Made(_file(own)[1], own)


@case("duplicate_log_entry")
def entry_given_twice() -> Made:
    own, bundle, entry = _file()
    bundle["verificationMaterial"]["tlogEntries"].append(entry)
    return Made(bundle, own)


@case("log_entry_mismatch")
def entry_of_another_file_by_the_same_signer() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own.certificate(key)
    other = own.sign_file(b"another file", key=key, certificate=certificate)
    return Made(_exchanged(own.sign_file(CONTENT, key=key, certificate=certificate), other), own)


@case("log_entry_mismatch")
def entry_of_another_signature_over_the_same_file() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own.certificate(key)
    other = own.sign_file(CONTENT, key=key, certificate=certificate)
    return Made(_exchanged(own.sign_file(CONTENT, key=key, certificate=certificate), other), own)


@case("log_entry_mismatch")
def entry_of_another_certificate_of_the_same_key() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    bundle = own.sign_file(CONTENT, key=key)
    bundle["verificationMaterial"]["certificate"] = own.sign_file(CONTENT, key=key)["verificationMaterial"][
        "certificate"
    ]
    return Made(bundle, own)


@case("log_entry_mismatch")
def tiled_entry_of_another_file() -> Made:
    own = PrivateSigstore()
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = own.certificate(key)
    how: dict[str, Any] = {"kind": "hashedrekord-v2", "key": key, "certificate": certificate}
    return Made(_exchanged(own.sign_file(CONTENT, **how), own.sign_file(b"another file", **how)), own)


@case("log_entry_mismatch")
def attestation_with_the_entry_of_another() -> Made:
    own = PrivateSigstore()
    other = own.sign_statement({**STATEMENT, "predicate": {"other": True}})
    return Made(_exchanged(own.sign_statement(STATEMENT), other), own, content=None)


@case("log_entry_mismatch")
def attestation_with_the_intoto_entry_of_another() -> Made:
    own = PrivateSigstore()
    other = own.sign_statement({**STATEMENT, "predicate": {"other": True}}, kind="intoto")
    return Made(_exchanged(own.sign_statement(STATEMENT, kind="intoto"), other), own, content=None)


@case("log_entry_unsupported")
def attestation_logged_as_a_file() -> Made:
    own = PrivateSigstore()
    return Made(own.sign_statement(STATEMENT, kind="hashedrekord"), own, content=None)


@case("log_entry_mismatch")
def entry_that_claims_another_kind() -> Made:
    """Both are kinds of attestations, so only the body tells."""
    own = PrivateSigstore()
    bundle = own.sign_statement(STATEMENT)
    entry_of(bundle)["kindVersion"] = {"kind": "intoto", "version": "0.0.2"}
    return Made(bundle, own, content=None)


@case("bundle_malformed")
def two_signatures_in_the_envelope() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_statement(STATEMENT)
    bundle["dsseEnvelope"]["signatures"] *= 2
    return Made(bundle, own, content=None)


@case("bundle_malformed")
def both_a_file_and_an_attestation() -> Made:
    own = PrivateSigstore()
    bundle = own.sign_statement(STATEMENT)
    bundle["messageSignature"] = own.sign_file(CONTENT)["messageSignature"]
    return Made(bundle, own)


@case("bundle_malformed")
def name_given_twice() -> Made:
    own, bundle, _ = _file()
    data = json.dumps(bundle)
    return Made(data.replace('"signature":', '"signature": "AAAA", "signature":', 1).encode(), own)
