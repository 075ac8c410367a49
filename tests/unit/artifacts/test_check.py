"""Policies that protect less than their authors believe are refused when they are read."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from aegis.artifacts.check import check_policy
from aegis.core.errors import UsageError
from aegis.core.policy import Aws, Earlier, Load, Oci, Release, Signer, VerifyPolicy
from aegis.core.policy_file import parse_policy
from tests.doubles.objects import Bucket
from tests.support.signing.verifying import (
    attestation_artifact,
    by,
    file_artifact,
    judged,
    model_artifact,
    policy,
    refusal_of,
)

ISSUER = "https://token.actions.githubusercontent.com"
DAY = datetime.date(2026, 1, 1)
IDENTITY: dict[str, Any] = {
    "identity": "https://github.com/o/r/.github/workflows/x.yml@refs/heads/main",
    "issuer": ISSUER,
}


def refused(asked: VerifyPolicy) -> UsageError:
    error = refusal_of(lambda: check_policy(asked, file="aegis.yml"), UsageError)
    assert isinstance(error, UsageError)
    return error


def verdicts(verdict: Earlier) -> VerifyPolicy:
    """A policy whose loader demands one."""
    return policy(file_artifact(), load=Load(verdict=verdict))


def test_a_policy_that_protects_something_is_let_through() -> None:
    check_policy(
        policy(
            file_artifact(signers=(by(0), Signer(**IDENTITY))),
            file_artifact(name="files", source="oci://ns/b/files/", signatures=("*.sig",)),
            model_artifact(signers=(), release=Release(signers=(by(1),))),
            attestation_artifact(name="said", source="models/x.bin"),
            model_artifact(name="two", signatures=("a.sig", "b.sig"), threshold=2, signers=(by(0), by(1))),
            signers=(Signer(key="env:COSIGN_PUB_KEY"), Signer(certificate="ca.pem", subject="CN=x", valid_from=DAY)),
            earlier=Earlier(source="s3://staging/verdicts/", signers=(by(0),)),
            oci=Oci(domain="https://idcs.example", region="eu-x-1"),
            load=Load(pickles=("tool", "model"), verdict=Earlier(source="oci://ns/b/v/", signers=(by(0),))),
        ),
        file="aegis.yml",
    )


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (VerifyPolicy(), "verify.artifacts is empty"),
        (policy(file_artifact(), file_artifact()), "'tool' stands 2 times"),
        (policy(file_artifact(signers=())), "has no signers"),
        (policy(file_artifact(threshold=2)), "threshold is 2, with 1 signers"),
        (policy(file_artifact(threshold=2, signers=(by(0), by(1)))), "threshold is 2, with 1 of signatures"),
        (
            policy(file_artifact(threshold=2, signers=(by(0), by(1)), signatures=("*.a", "*.a"))),
            "threshold is 2, with 1 of signatures",
        ),
        (policy(file_artifact(signatures=("*",))), "the file itself"),
        (policy(file_artifact(source="s3://staging/f/", signatures=("one.sig",))), "'one.sig', and the source is a pr"),
        (policy(model_artifact(source="s3://staging/m")), "'s3://staging/m'"),
        (policy(model_artifact(source="models/m")), "'models/m'"),
        (policy(file_artifact(), aws=None), "there is no verify.aws"),
        (policy(file_artifact(source="oci://ns/bucket/x")), "there is no verify.oci"),
        (policy(attestation_artifact(predicate_types=())), "predicate-types do not fit"),
        (policy(file_artifact(predicate_types=("x",))), "predicate-types do not fit"),
        (policy(model_artifact(predicate_types=("x",))), "predicate-types do not fit"),
        (policy(file_artifact(ignore_paths=("x",))), "has ignore-paths"),
        (policy(attestation_artifact(ignore_paths=("x",))), "has ignore-paths"),
        (policy(attestation_artifact(release=Release())), "is an attestation and has a release"),
        (policy(file_artifact(), earlier=Earlier(source="s3://staging/v/", signers=())), "verify.earlier has no sign"),
        (policy(file_artifact(), earlier=Earlier(source="s3://staging/v", signers=(by(0),))), "verify.earlier.source"),
        (
            policy(file_artifact(source="x"), aws=None, earlier=Earlier(source="s3://bkt/v/", signers=(by(0),))),
            "there is no verify.aws",
        ),
        (policy(file_artifact(), load=Load(formats=())), "verify.load.formats is empty"),
        (policy(file_artifact(), load=Load(pickles=("Tool",))), "verify.load.pickles names 'Tool'"),
        (policy(attestation_artifact(), load=Load(pickles=("tool",))), "verify.load.pickles names 'tool'"),
        (verdicts(Earlier(source="s3://staging/v/", signers=())), "verify.load.verdict has no signers"),
        (
            verdicts(Earlier(source="s3://staging/v", signers=(by(0),))),
            "verify.load.verdict.source is 's3://staging/v'",
        ),
        (verdicts(Earlier(source="oci://ns/b/v/", signers=(by(0),))), "there is no verify.oci"),
    ],
)
def test_incomplete(asked: VerifyPolicy, words: str) -> None:
    error = refused(asked)
    assert (error.code, error.remedy) == ("verify.policy_incomplete", "correct `verify` in the policy file")
    assert words in error.problem
    assert error.problem.startswith("aegis.yml: ")


BAD_SIGNERS = [
    (Signer(), "not exactly one kind"),
    (Signer(issuer=ISSUER), "not exactly one kind"),
    (Signer(key="k.pub", identity="a@b.c", issuer=ISSUER), "not exactly one kind"),
    (Signer(key="k.pub", certificate="ca.pem"), "not exactly one kind"),
    (Signer(identity="a@b.c", identity_pattern="^a@b\\.c$", issuer=ISSUER), "not exactly one kind"),
    (Signer(identity="a@b.c"), "an identity and no issuer"),
    (Signer(identity_pattern="^a@b\\.c$"), "an identity and no issuer"),
    (Signer(key="k.pub", issuer=ISSUER), "issuer or claims without an identity"),
    (Signer(key="k.pub", claims={"ref": "x"}), "issuer or claims without an identity"),
    (Signer(certificate="ca.pem", deny_self_hosted=True), "issuer or claims without an identity"),
    (Signer(**IDENTITY, valid_from=DAY), "validity days and an identity"),
    (Signer(**IDENTITY, valid_until=DAY), "validity days and an identity"),
    (Signer(**IDENTITY, subject="CN=x"), "a subject without a certificate"),
    (Signer(key="k.pub", subject="CN=x"), "a subject without a certificate"),
    (Signer(key="env:HOME"), "'env:HOME'"),
    (Signer(key="env:cosign_pub_key"), "'env:cosign_pub_key'"),
    (Signer(**IDENTITY, claims={"repo": "o/r"}), "the claim 'repo'"),
    (Signer(**IDENTITY, claims={"ref": "x", "Ref": "x"}), "the claim 'Ref'"),
]


@pytest.mark.parametrize(("signer", "words"), BAD_SIGNERS)
@pytest.mark.parametrize("place", ["artifact", "shared", "release", "earlier", "verdict"])
def test_signers_are_looked_at_wherever_they_stand(signer: Signer, words: str, place: str) -> None:
    asked = {
        "artifact": policy(file_artifact(signers=(by(0), signer))),
        "shared": policy(file_artifact(signers=()), signers=(by(0), signer)),
        "release": policy(file_artifact(release=Release(signers=(signer,)))),
        "earlier": policy(file_artifact(), earlier=Earlier(source="s3://staging/v/", signers=(signer,))),
        "verdict": verdicts(Earlier(source="s3://staging/v/", signers=(signer,))),
    }[place]
    error = refused(asked)
    assert error.code == "verify.policy_incomplete"
    assert words in error.problem


@pytest.mark.parametrize(
    "pattern", [".*", "^.*$", "https://github.com/o/r/.*", "^https://github.com/o/r", "^https://github\\.com/o/.+$|x"]
)
def test_patterns_that_match_more_than_meant(pattern: str) -> None:
    error = refused(policy(file_artifact(signers=(Signer(identity_pattern=pattern, issuer=ISSUER),))))
    assert error.code == "verify.pattern_unsafe"


@pytest.mark.parametrize("source", ["../x", "s3://B/x", "s3://b", "ftp://x/y", "https://u@host/x", "s3://b/a/../x"])
def test_addresses_that_can_be_read_in_two_ways(source: str) -> None:
    assert refused(policy(file_artifact(source=source))).code == "verify.source_invalid"


def test_nothing_is_opened_for_a_policy_that_is_refused() -> None:
    bucket = Bucket({"tool.bin": b"x"})
    with pytest.raises(UsageError, match="has no signers"):
        judged(policy(file_artifact(), file_artifact(name="other", signers=())), bucket)
    assert not bucket.reads


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("verify:\n  artifcats: []\n", (3, 3)),
        ("verify:\n  artifacts:\n    - {name: a, kind: file, source: x, thresold: 2}\n", (4, 40)),
        ("verify:\n  signers:\n    - key: a.pub\n      valid_until: 2026-01-01\n", (5, 7)),
        ("verify:\n  artifacts:\n    - {name: a, kind: modell, source: x/}\n", (4, 23)),
        ("verify:\n  artifacts:\n    - {name: ../a, kind: file, source: x}\n", (4, 14)),
        ("verify:\n  artifacts:\n    - {name: a, kind: file, source: x, threshold: 0}\n", (4, 51)),
        ("verify:\n  earlier: {source: v/, signers: [], max-age-days: 31}\n", (3, 52)),
        ("verify:\n  aws: {sts-endpoint: 'http://evil.example'}\n", (3, 23)),
    ],
)
def test_a_typing_error_is_shown_where_it_stands(text: str, place: tuple[int, int]) -> None:
    error = refusal_of(lambda: parse_policy(b"version: 1\n" + text.encode(), file="aegis.yml"), UsageError)
    assert error.code == "core.policy_invalid"
    assert error.place == ("aegis.yml", *place)


def test_aws_may_be_empty() -> None:
    check_policy(policy(file_artifact(), aws=Aws()), file="aegis.yml")
