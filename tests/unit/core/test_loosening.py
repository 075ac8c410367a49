from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from aegis.core.loosening import loosenings
from aegis.core.policy import Allow, Extends, Policy, ScanPolicy, Suppression, Waiver

DAY = datetime.date(2027, 1, 1)
ALLOW = Allow(path="a/**", provider="aws", reason="adapter")
SUPPRESSION = Suppression(rule="scan.cli", path="x.sh", owner="me", reason="why", expires=DAY)
WAIVER = Waiver(gate="scan", rule="scan.cli", fingerprint="a" * 64, owner="me", reason="why", expires=DAY)
EXTENDS = Extends(repository="org/policies", commit="a" * 40)
STRICT = Policy(version=1, scan=ScanPolicy(), extends=EXTENDS)


def scan(**changes: object) -> Policy:
    return structs.replace(STRICT, scan=structs.replace(ScanPolicy(), **changes))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (structs.replace(STRICT, mode="observe until 2027-01-01"), "mode"),
        (structs.replace(STRICT, waivers=(WAIVER,)), "waivers: scan.cli is new"),
        (structs.replace(STRICT, extends=None), "extends"),
        (structs.replace(STRICT, extends=structs.replace(EXTENDS, commit="b" * 40)), "extends"),
        (structs.replace(STRICT, scan=None), "scan: the section is gone"),
        (scan(strict=False), "scan.strict"),
        (scan(providers=("aws", "gcp", "oci")), "scan.providers: azure is gone"),
        (scan(allowed_classes=("test",)), "scan.allowed-classes: test is new"),
        (scan(tests=("**",)), "scan.tests: ** is new"),
        (scan(allow=(ALLOW,)), "scan.allow: a/** aws is new"),
        (scan(suppressions=(SUPPRESSION,)), "scan.suppressions: scan.cli x.sh is new"),
        (scan(baseline="b.json"), "scan.baseline: b.json instead of none"),
    ],
)
def test_each_way_to_weaken_a_policy_is_told_and_its_reverse_is_none(after: Policy, words: str) -> None:
    told = loosenings(STRICT, after)
    assert [each for each in told if words in each] == told
    assert told
    reverse = loosenings(after, STRICT)
    # Another organisation policy is a change of rules in both directions.
    assert reverse == [] or (after.extends is not None and after.extends != EXTENDS)


def test_an_extended_end_is_a_new_entry() -> None:
    later = structs.replace(SUPPRESSION, expires=DAY + datetime.timedelta(days=1))
    assert loosenings(scan(suppressions=(SUPPRESSION,)), scan(suppressions=(later,)))


def test_observe_may_end_sooner_and_not_later() -> None:
    sooner, later = (structs.replace(STRICT, mode=f"observe until 2027-01-0{day}") for day in (1, 2))
    assert loosenings(later, sooner) == []
    assert loosenings(sooner, later)


_POLICIES = st.builds(
    ScanPolicy,
    strict=st.booleans(),
    providers=st.lists(st.sampled_from(["aws", "gcp"]), unique=True).map(tuple),
    allowed_classes=st.lists(st.sampled_from(["test", "cli"]), unique=True).map(tuple),
    tests=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    baseline=st.sampled_from([None, "x"]),
).map(lambda section: Policy(version=1, scan=section))


@given(_POLICIES, _POLICIES, _POLICIES)
def test_tightening_is_an_order(first: Policy, second: Policy, third: Policy) -> None:
    assert loosenings(first, first) == []
    if not loosenings(first, second) and not loosenings(second, third):
        assert loosenings(first, third) == []
