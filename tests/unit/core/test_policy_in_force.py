from __future__ import annotations

from pathlib import Path

import pytest

from aegis.core.errors import UsageError
from aegis.core.policy import Extends
from aegis.core.policy_in_force import policy_in_force
from tests.doubles.repository import MemoryRepository

STRICT = b"version: 1\nscan: {}\n"
LOOSE = b"version: 1\nscan: {allowed-classes: [test]}\n"
COMMIT = "a" * 40
EXTENDING = b"version: 1\nextends: {repository: org/policies, commit: %s}\nscan:\n" % COMMIT.encode()


def never(extends: Extends) -> bytes:
    raise AssertionError(extends)


def test_the_base_commit_decides_and_the_head_is_told() -> None:
    found = policy_in_force(MemoryRepository({"aegis.yml": LOOSE}, {"b": {"aegis.yml": STRICT}}), "b", never)
    assert found.policy.scan is not None
    assert found.policy.scan.allowed_classes == ()
    assert found.origin == "b:aegis.yml"
    assert found.loosened == ("scan.allowed-classes: test is new",)
    assert not found.bootstrap


def test_a_first_section_is_held_against_the_defaults() -> None:
    bare = b"version: 1\n"
    for head, told in ((LOOSE, ("scan.allowed-classes: test is new",)), (STRICT, ()), (bare + b"# x\n", ())):
        found = policy_in_force(MemoryRepository({"aegis.yml": head}, {"b": {"aegis.yml": bare}}), "b", never)
        assert found.policy.scan is None
        assert found.loosened == told


def test_a_tightening_head_is_not_told() -> None:
    found = policy_in_force(MemoryRepository({"aegis.yml": STRICT}, {"b": {"aegis.yml": LOOSE}}), "b", never)
    assert found.policy.scan is not None
    assert found.policy.scan.allowed_classes == ("test",)
    assert found.loosened == ()


def test_a_deleted_policy_stays_in_force_and_is_told() -> None:
    found = policy_in_force(MemoryRepository({}, {"b": {"aegis.yml": STRICT}}), "b", never)
    assert found.policy.scan is not None
    assert found.loosened == ("aegis.yml is gone",)


def test_an_invalid_head_is_an_error_before_it_is_merged() -> None:
    repository = MemoryRepository({"aegis.yml": b"version: 3\n"}, {"b": {"aegis.yml": STRICT}})
    with pytest.raises(UsageError, match=r"aegis\.yml:1:10"):
        policy_in_force(repository, "b", never)


def test_without_a_policy_at_the_base_the_heads_own_is_used_and_marked() -> None:
    found = policy_in_force(MemoryRepository({"aegis.yml": LOOSE}, {"b": {}}), "b", never)
    assert found.bootstrap
    assert found.origin == "aegis.yml"


def test_without_a_base_the_work_tree_decides() -> None:
    found = policy_in_force(MemoryRepository({"aegis.yml": LOOSE}), None, never)
    assert (found.origin, found.bootstrap) == ("aegis.yml", False)


def test_without_any_policy_the_defaults_hold() -> None:
    found = policy_in_force(MemoryRepository({}, {"b": {}}), "b", never)
    assert (found.origin, found.policy.scan, found.bootstrap) == ("defaults", None, False)


def test_a_named_policy_must_be_there() -> None:
    with pytest.raises(UsageError, match=r"other\.yml") as caught:
        policy_in_force(MemoryRepository({"aegis.yml": STRICT}), None, never, "other.yml")
    assert caught.value.code == "core.policy_missing"


def test_an_organisations_policy_lies_underneath() -> None:
    asked: list[Extends] = []

    def fetch(extends: Extends) -> bytes:
        asked.append(extends)
        return b"version: 1\nscan: {providers: [aws, azure, gcp, oci], tests: [t]}\n"

    found = policy_in_force(MemoryRepository({"aegis.yml": EXTENDING}), None, fetch)
    assert found.policy.scan is not None
    assert found.policy.scan.tests == ("t",)
    assert asked == [Extends(repository="org/policies", commit=COMMIT)]
    assert f"org/policies@{COMMIT}" in found.origin
    alone = policy_in_force(MemoryRepository({"aegis.yml": STRICT}), None, never)
    assert found.sha256 != alone.sha256


@pytest.mark.parametrize(
    "weaker", [b"  strict: false\n", b"  allow: [{path: '**', provider: aws, reason: r}]\n", b"  providers: [aws]\n"]
)
def test_an_organisations_policy_can_only_be_tightened(weaker: bytes) -> None:
    repository = MemoryRepository({"aegis.yml": EXTENDING + weaker})
    with pytest.raises(UsageError) as caught:
        policy_in_force(repository, None, lambda _: STRICT)
    assert caught.value.code == "core.policy_loosened"


def test_extends_does_not_chain() -> None:
    with pytest.raises(UsageError, match="itself has `extends`"):
        policy_in_force(MemoryRepository({"aegis.yml": EXTENDING}), None, lambda _: EXTENDING)


def test_a_wrong_organisation_policy_is_named() -> None:
    with pytest.raises(UsageError, match=f"org/policies@{COMMIT}:aegis.yml:1:10"):
        policy_in_force(MemoryRepository({"aegis.yml": EXTENDING}), None, lambda _: b"version: 9\n")


def test_a_policy_that_git_does_not_track_is_none(tmp_path: Path) -> None:
    repository = MemoryRepository({})
    repository.root = tmp_path
    (tmp_path / "aegis.yml").write_bytes(LOOSE)
    with pytest.raises(UsageError, match="git does not track it"):
        policy_in_force(repository, None, never)


@pytest.mark.parametrize("spelt", ["./aegis.yml", "sub/../aegis.yml", ".//aegis.yml", "/nowhere/aegis.yml"])
def test_no_spelling_of_its_name_hides_the_bases_policy(spelt: str) -> None:
    found = policy_in_force(MemoryRepository({"aegis.yml": LOOSE}, {"b": {"aegis.yml": STRICT}}), "b", never, spelt)
    assert not found.bootstrap
    assert found.loosened == ("scan.allowed-classes: test is new",)


@pytest.mark.parametrize("outside", ["../aegis.yml", "/aegis.yml", "sub/../../aegis.yml", "/nowhere/../aegis.yml"])
def test_a_policy_outside_of_the_repository_is_wrong_usage(outside: str) -> None:
    with pytest.raises(UsageError, match=r"not in the repository '/nowhere'") as caught:
        policy_in_force(MemoryRepository({"aegis.yml": LOOSE}, {"b": {}}), "b", never, outside)
    assert caught.value.code == "core.policy_missing"
