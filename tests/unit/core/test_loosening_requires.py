"""What a change does to the verdicts that a rollout demands."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import structs

from aegis.core.loosening import loosenings
from aegis.core.policy import Aws, CanaryPolicy, Oci, Policy, Prometheus, Requires, Rollout, Signer

RULE = Requires(source="s3://bkt/v/", signers=(Signer(key="a.pub"),))
SECTION = CanaryPolicy(
    prometheus=Prometheus(url="https://p.example.com"), rollout=Rollout(namespace="n", name="r"), requires=RULE
)


def policy(**changes: Any) -> Policy:
    return Policy(version=1, canary=structs.replace(SECTION, **changes))


def rule(**changes: Any) -> Policy:
    return policy(requires=structs.replace(RULE, **changes))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (policy(requires=None), "canary.requires: no verdict is asked for any more"),
        (rule(gates=("verify",)), "canary.requires.gates: scan is gone"),
        (rule(signers=(*RULE.signers, Signer(key="b.pub"))), "canary.requires.signers: b.pub is new"),
        (rule(max_age="8d"), "canary.requires.max-age: 8d instead of 7d"),
        (rule(max_age="169h"), "canary.requires.max-age: 169h instead of 7d"),
        (rule(without=("docker.io/x",)), "canary.requires.without: docker.io/x is new"),
    ],
)
def test_each_way_to_demand_less_is_told_and_its_reverse_is_none(after: Policy, words: str) -> None:
    assert loosenings(policy(), after) == [words]
    assert loosenings(after, policy()) == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (rule(source="s3://bkt/w/"), "canary.requires.source: another one"),
        (rule(trusted_root="root.json"), "canary.requires.trusted-root: root.json instead of None"),
    ],
)
def test_another_place_or_root_is_told(after: Policy, words: str) -> None:
    assert loosenings(policy(), after) == [words]


def test_another_domain_of_oci_is_told() -> None:
    here, there = (Oci(domain=f"https://{name}.example.com", region="eu-frankfurt-1") for name in ("a", "b"))
    assert loosenings(policy(oci=here), policy(oci=there)) == ["canary.oci: another one"]
    assert loosenings(policy(), policy(oci=here)) == []


def test_another_role_is_told() -> None:
    role, other = (Aws(role=f"arn:aws:iam::123456789012:role/{name}") for name in ("a", "b"))
    assert loosenings(policy(aws=role), policy(aws=other)) == ["canary.aws: another one"]
    assert loosenings(policy(), policy(aws=role)) == []
