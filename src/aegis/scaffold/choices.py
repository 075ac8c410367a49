"""What a repository's owner chose: plain facts, checked before any of them reaches a file.

They stand in workflows, policies and shells' environments, so each has a form of its own, and none may hold what YAML,
a shell or GitHub's expressions would read as more than a name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from aegis.core.errors import UsageError

GATES = ("scan", "verify", "canary", "backup-check")
WORKFLOWS = ("each", "one")
RESERVED = frozenset({"backup", "evidence", "release", "terraform-plan", "terraform-apply"})
"""Environments of more power than a gate's: what they hold must not be any pull request's."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
FORMS: dict[str, tuple[re.Pattern[str], str]] = {
    "repository": (re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}"), "owner/name"),
    "branch": (re.compile(r"(?!.*(?://|\.\.|/$|\.$|\.lock$))[A-Za-z0-9_][A-Za-z0-9._/-]{0,199}"), "a branch's name"),
    "environment": (re.compile(r"[A-Za-z0-9][A-Za-z0-9._/ -]{0,98}[A-Za-z0-9]|[A-Za-z0-9]"), "an environment's name"),
    "owner": (
        re.compile(r"@[A-Za-z0-9][A-Za-z0-9-]{0,38}(/[A-Za-z0-9._-]{1,100})?"),
        "@user or @organisation/team",
    ),
    "aegis": (re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}"), "owner/name of Aegis itself"),
    "ref": (re.compile(r"[0-9a-f]{40}|v[0-9]{1,4}(\.[0-9]{1,4}){0,2}"), "a commit (40 hex digits) or a tag such as v1"),
    "version": (re.compile(r"v[0-9]{1,4}(\.[0-9]{1,4}){2}"), "the version of the commit, e.g. v1.2.3"),
    "artifact": (_NAME, "letters, digits, `.`, `_`, `-`"),
    "source": (
        re.compile(
            r"(?!.*/\.{1,2}(?:/|$))(?!.*[^:]//)(?:s3://[a-z0-9][a-z0-9.-]{1,62}|oci://[A-Za-z0-9_-]+/[A-Za-z0-9._-]+)"
            r"/[A-Za-z0-9._/=+-]{1,1024}"
        ),
        "s3://bucket/key or oci://namespace/bucket/key; a model's ends in `/`",
    ),
    "account": (re.compile(r"[0-9]{12}"), "an AWS account: 12 digits"),
    "key": (
        re.compile(r"env:COSIGN_PUB_KEY|(?!.*(?:^|/)\.\.?(?:/|$))[A-Za-z0-9._][A-Za-z0-9._/-]{0,250}"),
        "env:COSIGN_PUB_KEY or a file",
    ),
    "repository-id": (re.compile(r"[1-9][0-9]{0,18}"), "the repository's number at GitHub"),
    "oci-domain": (re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?"), "https://idcs-….identity.oraclecloud.com"),
    "oci-region": (re.compile(r"[a-z]{2,}(-[a-z0-9]+)+"), "a region, e.g. eu-frankfurt-1"),
    "store": (
        re.compile(r"(s3://[a-z0-9][a-z0-9.-]{1,62}|oci://[A-Za-z0-9_-]+/[A-Za-z0-9._-]+)/([A-Za-z0-9._=+-]+/)*"),
        "s3://bucket/prefix/ or oci://namespace/bucket/prefix/, with `/` at its end",
    ),
    "evidence": (
        re.compile(r"(s3://[a-z0-9][a-z0-9.-]{1,62}|oci://[A-Za-z0-9_-]+/[A-Za-z0-9._-]+)/([A-Za-z0-9._=+-]+/)*"),
        "s3://bucket/prefix/ or oci://namespace/bucket/prefix/, with `/` at its end",
    ),
    "database": (_NAME, "letters, digits, `.`, `_`, `-`"),
    "recipient": (re.compile(r"age1[02-9ac-hj-np-z]{58}"), "an age recipient (age1…)"),
    "prometheus": (
        re.compile(r"https://[A-Za-z0-9.-]+(:[0-9]{1,5})?(/[A-Za-z0-9._/-]*)?|http://[a-z0-9.-]+\.svc(\.cluster\.local)?(:[0-9]{1,5})?"),
        "https://… or http://NAME.NAMESPACE.svc:9090",
    ),
    "rollout": (
        re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?/[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?"),
        "namespace/name",
    ),
}  # fmt: skip
"""What each kind of value looks like, and how that is said."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """Something that the verify gate looks at."""

    name: str
    source: str
    """A model's ends in `/`."""

    @property
    def kind(self) -> str:
        """As the policy calls it."""
        return "model" if self.source.endswith("/") else "file"

    @property
    def cloud(self) -> str:
        """`aws` or `oci`: where it lies."""
        return "oci" if self.source.startswith("oci://") else "aws"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Everything that decides what is written. The same choices and the same version write the same bytes."""

    gates: tuple[str, ...]
    repository: str | None = None
    """`owner/name` at GitHub."""
    branch: str = "main"
    environment: str = "staging"
    """Whose variables the jobs read that verify, also those of pull requests."""
    drill_environment: str = "drill"
    """Of the drills that restore backups: it holds what decrypts them."""
    deploy_environment: str = "production"
    """Of the deploys, and of the canary that decides on them."""
    workflows: str = "each"
    """`each`: a workflow and a check a gate; `one`: one workflow with the one check `aegis`."""
    owners: tuple[str, ...] = ()
    """Of policies and workflows, for CODEOWNERS."""
    aegis: str = "org/aegis"
    ref: str = "v1"
    """Of Aegis: a tag, or a commit."""
    version: str | None = None
    """What a commit is called, for the comment beside it."""
    artifacts: tuple[Artifact, ...] = ()
    account: str | None = None
    keys: tuple[str, ...] = ()
    """Public keys that may sign; none: the workflow `sign-model` of this repository."""
    repository_id: str | None = None
    oci_domain: str | None = None
    oci_region: str | None = None
    store: str | None = None
    databases: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    prometheus: str | None = None
    rollout: str | None = None
    evidence: str | None = None
    """Where signed verdicts are kept; none: they end with their runs."""
    terraform: bool = False
    """A workflow that plans infrastructure in pull requests, and applies it after an approval."""

    @property
    def clouds(self) -> tuple[str, ...]:
        """Those in which artifacts lie."""
        return tuple(sorted({artifact.cloud for artifact in self.artifacts}))

    def of_cloud(self, cloud: str) -> tuple[Artifact, ...]:
        """The artifacts there."""
        return tuple(artifact for artifact in self.artifacts if artifact.cloud == cloud)


def check(choices: Choices) -> Choices:
    """The same, if every value has its form and nothing is missing. UsageError `init.value_invalid`."""
    for kind, value in _values(choices):
        pattern, expected = FORMS[kind]
        if not pattern.fullmatch(value):
            raise _wrong(f"{value[:120]!r} is no {kind}", expected)
    unknown = [gate for gate in choices.gates if gate not in GATES]
    if unknown or not choices.gates:
        raise _wrong(f"the gates are {', '.join(choices.gates) or 'none'}", "some of " + ", ".join(GATES))
    for name in _environments(choices):
        if name.casefold() in RESERVED:  # GitHub tells no cases apart
            raise _wrong(f"{name!r} as an environment of gates", f"none of {', '.join(sorted(RESERVED))}")
    if choices.workflows not in WORKFLOWS:
        raise _wrong(f"{choices.workflows!r} as --workflows", "one of " + ", ".join(WORKFLOWS))
    if (choices.version is not None) != (len(choices.ref) == 40):
        raise _wrong(f"ref {choices.ref} with version {choices.version}", "a version for a commit, and only for one")
    for lacking, expected in _lacking(choices):
        raise _wrong(lacking, expected)
    return choices


def _values(choices: Choices) -> Iterator[tuple[str, str]]:
    """Every value with its kind."""
    single = {
        "repository": choices.repository,
        "branch": choices.branch,
        "aegis": choices.aegis,
        "ref": choices.ref,
        "version": choices.version,
        "account": choices.account,
        "repository-id": choices.repository_id,
        "oci-domain": choices.oci_domain,
        "oci-region": choices.oci_region,
        "store": choices.store,
        "evidence": choices.evidence,
        "prometheus": choices.prometheus,
        "rollout": choices.rollout,
    }
    yield from ((kind, value) for kind, value in single.items() if value is not None)
    yield from (("environment", name) for name in _environments(choices))
    several = {
        "owner": choices.owners,
        "artifact": tuple(artifact.name for artifact in choices.artifacts),
        "source": tuple(artifact.source for artifact in choices.artifacts),
        "key": choices.keys,
        "database": choices.databases,
        "recipient": choices.recipients,
    }
    for kind, values in several.items():
        if len(set(values)) < len(values):
            raise _wrong(f"a {kind} is named twice: {', '.join(values)[:200]}", "each once")
        yield from ((kind, value) for value in values)


def _environments(choices: Choices) -> tuple[str, ...]:
    """Those that can be chosen."""
    return choices.environment, choices.drill_environment, choices.deploy_environment


def _lacking(choices: Choices) -> Iterator[tuple[str, str]]:
    """What the chosen gates need beside their names, since an empty rule would be a green one."""
    if "verify" in choices.gates:
        if not choices.artifacts:
            yield "the gate verify without an artifact", "--artifact NAME=s3://bucket/key, once or more"
        if not choices.keys and choices.repository is None:
            yield "no signer is known", "--repository OWNER/NAME, whose workflow signs, or --key"
        if "oci" in choices.clouds and (choices.oci_domain is None or choices.oci_region is None):
            yield "an artifact in OCI without its identity domain", "--oci-domain and --oci-region"
        if "oci" in choices.clouds and choices.workflows == "one":
            yield "one workflow for artifacts in OCI", "--workflows each: another cloud is another check"
    if "backup-check" in choices.gates:
        if choices.store is None or not choices.databases:
            yield "the gate backup-check without backups", "--backup-store s3://bucket/prefix/ and --database NAME"
        if len(choices.recipients) == 1:
            yield "one recipient of backups", "two or more, so that one lost key loses no backup"
    if choices.evidence is not None:
        if choices.workflows != "one" or not {"scan", "verify"} & set(choices.gates):
            yield "evidence without the workflow that stores it", "--workflows one, with the gate scan or verify"
        if choices.repository is None:
            yield "evidence without a signer", "--repository OWNER/NAME, whose workflow signs"
        if choices.evidence.startswith("oci://") and (choices.oci_domain is None or choices.oci_region is None):
            yield "evidence in OCI without its identity domain", "--oci-domain and --oci-region"
    if "canary" in choices.gates and (choices.prometheus is None or choices.rollout is None):
        yield "the gate canary without a rollout", "--prometheus URL and --rollout NAMESPACE/NAME"


def _wrong(problem: str, expected: str) -> UsageError:
    return UsageError("init.value_invalid", problem, expected=expected, remedy="Correct the argument.")
