"""Attestations: whether what was signed is of the kind that the policy asks for, and about this artifact.

That a signature holds says neither. Checks that took "nothing to look at" for an answer let anything through:
CVE-2025-25204 (gh), CVE-2026-39395 and CVE-2022-35929 (cosign), CVE-2022-35930 (policy-controller). So every statement
that is handed in has to fit, and there has to be one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from aegis.core.errors import Refused
from aegis.signatures.shown import shown
from aegis.signatures.statement import Statement

STRONG = frozenset({"sha256", "sha384", "sha512"})
"""Digests that an artifact may be recognised by."""


def check_attestation(
    statements: Sequence[Statement], subject_digest: Mapping[str, str], predicate_types: Collection[str]
) -> None:
    """Refuse unless each statement is of an allowed type, and names the artifact among its subjects.

    `statements` whose signatures were verified; `subject_digest` of the artifact, in lowercase hex by algorithm.
    Artifacts are matched by digest: the name in a statement is the signer's. Refuses with `verify.attestation_missing`,
    `verify.wrong_predicate` and `verify.attestation_subject`.
    """
    allowed = ", ".join(sorted(predicate_types)) or "a predicate type that the policy names"
    if not statements:
        raise Refused(
            "verify.attestation_missing",
            "there is no attestation that was signed",
            expected=f"one of the type {allowed}",
            remedy="Sign one (`cosign attest-blob`, actions/attest), and put it beside the artifact.",
        )
    for statement in statements:
        # Exactly: one URI is never a prefix or pattern of another.
        if statement.predicate_type not in predicate_types:
            raise Refused(
                "verify.wrong_predicate",
                f"an attestation is of the type {shown(statement.predicate_type)}",
                expected=allowed,
                remedy="Sign the kind of statement that the policy names, or correct `predicate-types`.",
            )
        if not any(_same(subject.digest, subject_digest) for subject in statement.subjects):
            raise _other_subject(statement, subject_digest)


def _same(claimed: Mapping[str, str], actual: Mapping[str, str]) -> bool:
    """Whether they name one artifact: every algorithm that both have agrees, and there is a strong one.

    in-toto's digest_set.md lets one match do; a set that contradicts itself is no such match here.
    """
    common = claimed.keys() & actual.keys() & STRONG
    return bool(common) and all(claimed[name] == actual[name] for name in common)


def _other_subject(statement: Statement, subject_digest: Mapping[str, str]) -> Refused:
    first = statement.subjects[0]
    others = f" and {len(statement.subjects) - 1} more" if len(statement.subjects) > 1 else ""
    return Refused(
        "verify.attestation_subject",
        f"the attestation is about {shown(first.name)} ({_digests(first.digest)}){others}",
        expected=f"this artifact: {_digests(subject_digest)}",
        remedy="Put the attestation of this very artifact beside it, or make one.",
    )


def _digests(digests: Mapping[str, str]) -> str:
    return ", ".join(f"{shown(name)} {value}" for name, value in sorted(digests.items())[:4])
