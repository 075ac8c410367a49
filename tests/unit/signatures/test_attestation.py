from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.attestation import check_attestation
from aegis.signatures.statement import Statement
from tests.support.signing.models import statement

SLSA = "https://slsa.dev/provenance/v1"
A, B = "aa" * 32, "bb" * 32


def about(*digests: dict[str, str], kind: str = SLSA, name: str = "a.bin") -> Statement:
    value: dict[str, Any] = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": name, "digest": each} for each in digests],
        "predicateType": kind,
        "predicate": {},
    }
    return statement(value)


def code(statements: list[Statement], digest: dict[str, str], kinds: tuple[str, ...] = (SLSA,)) -> str:
    with pytest.raises(Refused) as refused:
        check_attestation(statements, digest, kinds)
    return refused.value.code


def test_the_artifact_is_one_of_the_subjects() -> None:
    check_attestation([about({"sha256": A})], {"sha256": A}, (SLSA,))
    check_attestation([about({"sha256": B}, {"sha256": A})], {"sha256": A}, ("other", SLSA))
    check_attestation([about({"sha256": A}), about({"sha256": A}, kind="x")], {"sha256": A}, (SLSA, "x"))
    check_attestation([about({"sha256": A, "sha512": "cc" * 64})], {"sha256": A}, (SLSA,))


def test_no_statement_is_not_nothing_to_check() -> None:
    assert code([], {"sha256": A}) == "verify.attestation_missing"
    assert code([], {}, ()) == "verify.attestation_missing"


@pytest.mark.parametrize("kind", ["https://slsa.dev/provenance/v0.2", SLSA + "/", SLSA.upper(), "https://slsa.dev"])
def test_another_predicate_is_refused(kind: str) -> None:
    assert code([about({"sha256": A}, kind=kind)], {"sha256": A}) == "verify.wrong_predicate"
    assert code([about({"sha256": A}), about({"sha256": A}, kind=kind)], {"sha256": A}) == "verify.wrong_predicate"


def test_without_allowed_predicates_nothing_is_allowed() -> None:
    assert code([about({"sha256": A})], {"sha256": A}, ()) == "verify.wrong_predicate"


def test_an_attestation_of_another_artifact_is_refused_whatever_its_name() -> None:
    assert code([about({"sha256": B}, name="a.bin")], {"sha256": A}) == "verify.attestation_subject"
    assert code([about({"sha256": A}), about({"sha256": B})], {"sha256": A}) == "verify.attestation_subject"


def test_a_refusal_says_what_it_is_about() -> None:
    with pytest.raises(Refused, match=rf"about 'a\.bin' \('sha256' {B}\) and 2 more\n.*{A}"):
        check_attestation([about({"sha256": B}, {"sha256": B}, {"sha256": B})], {"sha256": A}, (SLSA,))
    with pytest.raises(Refused, match="one of the type a predicate type"):
        check_attestation([], {"sha256": A}, ())
    with pytest.raises(Refused, match="one of the type a, b\n"):
        check_attestation([], {"sha256": A}, ("b", "a"))


@pytest.mark.parametrize(
    ("claimed", "actual"),
    [
        ({"sha512": "aa" * 64}, {"sha256": A}),
        ({"sha1": "aa" * 20}, {"sha1": "aa" * 20}),
        ({"gitCommit": "aa" * 20}, {"sha256": A, "gitCommit": "aa" * 20}),
        ({"sha256": A, "sha512": "bb" * 64}, {"sha256": A, "sha512": "aa" * 64}),
        ({"sha256": A}, {}),
    ],
)
def test_digests_that_are_weak_missing_or_contradict_do_not_match(
    claimed: dict[str, str], actual: dict[str, str]
) -> None:
    assert code([about(claimed)], actual) == "verify.attestation_subject"


@given(st.sets(st.integers(0, 255), min_size=1, max_size=5), st.integers(0, 255))
def test_exactly_the_subjects_match(subjects: set[int], artifact: int) -> None:
    signed = about(*({"sha256": f"{each:064x}"} for each in sorted(subjects)))
    digest = {"sha256": f"{artifact:064x}"}
    if artifact in subjects:
        check_attestation([signed], digest, (SLSA,))
    else:
        assert code([signed], digest) == "verify.attestation_subject"
