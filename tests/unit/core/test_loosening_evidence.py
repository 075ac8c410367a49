"""The section `evidence` on a pull request: what lets more through is named."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from aegis.core.loosening import loosenings, of_gate
from aegis.core.policy import Aws, EvidencePolicy, Oci, Policy, Retain, Signer

OCI = Oci(domain="https://idcs-1.example.com", region="eu-frankfurt-1")
KEPT = EvidencePolicy(
    store="s3://octo/evidence/",
    signers=(Signer(key="build.pub"), Signer(key="other.pub")),
    trusted_root="root.json",
    retain=Retain(days=400, mode="compliance"),
    aws=Aws(region="eu-west-1"),
    oci=OCI,
)


def policy(**changes: Any) -> Policy:
    return Policy(version=1, evidence=structs.replace(KEPT, **changes))


@pytest.mark.parametrize(
    ("after", "says"),
    [
        (Policy(version=1), "evidence: the section is gone"),
        (policy(store="s3://eve/evidence/"), "evidence.store: another one"),
        (policy(signers=(*KEPT.signers, Signer(key="eve.pub"))), "evidence.signers: eve.pub is new"),
        (policy(trusted_root=None), "evidence.trusted-root: the packaged one instead of root.json"),
        (policy(retain=None), "evidence.retain: verdicts are no longer held fast"),
        (policy(retain=Retain(days=399, mode="compliance")), "evidence.retain.days: 399 instead of 400"),
        (policy(retain=Retain(days=400)), "evidence.retain.mode: governance instead of compliance"),
        (policy(aws=Aws(region="eu-west-2")), "evidence.aws: another one"),
        (policy(oci=None), "evidence.oci: another one"),
    ],
)
def test_each_way_to_let_more_through_is_named(after: Policy, says: str) -> None:
    assert loosenings(policy(), after) == [says]
    # it is common to all gates, so that each of them tells it
    assert of_gate([says], "scan") == [says]


@pytest.mark.parametrize(
    "after",
    [
        policy(),
        policy(signers=KEPT.signers[:1]),
        policy(retain=Retain(days=4000, mode="compliance")),
    ],
)
def test_what_asks_for_more_is_none(after: Policy) -> None:
    assert loosenings(policy(), after) == []


def test_the_first_section_is_none() -> None:
    assert loosenings(Policy(version=1), policy()) == []
    assert loosenings(policy(retain=None), policy(retain=Retain(days=1))) == []
