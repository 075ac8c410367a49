"""The files that a policy names, from where the policy comes from: on a change from its base commit."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from aegis.cli.gate_run import Found, GateRun
from aegis.core.errors import AegisError, CouldNotDecide, UsageError
from aegis.core.policy import Policy, Signer, VerifyPolicy


class PolicyFiles:
    """Keys, certificates and trust roots: those in force, and what a change does to them."""

    def __init__(self, found: Found) -> None:
        """`found`: the repository, and the commit whose policy is in force."""
        self._repository = found.repository
        self._commit = None if found.in_force.bootstrap else found.base.policy

    def read(self, path: str) -> bytes:
        """A file that must be there. Raises UsageError."""
        content = self.in_force(path)
        if content is None:
            where = f"at {self._commit[:12]}" if self._commit else "in the repository"
            raise UsageError(
                "verify.key_missing",
                f"there is no file {path!r} {where}",
                expected="the key, certificate or trusted root that the policy names, tracked by git",
                remedy="commit it; on a pull request the base commit's files count, so it must be merged first",
            )
        return content

    def in_force(self, path: str) -> bytes | None:
        """A file at the policy's own commit; None where there is none."""
        return self._at(self._commit, path)

    def before(self, path: str) -> bytes | None:
        """A file before the change; None where there is none, or no change."""
        return self._at(self._commit, path) if self._commit is not None else None

    def after(self, path: str) -> bytes | None:
        """A file after the change."""
        return self._at(None, path)

    def replaced(self, paths: Iterable[str]) -> Iterator[str]:
        """Those that the change makes others of."""
        for path in dict.fromkeys(paths):
            before = self.before(path)
            if before is not None and self.after(path) != before:
                yield path

    def _at(self, commit: str | None, path: str) -> bytes | None:
        if commit is not None:
            return self._repository.show(commit, path)
        return self._repository.read(path) if self._repository.entries([path]) else None


def files_of(rules: Iterable[Signer], trusted_root: str | None) -> Iterator[str]:
    """Every file of keys, certificates and trust that signers name."""
    for rule in rules:
        if rule.key is not None and not rule.key.startswith("env:"):
            yield rule.key
        if rule.certificate is not None:
            yield rule.certificate
    if trusted_root is not None:
        yield trusted_root


def files_of_verify(policy: VerifyPolicy) -> Iterator[str]:
    """The same of the whole section `verify`."""
    rules: list[Signer] = list(policy.signers)
    for verdicts in (policy.earlier, policy.load.verdict):
        rules += verdicts.signers if verdicts is not None else ()
    for artifact in policy.artifacts:
        rules += [*artifact.signers, *(artifact.release.signers if artifact.release else ())]
    yield from files_of(rules, policy.trusted_root)


def files_of_policy(policy: Policy) -> Iterator[tuple[str, str]]:
    """The same of every section, each file with the section's name."""
    if policy.verify is not None:
        for path in files_of_verify(policy.verify):
            yield "verify", path
    rules = policy.canary.requires if policy.canary is not None else None
    for name, section in (("canary", rules), ("backup-check", policy.backup_check), ("evidence", policy.evidence)):
        if section is not None:
            for path in files_of(section.signers, section.trusted_root):
                yield name, path


def no_key(run: GateRun, found: Found) -> AegisError:
    """Why COSIGN_PUB_KEY may be unset."""
    from aegis.adapters.github.context import pull_request

    change = pull_request(run.environ, found.event.payload)
    if change is not None and change.restricted:
        return CouldNotDecide(
            "verify.key_missing",
            "COSIGN_PUB_KEY is empty: GitHub gives a run for a fork or for Dependabot no secrets",
            expected="the public key",
            remedy="keep the key as a file of the repository, which such a run can read, and name it in the policy",
        )
    return UsageError(
        "verify.key_missing",
        "the policy takes a key from COSIGN_PUB_KEY, which is empty",
        expected="PEM, base64 of it, or a path in the repository",
        remedy="set the input `cosign-pub-key`, or on a laptop the variable COSIGN_PUB_KEY",
    )
