"""Real cosign on every keyless case. Each difference is listed, with the text that we follow in it.

"Fulcio" is github.com/sigstore/fulcio docs/certificate-specification.md, "trust root" is sigstore_trustroot.proto of
github.com/sigstore/protobuf-specs, "client" is github.com/sigstore/architecture-docs client-spec.md.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.keyless.all_cases import CASES
from tests.support.keyless.case import Case
from tests.support.keyless.cosign import Cosign
from tests.support.programs.gomod import program

ROOT = Path(__file__).parents[3]
VERSION = "3.1.3"
_CLAIM = "Fulcio docs/oid-info.md, .11 and .15: cosign has no flag for them"
_NAMES = "Fulcio, Subject Alternative Name: one identity, as a URI or as an e-mail address"
_USAGE = "Fulcio, Key Usage and Extended Key Usage: digitalSignature and codeSigning; never a CA"
_CHECKPOINT = "C2SP tlog-checkpoint: size and root hash are the signed ones; RFC 6962 2.1.1: a proof is for one size"
IT_ACCEPTS = {
    "two_issuers": "Fulcio docs/oid-info.md, .1 and .8: both hold the one issuer of the token",
    "repository_that_took_a_freed_name": _CLAIM,
    "claim_that_is_absent": _CLAIM,
    "self_hosted_runner": _CLAIM,
    "runner_that_nobody_names": _CLAIM,
    "uri_as_mail_address": _NAMES,
    "mail_address_as_uri": _NAMES,
    "two_names": _NAMES,
    "no_purpose": _USAGE,
    "key_that_is_not_for_signatures": _USAGE,
    "certificate_of_an_authority": _USAGE,
    "two_log_timestamps": "Fulcio, Signed Certificate Timestamp: the certificate embeds one",
    "attestation_in_place_of_a_file": "in-toto: a statement about a file is no signature over it",
    "retired_tiled_log": "trust root, `valid_for`: keys are to be used only within it",
    "retired_certificate_log_that_dates_back": "trust root, `valid_for`: keys are to be used only within it",
    "timestamp_given_twice": "client, Timestamp: each counts once (GHSA-9vcr-p3rj-q5q6)",
    "checkpoint_of_another_size": _CHECKPOINT,
    "checkpoint_signed_under_another_name": "C2SP signed-note: a signature counts by name and key id",
    "entry_that_claims_another_kind": "sigstore_rekor.proto, `kind_version`: of the body that is in the log",
}
IT_REFUSES = {
    "no_digest_in_the_bundle": "sigstore_common.proto `MessageSignature`: the digest is a hint and may be left out",
    "timestamp_of_a_stranger_beside_a_promise": "client, Timestamp: one proven time is enough",
}


@pytest.fixture
def cosign(tmp_path: Path) -> Cosign:
    return Cosign(program(ROOT / "tests/e2e/tools/cosign", VERSION), tmp_path)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_cosign_differs_only_where_it_is_listed(case: Case, cosign: Cosign) -> None:
    expected = (case.code is None or case.name in IT_ACCEPTS) and case.name not in IT_REFUSES
    assert cosign.accepts(case.make()) is expected


def test_listed_cases_exist() -> None:
    codes = {case.name: case.code for case in CASES}
    assert all(codes[name] is not None for name in IT_ACCEPTS)
    assert all(codes[name] is None for name in IT_REFUSES)
