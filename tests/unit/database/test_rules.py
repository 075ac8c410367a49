"""What a model's state may become, whatever the order of what happens."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.core.errors import Refused
from aegis.signatures.release import version_order
from aegis_multimodal_ai_system.database import rules
from aegis_multimodal_ai_system.database.rules import ModelState, Step

START = datetime(2030, 1, 1, tzinfo=UTC)
DIGESTS = st.sampled_from(["aa" * 32, "bb" * 32])
VERSIONS = st.none() | st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
LOADS = st.builds(rules.Verified, DIGESTS, VERSIONS, st.just("key:a")) | st.builds(
    rules.NotVerified, st.just("verify.expired"), st.none() | DIGESTS
)
RESTRICTIONS = st.builds(rules.Quarantine, st.just("q")) | st.builds(rules.Revoke, st.just("r"))
STEPS = LOADS | RESTRICTIONS | st.just(rules.Release())


def walk(steps: list[Step], state: ModelState | None = None) -> list[ModelState | None]:
    """The state before the first step, and after each; refused steps change nothing."""
    found = [state]
    for number, step in enumerate(steps):
        with suppress(Refused):
            state = rules.after(state, step, name="m", now=START + timedelta(seconds=number))
        found.append(state)
    return found


@given(st.lists(STEPS, max_size=12), st.lists(LOADS, max_size=6))
def test_no_load_lifts_what_a_person_decided(before: list[Step], loads: list[Step]) -> None:
    state = walk(before)[-1]
    if state is not None and state.state in {"quarantined", "revoked"}:
        assert all(each == state for each in walk(loads, state))


@given(st.lists(STEPS, max_size=16))
def test_revoked_is_for_ever(steps: list[Step]) -> None:
    names = [state.state if state else None for state in walk(steps)]
    if "revoked" in names:
        assert set(names[names.index("revoked") :]) == {"revoked"}


@given(st.lists(STEPS, max_size=16))
def test_only_a_release_ends_a_quarantine_and_it_ends_in_unverified(steps: list[Step]) -> None:
    states = walk(steps)
    for step, before, after in zip(steps, states, states[1:], strict=False):
        if before is not None and after is not None and before.state == "quarantined" != after.state:
            assert (type(step), after.state) in {(rules.Release, "unverified"), (rules.Revoke, "revoked")}


@given(st.lists(STEPS, max_size=16))
def test_verified_is_only_what_was_just_verified(steps: list[Step]) -> None:
    states = walk(steps)
    for step, before, after in zip(steps, states, states[1:], strict=False):
        if after is not None and after.state == "verified" and after != before:
            assert isinstance(step, rules.Verified)
            assert (after.digest, after.version, after.signer, after.reason) == (
                *(step.digest, step.version, step.signer, None),
            )


@given(st.lists(STEPS, max_size=16))
def test_the_floor_only_rises(steps: list[Step]) -> None:
    floors = [state.floor_version for state in walk(steps) if state is not None and state.floor_version is not None]
    orders = [version_order(floor) for floor in floors]
    assert orders == sorted(orders)


@given(st.lists(STEPS, max_size=16))
def test_what_is_verified_is_no_older_than_what_ever_was(steps: list[Step]) -> None:
    """And has the digest that its version always had."""
    seen: dict[tuple[int, ...], str] = {}
    states = walk(steps)
    for step, before, after in zip(steps, states, states[1:], strict=False):
        if isinstance(step, rules.Verified) and step.version is not None and after is not None and after != before:
            order = version_order(step.version)
            assert order >= max(seen, default=order)
            assert seen.setdefault(order, step.digest) == step.digest


@pytest.mark.parametrize(
    ("digest", "version", "code"),
    [("bb", "1.9.9", "verify.rollback"), ("aa", "1", "verify.rollback"), ("bb", "2", "verify.version_reused")],
)
def test_a_good_load_of_an_older_release_is_refused(digest: str, version: str, code: str) -> None:
    """Another process has loaded 2.0.0 meanwhile."""
    newer = rules.after(None, rules.Verified("aa" * 32, "2.0.0", "key:a"), name="m", now=START)
    with pytest.raises(Refused) as refused:
        rules.after(newer, rules.Verified(digest * 32, version, "key:a"), name="m", now=START)
    assert refused.value.code == code


def test_the_same_release_is_loaded_again_and_one_without_a_version_too() -> None:
    state = rules.after(None, rules.Verified("aa" * 32, "2.0.0", "key:a"), name="m", now=START)
    state = rules.after(state, rules.Verified("aa" * 32, "2", "key:b"), name="m", now=START)
    assert (state.state, state.signer, state.floor_version) == ("verified", "key:b", "2.0.0")
    state = rules.after(state, rules.Verified("bb" * 32, None, "key:a"), name="m", now=START)
    assert (state.state, state.floor_version, state.floor_digest) == ("verified", "2.0.0", "aa" * 32)


@pytest.mark.parametrize("held", ["quarantined", "revoked"])
def test_a_good_load_of_what_is_held_raises_no_floor(held: str) -> None:
    before = ModelState(name="m", state=held, changed=START)  # type: ignore[arg-type]
    assert rules.after(before, rules.Verified("aa" * 32, "9", "key:a"), name="m", now=START) == before
