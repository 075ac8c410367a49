"""The release statement beside an artifact: name, version and digest, held against `aegis.lock`."""

from __future__ import annotations

from dataclasses import dataclass

from aegis.artifacts.prepared import BUNDLE_LIMIT, Case, beside, one_object
from aegis.core.errors import Refused
from aegis.core.ports.objects import ObjectInfo
from aegis.signatures import lock as locks
from aegis.signatures import release as releases
from aegis.signatures.formats.bundle import parse_bundle
from aegis.signatures.release import Release
from aegis.signatures.statement import parse_statement
from aegis.signatures.types import KeySigner, Trust
from aegis.signatures.verify import verify_envelopes


@dataclass(frozen=True, slots=True)
class Released:
    """A statement whose signature holds; of an artifact that needs none, nothing."""

    case: Case
    statement: Release | None = None
    standing: locks.Standing = "unknown"
    objects: tuple[ObjectInfo, ...] = ()

    def version(self, digest: str) -> str | None:
        """The version that was released with this digest. Raises Refused for another name or digest, or out of time."""
        if self.statement is None:
            return None
        releases.check(self.statement, name=self.case.artifact.name, root=digest, now=self.case.now)
        return self.statement.version

    @property
    def notices(self) -> tuple[str, ...]:
        """That the lock does not know this release yet."""
        if self.statement is None or self.standing == "accepted":
            return ()
        accept = f"`aegis verify release accept {self.case.artifact.name}`"
        return (f"version {self.statement.version} is not in the lock yet: {accept} keeps older ones out",)


def prepare(case: Case, digest: str | None = None) -> Released:
    """Read and verify the statement, if the policy asks for one.

    `digest`: the artifact's where it is known before it is read, as a manifest's content is; `Released.version`
    compares it in any case. Raises Refused: another artifact's, out of time, a rollback among others.
    """
    rule = case.artifact.release
    if rule is None or case.release_trust is None:
        return Released(case)
    key = case.location.key + rule.statement if case.location.is_prefix else beside(case, rule.statement)
    info = one_object(case, key)
    if info is None:
        raise Refused(
            "verify.release_missing",
            f"{case.artifact.source}: there is no {rule.statement!r}",
            expected="a signed statement of name, version and digest",
            remedy=f"sign one: {_how_to_sign(case, case.release_trust)}, then upload what it writes beside it",
        )
    bundle = parse_bundle(case.read_small(case.store, info, BUNDLE_LIMIT), name=rule.statement)
    _, envelopes = verify_envelopes([bundle], case.release_trust)
    statement = releases.parse_release(parse_statement(envelopes[0]))
    # Name and time before anything is read, and also where an earlier verdict stands for the reading.
    releases.check(statement, name=case.artifact.name, root=digest or statement.root, now=case.now)
    return Released(case, statement, locks.check(case.lock, statement), (info,))


def _how_to_sign(case: Case, trust: Trust) -> str:
    what = "--folder FOLDER" if case.artifact.kind == "model" else "--file FILE"
    if case.artifact.kind == "file" and case.location.is_prefix:
        # SHA-256 over what `sha256sum` prints of all files, sorted by name
        what = "--digest DIGEST"
    how = "--key KEY.pem" if any(isinstance(signer, KeySigner) for signer in trust.signers) else "--keyless"
    return f"aegis verify release sign {case.artifact.name} --version VERSION {what} {how}"
