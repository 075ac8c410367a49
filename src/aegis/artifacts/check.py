"""Whether the section of the policy can protect anything: looked at before the first byte is read.

What a type cannot say: that each artifact has a signer, that an identity has an issuer, that a pattern is anchored.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from aegis.core.errors import UsageError
from aegis.core.policy import Artifact, Earlier, Signer, VerifyPolicy
from aegis.signatures.keyless.certificate import CLAIMS
from aegis.signatures.patterns import check_identity_pattern
from aegis.storage.location import parse_location

KEY_VARIABLE = "env:COSIGN_PUB_KEY"
"""The one variable that may hold a key: an input of the action, or the environment of a laptop."""


def check_policy(policy: VerifyPolicy, *, file: str) -> None:
    """Raise UsageError for the first thing that would make the gate weaker than its author believes."""
    if not policy.artifacts:
        raise _incomplete(file, "verify.artifacts is empty", "at least one artifact with its signers")
    for name, count in Counter(artifact.name for artifact in policy.artifacts).items():
        if count > 1:
            raise _incomplete(file, f"the artifact {name!r} stands {count} times in verify.artifacts", "each name once")
    for artifact in policy.artifacts:
        _check_artifact(artifact, policy, file)
    if policy.earlier is not None:
        _check_verdicts(policy.earlier, policy, file, "verify.earlier")
    _check_load(policy, file)


def _check_load(policy: VerifyPolicy, file: str) -> None:
    load = policy.load
    if not load.formats and not load.pickles:
        raise _incomplete(file, "verify.load.formats is empty, so no model could be loaded", "at least one format")
    loadable = {artifact.name for artifact in policy.artifacts if artifact.kind != "attestation"}
    for name in load.pickles:
        if name not in loadable:
            raise _incomplete(
                file, f"verify.load.pickles names {name!r}", f"a file or model of verify.artifacts: {sorted(loadable)}"
            )
    if load.verdict is not None:
        _check_verdicts(load.verdict, policy, file, "verify.load.verdict")


def _check_verdicts(verdicts: Earlier, policy: VerifyPolicy, file: str, where: str) -> None:
    _check_location(verdicts.source, policy, file, f"{where}.source", folder=True)
    if not verdicts.signers:
        raise _incomplete(file, f"{where} has no signers", "who signs verdicts")
    for signer in verdicts.signers:
        _check_signer(signer, file, f"{where}.signers")


def _check_artifact(artifact: Artifact, policy: VerifyPolicy, file: str) -> None:
    where = f"verify.artifacts.{artifact.name}"
    _check_location(artifact.source, policy, file, f"{where}.source", folder=artifact.kind == "model")
    signers = artifact.signers or policy.signers
    if not signers:
        raise _incomplete(file, f"{where} has no signers", "signers of its own, or verify.signers")
    for signer in signers:
        _check_signer(signer, file, f"{where}.signers")
    if artifact.threshold > len(signers):
        raise _incomplete(
            file,
            f"{where}.threshold is {artifact.threshold}, with {len(signers)} signers",
            "at most one for each signer",
        )
    _check_signatures(artifact, file, where)
    if (artifact.kind == "attestation") != bool(artifact.predicate_types):
        wanted = "predicate-types for an attestation, and only for one"
        raise _incomplete(file, f"{where} is of kind {artifact.kind}: predicate-types do not fit", wanted)
    if artifact.ignore_paths and artifact.kind != "model":
        raise _incomplete(
            file, f"{where} is of kind {artifact.kind} and has ignore-paths", "ignore-paths of a model only"
        )
    if any(path.strip("/") in {"", "."} for path in artifact.ignore_paths):
        raise _incomplete(file, f"{where}.ignore-paths names the whole model", "paths in the model")
    if artifact.release is not None:
        if artifact.kind == "attestation":
            raise _incomplete(file, f"{where} is an attestation and has a release", "a release of a file or model")
        for signer in artifact.release.signers:
            _check_signer(signer, file, f"{where}.release.signers")


def _check_signatures(artifact: Artifact, file: str, where: str) -> None:
    for pattern in artifact.signatures:
        if artifact.kind == "file" and artifact.source.endswith("/") and "*" not in pattern:
            raise _incomplete(
                file,
                f"{where}.signatures holds {pattern!r}, and the source is a prefix",
                "names with `*` for the name of each file, e.g. '*.sigstore.json'",
            )
        if pattern == "*":
            raise _incomplete(file, f"{where}.signatures holds '*', the file itself", "another name than the file's")
    there = len(set(artifact.signatures)) or 1
    if artifact.threshold > there:
        raise _incomplete(
            file,
            f"{where}.threshold is {artifact.threshold}, with {there} of signatures",
            "a name in `signatures` for the signature of each signer",
        )


def _check_location(source: str, policy: VerifyPolicy, file: str, where: str, *, folder: bool) -> None:
    location = parse_location(source)
    if folder and not location.is_prefix:
        raise _incomplete(file, f"{where} is {source!r}", "a prefix, which ends in `/`")
    for scheme, section in (("s3", policy.aws), ("oci", policy.oci)):
        if location.scheme == scheme and section is None:
            needed = "aws" if scheme == "s3" else "oci"
            raise _incomplete(file, f"{where} is {source!r}, and there is no verify.{needed}", f"verify.{needed}")


def _check_signer(signer: Signer, file: str, where: str) -> None:
    for problem, expected in misfits(signer):
        raise _incomplete(file, f"an entry of {where} {problem}", expected)
    if signer.identity_pattern is not None:
        check_identity_pattern(signer.identity_pattern, name=where)


def misfits(signer: Signer) -> Iterator[tuple[str, str]]:
    """What an entry of `signers` has that does not fit together, and what would; nothing where it names one signer."""
    kinds = [signer.key, signer.identity, signer.identity_pattern, signer.certificate]
    if sum(kind is not None for kind in kinds) != 1:
        yield "names not exactly one kind", "one of key, identity, identity-pattern, certificate"
    keyless = signer.identity is not None or signer.identity_pattern is not None
    if keyless and not signer.issuer:
        yield "has an identity and no issuer", "the issuer too: any issuer may say that it knows that name"
    if not keyless and (signer.issuer or signer.claims or signer.deny_self_hosted):
        yield "has an issuer or claims without an identity", "these with identity or identity-pattern only"
    if keyless and (signer.valid_from or signer.valid_until):
        yield "has validity days and an identity", "valid-from and valid-until of a key or certificate only"
    if signer.subject is not None and signer.certificate is None:
        yield "has a subject without a certificate", "subject with certificate only"
    if signer.key is not None and signer.key.startswith("env:") and signer.key != KEY_VARIABLE:
        yield f"takes its key from {signer.key!r}", f"a file of the repository, or {KEY_VARIABLE}"
    unknown = sorted(set(signer.claims) - set(CLAIMS))
    if unknown:
        yield f"names the claim {unknown[0]!r}", f"one of {', '.join(sorted(CLAIMS))}"


def _incomplete(file: str, problem: str, expected: str) -> UsageError:
    return UsageError(
        "verify.policy_incomplete",
        f"{file}: {problem}",
        expected=expected,
        remedy="correct `verify` in the policy file",
    )
