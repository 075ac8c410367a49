"""Which policy is in force.

On a change it is the base commit's: nobody approves their own exception. Where the base has none, the head's is used
and the verdict says so (`bootstrap`), so that the change which adds `aegis.yml` can be green. `extends` puts an
organisation's policy, named by commit, underneath; the repository's own may only tighten it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from msgspec import structs

from aegis.core.errors import UsageError
from aegis.core.loosening import loosenings
from aegis.core.policy import Extends, Policy, ScanPolicy
from aegis.core.ports.repository import Repository

if TYPE_CHECKING:
    # It takes the YAML parser along, which only a repository with a policy file needs.
    from aegis.core.policy_file import LoadedPolicy

DEFAULT_FILE = "aegis.yml"

FetchPolicy = Callable[[Extends], bytes]
"""Gives the bytes of a policy in another repository at one commit. Raises CouldNotDecide."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The policy that a gate applies, and what the change would do to it."""

    policy: Policy
    origin: str
    sha256: str
    bootstrap: bool = False
    loosened: tuple[str, ...] = ()
    """How the head's policy file is weaker than the one in force."""


def policy_in_force(repository: Repository, base: str | None, fetch: FetchPolicy, file: str | None = None) -> InForce:
    """The policy for a change from `base` to the work tree, or for the work tree alone.

    `file` is the policy's path in the repository (default: `aegis.yml`, which may be missing). Raises UsageError for a
    file that is missing although it was named, not valid, or not in the repository.
    """
    path = _from_root(repository, file or DEFAULT_FILE)
    head = _read_head(repository, path)
    before = repository.show(base, path) if base else None
    if head is None and before is None and file is not None:
        raise UsageError(
            "core.policy_missing",
            f"there is no policy file {path!r}",
            expected="a file that the repository tracks",
            remedy=f"create it, or leave the argument out to use {DEFAULT_FILE}",
        )
    if before is not None:
        commit = f"{base}:{path}"
        chosen = _load(before, path, commit, fetch)
        return replace(chosen, loosened=_loosened_by(head, before, path, chosen, fetch))
    if head is None:
        return InForce(Policy(version=1), "defaults", hashlib.sha256(b"").hexdigest())
    return replace(_load(head, path, path, fetch), bootstrap=base is not None)


def _from_root(repository: Repository, file: str) -> str:
    """The one spelling under which both the index and a commit know the file.

    Under another the base would seem to lack the policy, and the change's own would decide.
    """
    path = os.path.relpath(repository.root / file, repository.root)
    if path.split("/", 1)[0] == "..":
        raise UsageError(
            "core.policy_missing",
            f"the policy file {file!r} is not in the repository {str(repository.root)!r}",
            expected="a file that the repository tracks, named from its root",
            remedy=f"name it as in `git ls-files`, or leave the argument out to use {DEFAULT_FILE}",
        )
    return path


def _read_head(repository: Repository, path: str) -> bytes | None:
    tracked = repository.entries([path])
    if any(entry.path == path for entry in tracked):
        return repository.read(path)
    if tracked:
        raise UsageError(
            "core.policy_missing",
            f"{path!r} is a folder",
            expected="a file that the repository tracks",
            remedy=f"name the file in it, or leave the argument out to use {DEFAULT_FILE}",
        )
    if (repository.root / path).exists():
        raise UsageError(
            "core.policy_missing",
            f"{path!r} is there, and git does not track it",
            expected="a policy file that git tracks: what another step left behind is nobody's policy",
            remedy=f"`git add {path}`, or delete it",
        )
    return None


def load_policy(data: bytes, file: str, fetch: FetchPolicy) -> InForce:
    """A policy file by itself, with what it extends, for commands that no change asks for. Raises UsageError."""
    return _load(data, file, file, fetch)


def _load(data: bytes, file: str, origin: str, fetch: FetchPolicy) -> InForce:
    from aegis.core.policy_file import parse_policy

    loaded = parse_policy(data, file=file, origin=origin)
    if loaded.policy.extends is None:
        return InForce(loaded.policy, origin, loaded.sha256)
    return _extended(loaded, file, loaded.policy.extends, fetch)


def _extended(loaded: LoadedPolicy, file: str, extends: Extends, fetch: FetchPolicy) -> InForce:
    from aegis.core.policy_file import merged_policy, parse_policy

    where = f"{extends.repository}@{extends.commit}:{extends.path}"
    theirs = parse_policy(fetch(extends), file=where)
    if theirs.policy.extends is not None:
        raise UsageError(
            "core.policy_invalid",
            f"{where} itself has `extends`",
            expected="an organisation's policy that stands alone",
            remedy="write out what it extends",
        )
    policy = merged_policy(theirs, loaded, file=file)
    if weaker := loosenings(theirs.policy, structs.replace(policy, extends=None)):
        raise UsageError(
            "core.policy_loosened",
            f"{file} is weaker than {where}: {'; '.join(weaker)}",
            expected="a policy that only tightens what it extends",
            remedy=f"take these out of {file}, or have them added to the organisation's policy",
        )
    both = hashlib.sha256(f"{theirs.sha256}\n{loaded.sha256}".encode()).hexdigest()
    return InForce(policy, f"{loaded.origin} over {where}", both)


def _loosened_by(head: bytes | None, before: bytes, path: str, chosen: InForce, fetch: FetchPolicy) -> tuple[str, ...]:
    """What the change does to the policy file. A head that is no valid policy is an error now, not after the merge."""
    if head is None:
        return (f"{path} is gone",)
    if head == before:
        return ()
    after = _load(head, path, path, fetch).policy
    # Where the base has no section, the scan gate's own action judges by the defaults; verify has none.
    section = chosen.policy.scan or (ScanPolicy() if after.scan is not None else None)
    return tuple(loosenings(structs.replace(chosen.policy, scan=section), after))
