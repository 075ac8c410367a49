"""The section `evidence` that is in force: on a change its base's, so that nobody names their own signers."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from aegis.adapters.git.policy import PolicyRepository
from aegis.adapters.git.repository import open_repository
from aegis.cli.gate_run import Found
from aegis.cli.policy_files import PolicyFiles
from aegis.cli.surroundings import Event, read_event
from aegis.core import base as bases
from aegis.core.errors import UsageError
from aegis.core.policy import EvidencePolicy
from aegis.core.policy_in_force import DEFAULT_FILE, policy_in_force
from aegis.signatures.types import Trust
from aegis.storage.location import parse_location


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where a command runs, and for whom."""

    environ: Mapping[str, str] = field(repr=False)
    event: Event = field(repr=False)

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Surroundings:
        """Raises CouldNotDecide where a workflow's event cannot be read."""
        return cls(environ, read_event(environ) if environ.get("GITHUB_ACTIONS") == "true" else Event(None, {}))

    @property
    def github(self) -> bool:
        """Whether a workflow asks, which proves who it is by its OIDC token."""
        return self.environ.get("GITHUB_ACTIONS") == "true"

    @property
    def role(self) -> str | None:
        """ARN of the role to assume, where the policy names none."""
        return self.environ.get("AWS_ROLE_TO_ASSUME") or None

    @property
    def region(self) -> str | None:
        """The region, where the policy names none."""
        return self.environ.get("AWS_REGION") or None

    @property
    def oci_client_id(self) -> str:
        """Of the confidential application that exchanges tokens."""
        return self.environ.get("OCI_CLIENT_ID", "")

    @property
    def oci_client_secret(self) -> str:
        """Its secret."""
        return self.environ.get("OCI_CLIENT_SECRET", "")


@dataclass(frozen=True, slots=True)
class Policed:
    """A policy and where it stands."""

    section: EvidencePolicy
    root: Path
    """The repository: of relative stores."""
    files: PolicyFiles
    environ: Mapping[str, str] = field(repr=False)

    def trust(self) -> Trust:
        """Who may have signed. Raises UsageError for a key or certificate that cannot be used."""
        from aegis.artifacts.trust import Materials, trust_of

        root = self.section.trusted_root
        return trust_of(
            self.section.signers,
            1,
            self.files.read(root) if root is not None else None,
            Materials(self.files.read, self.environ.get("COSIGN_PUB_KEY"), _no_key()),
            datetime.datetime.now(datetime.UTC),
        )


def read_policy(path: str, file: str | None, around: Surroundings) -> Policed:
    """Find the repository and its policy. Raises UsageError where it does not name a store and signers."""
    repository, prefix = open_repository(Path(path))
    base = bases.resolve_base(repository, bases.request(around.event.name, around.event.payload, around.environ))
    in_force = policy_in_force(repository, base.policy, PolicyRepository(around.environ).fetch, file)
    section = in_force.policy.evidence
    if section is None:
        raise UsageError(
            "core.policy_missing",
            f"the policy ({in_force.origin}) has no section `evidence`",
            expected="`evidence:` with a store and its signers",
            remedy="add the section, e.g. by `aegis init --evidence …`, or name the store by --to or --from",
        )
    check_section(section, file or DEFAULT_FILE)
    found = Found(repository, prefix, base, in_force, around.event)
    return Policed(section, repository.root, PolicyFiles(found), around.environ)


def check_section(section: EvidencePolicy, file: str) -> None:
    """Raise UsageError for the first thing that would make it weaker than its author believes."""
    from aegis.artifacts.check import misfits
    from aegis.signatures.patterns import check_identity_pattern

    location = parse_location(section.store)
    if location.scheme == "https":
        raise _incomplete(
            file, f"evidence.store is {section.store!r}, which cannot be listed", "s3://, oci:// or a folder"
        )
    if section.retain is not None and location.scheme != "s3":
        raise _incomplete(file, f"evidence.retain with the store {section.store!r}", "a bucket of S3 with Object Lock")
    if not section.signers:
        raise _incomplete(file, "evidence.signers is empty", "who signs verdicts")
    for signer in section.signers:
        for problem, expected in misfits(signer):
            raise _incomplete(file, f"an entry of evidence.signers {problem}", expected)
        if signer.identity_pattern is not None:
            check_identity_pattern(signer.identity_pattern, name="evidence.signers")


def _incomplete(file: str, problem: str, expected: str) -> UsageError:
    return UsageError(
        "evidence.policy_incomplete",
        f"{file}: {problem}",
        expected=expected,
        remedy="correct `evidence` in the policy file",
    )


def _no_key() -> UsageError:
    return UsageError(
        "verify.key_missing",
        "the policy takes a key from COSIGN_PUB_KEY, which is empty",
        expected="PEM, base64 of it, or a path in the repository",
        remedy="set the variable, or keep the key as a file of the repository and name it in the policy",
    )
