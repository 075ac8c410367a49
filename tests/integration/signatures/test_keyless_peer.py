"""sigstore-python's own verifier on every case. Each difference is listed, with the text that we follow in it.

"Fulcio" is github.com/sigstore/fulcio docs/certificate-specification.md, "trust root" is sigstore_trustroot.proto of
github.com/sigstore/protobuf-specs, "bundle" is its sigstore_bundle.proto.
"""

from __future__ import annotations

import pytest

from tests.support.keyless.all_cases import CASES
from tests.support.keyless.case import Case
from tests.support.keyless.peer import sigstore_accepts

_NAMES = "Fulcio, Subject Alternative Name: one identity, as a URI or as an e-mail address"
_VALID_FOR = "trust root, `valid_for`: keys and authorities are to be used only within it"
_CHECKPOINT = "C2SP tlog-checkpoint: size and root hash are the signed ones; RFC 6962 2.1.1: a proof is for one size"
IT_ACCEPTS = {
    "uri_as_mail_address": _NAMES,
    "mail_address_as_uri": _NAMES,
    "two_names": _NAMES,
    "root_ended_before_its_intermediate": "RFC 5280 6.1.3 (a)(2): each certificate of the path is valid at the time",
    "retired_authority": _VALID_FOR,
    "authority_that_has_not_begun": _VALID_FOR,
    "retired_log": _VALID_FOR,
    "retired_tiled_log": _VALID_FOR,
    "log_that_has_not_begun": _VALID_FOR,
    "retired_certificate_log": _VALID_FOR,
    "retired_certificate_log_that_dates_back": _VALID_FOR,
    "entry_and_proof_of_different_numbers": "sigstore_rekor.proto, `log_index`: of the entry, and v2 has one tree",
    "checkpoint_of_another_size": _CHECKPOINT,
    "checkpoint_of_another_size_of_a_tiled_log": _CHECKPOINT,
    "checkpoint_signed_under_another_name": "C2SP signed-note: a signature counts by name and key id",
    "name_given_twice": "RFC 7493 2.3: members have unique names",
}
IT_REFUSES = {
    "attestation_intoto": "client specification: intoto 0.0.2 is among the entry types; sigstore-js wrote it",
    "version_01_with_promise_only": "bundle, v0.1: the inclusion promise is required, the proof is not",
    "cosign_bundle_of_old": "no Sigstore bundle; cosign's pkg/cosign/bundle/rekor.go",
    "first_entry_of_a_log_with_defaults_left_out": "ProtoJSON: fields with their default value are left out",
    "timestamp_authority_in_its_last_second": "sigstore_common.proto `TimeRange`: the end is inclusive",
    "entry_of_a_strangers_log_beside_a_known_one": "bundle, `tlog_entries`: there may be several",
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_peer_differs_only_where_it_is_listed(case: Case) -> None:
    expected = (case.code is None or case.name in IT_ACCEPTS) and case.name not in IT_REFUSES
    assert sigstore_accepts(case.make()) is expected


def test_listed_cases_exist() -> None:
    codes = {case.name: case.code for case in CASES}
    assert all(codes[name] is not None for name in IT_ACCEPTS)
    assert all(codes[name] is None for name in IT_REFUSES)
