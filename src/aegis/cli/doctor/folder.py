"""The repository that `aegis doctor` looks at: its workflows, policies and owners, as they are in the work tree."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from aegis.adapters.git.repository import open_repository
from aegis.core.errors import UsageError
from aegis.core.policy import Policy
from aegis.core.policy_file import parse_policy
from aegis.core.ports.repository import Repository
from aegis.scaffold import codeowners, doctor, jobs
from aegis.scaffold.doctor import Facts, Weakness
from aegis.scaffold.jobs import Workflow

_DECIDING = ("aegis.lock",)
"""Files beside policies and workflows that decide what may be merged."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What was found."""

    facts: Facts
    unread: tuple[Weakness, ...]
    """Files that nobody could read."""

    def weaknesses(self) -> list[Weakness]:
        """In order of place."""
        return sorted([*self.unread, *doctor.weaknesses(self.facts)])

    def required_checks(self) -> tuple[str, ...]:
        """The checks that must be required. What cannot be read may hold one: UsageError."""
        if self.unread:
            first = self.unread[0]
            raise UsageError(
                first.code,
                f"{first.path}:{first.line}: {first.message}",
                expected="workflows and policies that can be read",
                remedy="Correct the file, or name the checks with --check.",
            )
        return jobs.required_checks(self.facts.workflows)


def look(path: Path, aegis: str) -> Looked:
    """Read what git tracks, and what is there untracked under those names."""
    repository = open_repository(path)[0]
    unread: list[Weakness] = []
    policies = {
        name: policy
        for name in _names(repository, "aegis.yml", "aegis.*.yml")
        if (policy := _policy(repository, name, unread))
    }
    unread_policies = tuple(each.path for each in unread)
    named = tuple(dict.fromkeys(gate for policy in _root(policies) for gate in doctor.named(policy)))
    workflows = [
        workflow
        for name in _names(repository, ".github/workflows/*.yml", ".github/workflows/*.yaml")
        if (workflow := _workflow(repository, name, aegis, named, unread))
    ]
    place = next((place for place in codeowners.PLACES if (repository.root / place).is_file()), None)
    owners = (place, repository.read(place).decode("utf-8", "replace")) if place else None
    files = tuple(name for name in _DECIDING if (repository.root / name).is_file())
    facts = Facts(
        workflows=tuple(workflows),
        policies=policies,
        codeowners=owners,
        aegis=aegis,
        unread_policies=unread_policies,
        files=files,
    )
    return Looked(facts, tuple(unread))


def _root(policies: dict[str, Policy]) -> list[Policy]:
    """The policy that the root action reads."""
    return [policies["aegis.yml"]] if "aegis.yml" in policies else []


def _names(repository: Repository, *patterns: str) -> list[str]:
    root = repository.root
    return sorted(place.relative_to(root).as_posix() for pattern in patterns for place in root.glob(pattern))


def _policy(repository: Repository, name: str, unread: list[Weakness]) -> Policy | None:
    try:
        return parse_policy(repository.read(name), file=name).policy
    except UsageError as error:
        unread.append(_unread(name, error, "doctor.policy_invalid"))
        return None


def _workflow(
    repository: Repository, name: str, aegis: str, named: tuple[str, ...], unread: list[Weakness]
) -> Workflow | None:
    try:
        return jobs.read(name, repository.read(name), aegis, named)
    except UsageError as error:
        unread.append(_unread(name, error, error.code))
        return None


def _unread(name: str, error: UsageError, code: str) -> Weakness:
    """Without the place in its words: it is shown before them."""
    return Weakness(name, error.place[1] if error.place else 1, code, error.unplaced.removeprefix(f"{name}: "))
