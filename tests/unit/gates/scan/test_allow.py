from __future__ import annotations

import pytest
from msgspec.structs import replace

from aegis.core.errors import UsageError
from aegis.core.policy import Allow
from aegis.gates.scan.allow import allowing, apply_allow, check_allow
from aegis.gates.scan.model import Use
from tests.support.scan.uses import use

ENTRY = Allow(path="src/adapters/**", provider="aws", reason="the adapter")
INSIDE = use("src/adapters/aws.py")


def test_a_use_in_its_adapter_is_allowed_by_the_entry_that_says_so() -> None:
    done = apply_allow([INSIDE, use("src/core/x.py")], [ENTRY])
    assert (done.remaining, done.allowed, done.unused) == ((use("src/core/x.py"),), ((INSIDE, ENTRY),), ())


@pytest.mark.parametrize(
    "other",
    [
        use("src/adapters_evil/aws.py"),
        use("src/adapters"),
        use("lib/src/adapters/aws.py"),
        use("src/adapters/gcp.py", provider="gcp"),
    ],
)
def test_another_path_or_provider_is_not(other: Use) -> None:
    assert allowing(other, [ENTRY]) is None


def test_named_classes_are_the_only_ones() -> None:
    tests_only = replace(ENTRY, classes=("test", "type-only"))
    assert allowing(INSIDE, [tests_only]) is None
    assert allowing(use(INSIDE.path, use_class="test"), [tests_only]) is tests_only


def test_the_first_entry_that_matches_is_the_one() -> None:
    other = replace(ENTRY, path="src/**")
    done = apply_allow([INSIDE], [replace(ENTRY, provider="gcp"), ENTRY, other])
    assert done.allowed == ((INSIDE, ENTRY),)
    assert done.unused == (replace(ENTRY, provider="gcp"), other)


def test_without_entries_nothing_is_allowed() -> None:
    assert apply_allow([INSIDE], []).remaining == (INSIDE,)


@pytest.mark.parametrize(
    ("wrong", "code", "match"),
    [
        (replace(ENTRY, path="/src"), "core.policy_invalid", r"scan\.allow\[1\]\.path: got '/src'"),
        (replace(ENTRY, path="src/**.py"), "core.policy_invalid", "alone"),
        (replace(ENTRY, provider="amazon"), "scan.unknown_provider", r"scan\.allow\[1\]\.provider: got 'amazon'"),
        (replace(ENTRY, provider="*"), "scan.unknown_provider", r"provider: got '\*'"),
        (replace(ENTRY, reason="  "), "core.policy_invalid", "reason"),
    ],
)
def test_an_entry_that_could_never_match_is_refused(wrong: Allow, code: str, match: str) -> None:
    with pytest.raises(UsageError, match=match) as raised:
        check_allow([ENTRY, wrong], ["aws", "gcp"], file="aegis.yml")
    assert raised.value.code == code


def test_good_entries_are_accepted() -> None:
    check_allow([ENTRY, replace(ENTRY, path="a.py")], ["aws"], file="aegis.yml")
