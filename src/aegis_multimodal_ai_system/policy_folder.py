"""The policy file of a deployment, and the keys and trust roots beside it; nothing outside of that folder."""

from __future__ import annotations

import os
from pathlib import Path

from aegis.core.errors import AegisError, UsageError
from aegis.core.policy import VerifyPolicy

_LIMIT = 16 << 20
"""Bytes of any such file; a trusted root has some hundred thousand."""


class PolicyFolder:
    """Reads anew each time: a file that is exchanged counts from then on, as when Kubernetes updates a ConfigMap."""

    def __init__(self, file: Path) -> None:
        """`file`: the policy."""
        self._file = file

    @property
    def root(self) -> Path:
        """The folder, without links: the place of artifacts that the policy names by a path."""
        return Path(os.path.realpath(self._file.parent))

    def policy(self) -> VerifyPolicy:
        """Its section `verify`, checked. Raises UsageError."""
        from aegis.artifacts.check import check_policy
        from aegis.core.policy_file import parse_policy

        name = self._file.name
        policy = parse_policy(self.read(name), file=str(self._file)).policy
        if policy.extends is not None:
            raise _unreadable(
                f"{self._file}: `extends` names another policy, which a running service does not fetch",
                "the whole policy in one file",
            )
        if policy.verify is None:
            raise _unreadable(f"{self._file} has no section `verify`", "`verify:` with artifacts and signers")
        check_policy(policy.verify, file=str(self._file))
        return policy.verify

    def has(self, name: str) -> bool:
        """Whether there is anything of this name in the folder."""
        return os.path.lexists(self._file.parent / name)

    def read(self, name: str) -> bytes:
        """A file of the folder. Links count only as far as they stay in it. Raises UsageError."""
        from aegis.storage.local_tree import open_below, open_folder

        root = self.root
        try:
            there = Path(os.path.realpath(root / name)).relative_to(root)
        except ValueError as error:
            raise _unreadable(f"{name[:200]!r} leads out of {root}", "a file beside the policy") from error
        try:
            # By the resolved name, on which no link is followed: what is exchanged meanwhile is refused.
            with open_folder(root) as folder, open_below(folder, there.as_posix(), str(root)) as file:
                content = _all(file)
        except (AegisError, OSError) as error:
            problem = error.problem if isinstance(error, AegisError) else f"{name[:200]!r}: {error.strerror}"
            raise _unreadable(problem, "a readable file beside the policy") from error
        if len(content) > _LIMIT:
            raise _unreadable(f"{name[:200]!r} is too large", f"at most {_LIMIT} bytes")
        return content


def _all(file: int) -> bytes:
    """At most one byte more than is allowed."""
    parts: list[bytes] = []
    left = _LIMIT + 1
    while left and (part := os.read(file, min(left, 1 << 20))):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def _unreadable(problem: str, expected: str) -> UsageError:
    return UsageError(
        "runtime.policy_unreadable",
        problem,
        expected=expected,
        remedy="correct AEGIS_POLICY, or put the file beside the policy, readable by this service",
    )
