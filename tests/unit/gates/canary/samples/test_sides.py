from __future__ import annotations

import re
from typing import Any

import pytest

from aegis.core.errors import UsageError
from aegis.core.policy import CanaryMetric, Rollout
from aegis.gates.canary.samples.sides import Hashes, Pods, Scope
from aegis.gates.canary.samples.sources import source_of

BY_NAME = source_of(CanaryMetric(preset="http"), Rollout(namespace="shop", name="web"))
BY_HASH = source_of(CanaryMetric(preset="http"), Rollout(namespace="shop", name="web", hash_label="hash"))
BOTH = Hashes("web", "6d5f", "7c9b")


def pattern(matcher: str | None) -> str:
    assert matcher is not None
    return matcher.partition("=~")[2][1:-1].replace("\\\\", "\\")


@pytest.mark.parametrize(
    ("pod", "side"),
    [
        ("web-6d5f-x2x4z", "canary"),
        ("web-7c9b-abcde", "stable"),
        ("web-6d5-x2x4z", None),
        ("web-6d5f", None),
        ("web-6d5f-", None),
        ("web-6d5f-7c9b-x2x4z", None),
        ("web-6d5f-x2x4z\n", None),
        ("web-other-6d5f-x", None),
        ("x-web-6d5f-x", None),
        ("", None),
    ],
)
def test_a_pods_name_tells_its_version(pod: str, side: str | None) -> None:
    assert BOTH.side(pod, None) == side
    assert bool(re.fullmatch(pattern(BOTH.matcher(BY_NAME)), pod)) == (side is not None)


def test_a_hash_outweighs_the_name() -> None:
    assert BOTH.side("web-6d5f-x2x4z", "7c9b") == "stable"
    assert BOTH.side("anything", "6d5f") == "canary"
    assert BOTH.side("web-6d5f-x2x4z", "1234") is None
    assert BOTH.matcher(BY_HASH) == 'hash=~"6d5f|7c9b"'


def test_a_first_deployment_has_no_stable_side() -> None:
    first = Hashes("web", "6d5f", None)
    assert first.side("web-7c9b-abcde", None) is None
    assert first.side("web-6d5f-abcde", None) == "canary"
    assert first.side("web-6d5f-abcde", "7c9b") is None
    assert (first.compared, BOTH.compared) == (False, True)


def test_names_that_kubernetes_cuts_are_known_by_what_is_left() -> None:
    rollout = "a" * 52
    long = Hashes(rollout, "6d5f", "7c9b")
    assert long.side(f"{rollout}-6d5f-x2x4z"[:58] + "x2x4z", None) == "canary"


@pytest.mark.parametrize(
    ("hashes", "problem"),
    [
        (("a" * 58, "6d5f", "7c9b"), "same 58 characters"),
        (("web", "6d5f", "6d5f"), "same 58 characters"),
        (("web", "6D5F", "7c9b"), "is no name"),
        (("web", "6d5f|.*", "7c9b"), "is no name"),
        (("web", "", "7c9b"), "is no name"),
        (("web", "6d5f\n", "7c9b"), "is no name"),
    ],
)
def test_hashes_that_do_not_tell_sides_apart_are_refused(hashes: tuple[str, str, str], problem: str) -> None:
    with pytest.raises(UsageError, match=problem) as raised:
        Hashes(*hashes)
    assert raised.value.code == "canary.sides_unclear"


def test_pods_are_named_one_by_one() -> None:
    pods = Pods(frozenset({"web-1.a"}), frozenset({"web-2"}))
    assert pods.matcher(BY_NAME) == 'pod=~"web-1\\\\.a|web-2"'
    assert [pods.side(name, None) for name in ("web-1.a", "web-2", "web-1xa")] == ["canary", "stable", None]
    assert pods.compared


def test_many_pods_are_named_by_what_they_begin_with() -> None:
    names = frozenset(f"web-{number}" for number in range(40))
    assert Pods(names, frozenset()).matcher(BY_NAME) == 'pod=~"web-.*"'
    assert not Pods(names, frozenset()).compared
    strangers = frozenset({*names, "other"})
    assert Pods(names, strangers - names).matcher(BY_NAME) is None
    assert Scope("shop", Pods(names, strangers - names)).matchers(BY_NAME) == ('namespace="shop"',)


@pytest.mark.parametrize(
    ("canary", "stable", "problem"), [({"a"}, {"a"}, "on both sides"), ({'a"}'}, set(), "is no name")]
)
def test_pods_that_do_not_tell_sides_apart_are_refused(canary: Any, stable: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        Pods(frozenset(canary), frozenset(stable))


def test_a_scope_is_of_one_namespace() -> None:
    assert Scope("shop", BOTH).matchers(BY_HASH) == ('namespace="shop"', 'hash=~"6d5f|7c9b"')
