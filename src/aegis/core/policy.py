"""What a repository asks of its gates: the types of `aegis.yml`, version 1.

`aegis.core.policy_file` reads the file into these types; the JSON Schema in docs/schemas is generated from them.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct, field

MAX_EXCEPTION_DAYS = 180
"""How far away the end of a suppression or waiver may lie: two quarters, so that each is looked at twice a year."""

Text = Annotated[str, Meta(min_length=1, max_length=500)]
"""A reason or a name that a person wrote."""
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
NAME_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}"
"""Of what an artifact is called."""
# `$` alone would let a line feed at the end through.
Fingerprint = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$(?!\n)")]
CommitSha = Annotated[str, Meta(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$(?!\n)")]
ScanClass = Literal["runtime", "type-only", "test", "dynamic", "embedded", "cli", "manifest", "image", "ci", "wrapper"]
GateName = Literal["scan", "verify", "canary", "backup-check"]
Mode = Annotated[str, Meta(pattern=r"^(enforce|observe until [0-9]{4}-[0-9]{2}-[0-9]{2})$(?!\n)")]


class _Section(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Unknown keys are errors: a misspelt rule must not be a missing rule."""


class Allow(_Section, frozen=True):
    """Paths in which one provider's SDK may be used."""

    path: Path
    """A glob relative to the repository's root (`aegis.core.globs`)."""
    provider: Text
    """One provider of the catalogue, e.g. `aws`."""
    reason: Text
    """Why it is used here."""
    classes: tuple[ScanClass, ...] = ()
    """Only these classes of use; none named means all."""


class Suppression(_Section, frozen=True):
    """One known use that is let through for a time."""

    rule: Text
    """The finding's reason, e.g. `scan.runtime`."""
    path: Path
    """One file; wildcards are refused."""
    owner: Text
    """Who answers for it."""
    reason: Text
    """Why it is let through."""
    expires: datetime.date
    """The last day on which it holds, UTC, at most 180 days away."""
    fingerprint: Fingerprint | None = None
    """Of one use; left out, every use of this rule in this file."""


class Waiver(_Section, frozen=True):
    """One finding of any gate that is let through as `pass with waiver`."""

    gate: GateName
    """Whose finding it is."""
    rule: Text
    """The finding's reason."""
    fingerprint: Fingerprint
    """The finding's, from `verdict.json`."""
    owner: Text
    """Who answers for it."""
    reason: Text
    """Why it is let through."""
    expires: datetime.date
    """The last day on which it holds, UTC, at most 180 days away."""


class ScanPolicy(_Section, frozen=True):
    """`scan`: no direct cloud SDK in runtime code."""

    strict: bool = True
    """Fail on every class that is not allowed, and on anything not analysed."""
    providers: tuple[Text, ...] = ("aws", "azure", "gcp", "oci")
    """Whose SDKs are looked for."""
    allowed_classes: tuple[ScanClass, ...] = field(default=(), name="allowed-classes")
    """Classes that are fine everywhere, e.g. `test`."""
    tests: tuple[Path, ...] = ()
    """Globs of test code beside the usual ones."""
    allow: tuple[Allow, ...] = ()
    """Where a provider's SDK is meant to be used: its adapters."""
    baseline: Path | None = None
    """A JSON file written by `aegis scan --write-baseline`."""
    suppressions: tuple[Suppression, ...] = ()
    """Single known uses that are let through for a time."""


class Signer(_Section, frozen=True):
    """Who may sign: exactly one of `key`, `identity`, `identity-pattern` or `certificate`."""

    key: Text | None = None
    """A public key's file in the repository, or `env:COSIGN_PUB_KEY`."""
    valid_from: datetime.date | None = field(default=None, name="valid-from")
    """Only with `key` or `certificate`: the first day (UTC) on which it is trusted."""
    valid_until: datetime.date | None = field(default=None, name="valid-until")
    """The last day (UTC)."""
    identity: Text | None = None
    """A certificate's subject alternative name, exactly, e.g. the URL of a workflow with its ref."""
    identity_pattern: Text | None = field(default=None, name="identity-pattern")
    """A regular expression for it, anchored by `^` and `$`, without wildcards that match everything."""
    issuer: Text | None = None
    """The OIDC issuer, exactly; required with an identity."""
    claims: dict[str, Text] = {}
    """GitHub's claims in the certificate, exactly, e.g. `repository-id`, which a renamed repository keeps."""
    deny_self_hosted: bool = field(default=False, name="deny-self-hosted")
    """Only signatures that were made on runners of GitHub."""
    certificate: Path | None = None
    """Root certificates (PEM) of the `certificate` method of OpenSSF Model Signing."""
    subject: Text | None = None
    """Only with `certificate`: the leaf's subject (RFC 4514), exactly."""


class Release(_Section, frozen=True):
    """A release statement that binds name, version and root digest."""

    statement: Path = "release.sigstore.json"
    """Name of its bundle beside the artifact."""
    signers: tuple[Signer, ...] = ()
    """None named: the artifact's own."""


class Artifact(_Section, frozen=True):
    """One artifact and who must have signed it."""

    name: Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}$(?!\n)")]
    """What it is called in reports, waivers and by the loader."""
    kind: Literal["file", "model", "attestation"]
    """`file`: one file. `model`: every file of a folder. `attestation`: a statement about one file."""
    source: Annotated[str, Meta(min_length=1, max_length=2048)]
    """`s3://bucket/key`, `oci://namespace/bucket/key`, `https://host/path`, or a path in the repository. A model, and
    every file below a prefix, end in `/`."""
    signatures: tuple[Path, ...] = ()
    """Names beside the artifact. None named: `model.sig` in a model, and for a file its own name with
    `.sigstore.json`."""
    signers: tuple[Signer, ...] = ()
    """None named: `verify.signers`."""
    threshold: Annotated[int, Meta(ge=1, le=20)] = 1
    """How many different signers must have signed."""
    predicate_types: tuple[Text, ...] = field(default=(), name="predicate-types")
    """Of an attestation, exactly; at least one."""
    ignore_paths: tuple[Path, ...] = field(default=(), name="ignore-paths")
    """What a model's signer may leave out of the manifest, exactly; nothing else may be left out."""
    release: Release | None = None
    """None: name and version of the artifact are not looked at."""


Https = Annotated[
    str, Meta(pattern=r"^(https://|http://(127\.0\.0\.1|localhost|\[::1\])[:/])[^\s@?#]+$(?!\n)", max_length=500)
]
"""An address; plain HTTP only on this machine."""


class Aws(_Section, frozen=True):
    """How to read from AWS with a role that trusts GitHub's OIDC provider."""

    role: Annotated[str, Meta(pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$(?!\n)")] | None = None
    """None: the input `aws-role-to-assume`."""
    region: Annotated[str, Meta(pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$(?!\n)")] | None = None
    """None: the input `aws-region`."""
    account: Annotated[str, Meta(pattern=r"^[0-9]{12}$(?!\n)")] | None = None
    """The account that the role must be of; none named: the role's own."""
    audience: Text = "sts.amazonaws.com"
    """Of the OIDC token, as the role's trust policy names it."""
    kms_keys: tuple[Text, ...] = field(default=(), name="kms-keys")
    """ARNs of keys that encrypt the objects; the session may decrypt with just these."""
    sts_endpoint: Https | None = field(default=None, name="sts-endpoint")
    """Of an S3-compatible store with an STS of its own; never taken from the environment."""
    s3_endpoint: Https | None = field(default=None, name="s3-endpoint")
    """Of such a store, likewise."""


class Oci(_Section, frozen=True):
    """How to read from OCI Object Storage by the token exchange of an identity domain."""

    domain: Https
    """The identity domain, e.g. `https://idcs-….identity.oraclecloud.com`."""
    region: Annotated[str, Meta(pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$(?!\n)")]
    """Of the buckets."""
    audience: Text = "https://cloud.oracle.com"
    """Of the OIDC token, as the domain's trust names it."""
    storage_endpoint: Https | None = field(default=None, name="storage-endpoint")
    """None: the region's own."""


class Earlier(_Section, frozen=True):
    """Signed verdicts of earlier runs, which spare unchanged artifacts a download."""

    source: Annotated[str, Meta(min_length=1, max_length=2048)]
    """The prefix that holds them."""
    signers: tuple[Signer, ...]
    """Who may have signed them; at least one."""
    max_age_days: Annotated[int, Meta(ge=1, le=30)] = field(default=7, name="max-age-days")
    """Older ones count for nothing."""


Format = Literal["safetensors", "onnx", "gguf", "pickle"]


class Load(_Section, frozen=True):
    """What the runtime's loader asks beside the signatures; the gate does not look at it."""

    formats: tuple[Format, ...] = ("safetensors", "onnx", "gguf")
    """By content, never by name. `pickle` here is for every model: name single ones in `pickles` instead."""
    pickles: tuple[Text, ...] = ()
    """Artifacts that may hold pickles, which run code when they are loaded."""
    max_bytes: Annotated[int, Meta(ge=1)] = field(default=64 << 30, name="max-bytes")
    """Of all files of one model together."""
    max_files: Annotated[int, Meta(ge=1, le=100_000)] = field(default=10_000, name="max-files")
    """Of one model."""
    verdict: Earlier | None = None
    """A signed verdict of the verify gate that must name the digest to be loaded; none: signatures are enough."""
    revoked: tuple[Fingerprint, ...] = ()
    """Digests (SHA-256, hex) that are never loaded again."""


class VerifyPolicy(_Section, frozen=True):
    """`verify`: artifacts are signed by whom the policy says."""

    artifacts: tuple[Artifact, ...] = ()
    """At least one: a policy without any is refused."""
    signers: tuple[Signer, ...] = ()
    """For the artifacts that name none of their own."""
    trusted_root: Path | None = field(default=None, name="trusted-root")
    """Sigstore's trusted root in the repository; none named: the public good instance's, as packaged."""
    lock: Path = "aegis.lock"
    """What was accepted of each release; it may only move forward."""
    aws: Aws | None = None
    """For artifacts in S3."""
    oci: Oci | None = None
    """For artifacts in OCI Object Storage."""
    earlier: Earlier | None = None
    """None: every run reads every artifact."""
    load: Load = Load()
    """For the runtime's loader."""


Duration = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,3}[mhd]$(?!\n)")]
"""A number of minutes, hours or days, e.g. `26h`."""


def minutes(duration: Duration) -> int:
    """How long it is."""
    return int(duration[:-1]) * {"m": 1, "h": 60, "d": 1440}[duration[-1]]


Tier = Literal["sample", "data", "proof", "full"]
"""How much of a backup a restore proves, from least to most: the rows of some tables; of all; with constraints and
unique indexes; or everything."""


class Smoke(_Section, frozen=True):
    """A question to the restored database that must be answered by `true`."""

    name: Text
    """What it is called in reports."""
    sql: Annotated[str, Meta(min_length=1, max_length=10_000)]
    """One statement that gives one boolean, e.g. `SELECT count(*) > 0 FROM users`. It runs read-only."""


class BackedUp(_Section, frozen=True):
    """One database, and what is asked of its backups."""

    name: Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}$(?!\n)")]
    """Of its folder in the store; need not be the database's own name."""
    max_age: Duration = field(default="26h", name="max-age")
    """Of the newest backup's snapshot: the recovery point objective (RPO). Nothing younger can be had back."""
    max_proof_age: Duration = field(default="8d", name="max-proof-age")
    """Of the last restore that was proven equal."""
    tier: Tier = "proof"
    """The least that counts as proven."""
    max_restore: Duration | None = field(default=None, name="max-restore")
    """Recovery time objective (RTO): a restore that takes longer fails."""
    max_shrink: Annotated[int, Meta(ge=0, le=100)] = field(default=50, name="max-shrink")
    """Percent by which a backup may be smaller than the median of those before it. 100: whatever."""
    smoke: tuple[Smoke, ...] = ()
    """Asked after each restore."""
    system_identifier: Annotated[str, Meta(pattern=r"^[0-9]{1,20}$(?!\n)")] | None = field(
        default=None, name="system-identifier"
    )
    """Of the cluster that must have been dumped (`pg_control_system()`), so that no other passes for it; none named: as
    in the backup before."""
    database: Annotated[str, Meta(min_length=1, max_length=63)] | None = None
    """The database's own name, likewise."""


class Keep(_Section, frozen=True):
    """Which verified backups `aegis backup prune` keeps: the newest of each of so many days, weeks and months (UTC)."""

    last: Annotated[int, Meta(ge=1, le=10_000)] = 7
    """The newest verified ones, whatever their age."""
    daily: Annotated[int, Meta(ge=0, le=10_000)] = 14
    """Of so many days."""
    weekly: Annotated[int, Meta(ge=0, le=10_000)] = 8
    """Of so many weeks."""
    monthly: Annotated[int, Meta(ge=0, le=10_000)] = 12
    """Of so many months."""


class BackupCheckPolicy(_Section, frozen=True):
    """`backup-check`: databases have fresh backups, and the restore of one was proven lately."""

    store: Annotated[str, Meta(min_length=2, max_length=2048, pattern=r"/$(?!\n)")]
    """The prefix that holds the backups: `s3://bucket/prefix/`, `oci://namespace/bucket/prefix/`, or a folder."""
    databases: tuple[BackedUp, ...] = ()
    """At least one: a policy without any is refused."""
    records: Annotated[str, Meta(min_length=2, max_length=2048, pattern=r"/$(?!\n)")] | None = None
    """The prefix that holds what restores have proven, written by who restores; none named: `_records/` in `store`."""
    signers: tuple[Signer, ...] = ()
    """Who may sign manifests; none named: they need no signature."""
    trusted_root: Path | None = field(default=None, name="trusted-root")
    """As in `verify`."""
    recipients: tuple[Text, ...] = ()
    """age recipients (`age1…`) that backups are encrypted to; at least two, so that one lost key loses no backup."""
    keep: Keep = Keep()
    """For `aegis backup prune`."""
    aws: Aws | None = None
    """For a store in S3."""
    oci: Oci | None = None
    """For a store in OCI Object Storage."""
    issue: bool = True
    """Open a GitHub issue when a scheduled run fails, and close it by the next that passes."""


Span = Annotated[str, Meta(pattern=r"^(0|[1-9][0-9]{0,4})[smh]$(?!\n)")]
"""A number of seconds, minutes or hours, e.g. `90s`."""
LabelName = Annotated[str, Meta(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$(?!\n)", max_length=200)]
KubernetesName = Annotated[str, Meta(pattern=r"^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$(?!\n)")]
Selector = Annotated[str, Meta(min_length=1, max_length=1000)]
"""A counter of PromQL with label matchers, e.g. `http_requests_total{code=~"5.."}`; no function, no range."""
Preset = Literal[
    "http",
    "http-latency",
    "otel-http",
    "otel-http-latency",
    "grpc",
    "grpc-latency",
    "aegis",
    "aegis-latency",
    "restarts",
]
"""Common metrics by one word (`aegis.gates.canary.samples.presets`)."""
Undecided = Literal["hold", "abort"]


def seconds(span: str) -> int:
    """The seconds of a `Span`."""
    return int(span[:-1]) * {"s": 1, "m": 60, "h": 60 * 60}[span[-1]]


class Prometheus(_Section, frozen=True):
    """Which Prometheus is asked, and how it knows who asks."""

    url: Annotated[
        str,
        Meta(
            pattern=r"^(https://[^\s@?#/]+|http://(127\.0\.0\.1|localhost|\[::1\]|[a-z0-9.-]+\.svc(\.cluster\.local)?)(:[0-9]+)?)"
            r"(/[^\s@?#]*)?$(?!\n)",
            max_length=500,
        ),
    ]
    """Without `/api/v1`; a path before it is kept. Plain HTTP only on this machine and, without a secret, to a service
    of the same cluster (`http://NAME.NAMESPACE.svc:9090`)."""
    bearer_env: Annotated[str, Meta(pattern=r"^PROMETHEUS_[A-Z0-9_]{1,60}$(?!\n)")] | None = field(
        default=None, name="bearer-env"
    )
    """The environment variable that holds a bearer token. Of this form alone, so that no policy sends other secrets."""
    bearer_file: Path | None = field(default=None, name="bearer-file")
    """The file that holds it, read anew for each request, since Kubernetes renews tokens."""
    sigv4_region: Annotated[str, Meta(pattern=r"^[a-z]{2,}(-[a-z0-9]+)+$(?!\n)")] | None = field(
        default=None, name="sigv4-region"
    )
    """Sign requests for Amazon Managed Service for Prometheus in this region."""
    tenant: Annotated[str, Meta(pattern=r"^[A-Za-z0-9!._*'()|-]{1,150}$(?!\n)")] | None = None
    """The header `X-Scope-OrgID` of Mimir, Cortex and Loki."""
    via: Literal["direct", "api-server"] = "direct"
    """`api-server`: a private Prometheus through the cluster's API server, by its service's address in `url`."""
    scrape_interval: Span = field(default="30s", name="scrape-interval")
    """The longest of the targets' own."""


class Rollout(_Section, frozen=True):
    """The Rollout that is watched, and by which labels its pods' series are known."""

    namespace: KubernetesName
    """In the cluster."""
    name: KubernetesName
    """In that namespace."""
    namespace_label: LabelName = field(default="namespace", name="namespace-label")
    """The label of series that holds a pod's namespace."""
    pod_label: LabelName = field(default="pod", name="pod-label")
    """The label of series that holds a pod's name."""
    hash_label: LabelName | None = field(default=None, name="hash-label")
    """The label that holds the pod template's hash; none named: pods are told apart by their names."""


REQUESTS_FLOOR = 0.001
"""Of a metric whose policy names no floor: one bad request in a thousand."""
TRAFFIC_TOLERATED = 1.5
"""Of traffic whose policy names no ratio."""


class CanaryMetric(_Section, frozen=True):
    """What is compared: bad events among all, requests slower than the SLO, or events per time."""

    name: Annotated[str, Meta(pattern=rf"^{NAME_PATTERN}$(?!\n)")] | None = None
    """None: the preset's."""
    preset: Preset | None = None
    """Instead of the selectors below."""
    match: Annotated[str, Meta(min_length=1, max_length=500)] | None = None
    """Label matchers that the preset's selectors get beside their own, e.g. `job="api"`."""
    total: Selector | None = None
    """All events, e.g. requests. None: `bad` is counted per time."""
    bad: Selector | None = None
    """Which of them are bad. None: how many the canary gets is compared with its share of the traffic."""
    histogram: Selector | None = None
    """Instead of both: the `_bucket` counters of a classic histogram."""
    slo: Annotated[float, Meta(gt=0)] | None = None
    """In the histogram's unit: what is above the first bucket edge from here on is too slow."""
    pod_label: LabelName | None = field(default=None, name="pod-label")
    """None: `rollout.pod-label`. What kube-state-metrics says of a pod may stand under `exported_pod`."""
    namespace_label: LabelName | None = field(default=None, name="namespace-label")
    """None: `rollout.namespace-label`; beside `exported_pod` stands `exported_namespace`."""
    direction: Literal["increase", "decrease", "either"] | None = None
    """Which way is worse: more bad events, or (of e.g. finished orders) fewer. None: more; of traffic either."""
    weight: Annotated[float, Meta(gt=0, le=1000)] = 1.0
    """In the average that aborts, beside the other metrics."""
    critical: bool | None = None
    """Whether a promotion needs this metric's own evidence. None: yes, but of events per time and of traffic, which are
    evidence against a canary only."""
    tolerated: Annotated[float, Meta(ge=1, le=10)] | None = None
    """The ratio of canary to stable that nobody minds. None: 1; of traffic 1.5, since a share is never met exactly."""
    floor: Annotated[float, Meta(ge=0, le=1)] | None = None
    """The share of bad events (or events a second) below which nobody minds, whatever the ratio. None: 0.001 of
    requests, since a service without errors has none to compare; else 0."""
    ceiling: Annotated[float, Meta(gt=0)] | None = None
    """The share (or events a second) above which the canary is aborted, whatever stable does."""
    ceiling_window: Span | None = field(default=None, name="ceiling-window")
    """Judge the ceiling anew each time, so that a canary that was good for long is aborted soon once it is not. None:
    by all that was counted since the start."""


Estimated = Literal["estimated"]


class Requires(_Section, frozen=True):
    """Signed verdicts about each image, without which no version is promoted."""

    source: Annotated[str, Meta(min_length=2, max_length=2048, pattern=r"/$(?!\n)")]
    """The prefix that `aegis evidence put` stores them below: `s3://bucket/prefix/`, `oci://namespace/bucket/prefix/`
    (from the command line), or a folder of the repository."""
    signers: tuple[Signer, ...] = ()
    """Who may have signed them; at least one."""
    gates: tuple[GateName, ...] = ("verify", "scan")
    """Whose verdicts: one of each."""
    max_age: Duration = field(default="7d", name="max-age")
    """Of the verdict, by the time that its gate finished."""
    trusted_root: Path | None = field(default=None, name="trusted-root")
    """As in `verify`."""
    without: tuple[Text, ...] = ()
    """Repositories of images that have no verdicts, e.g. `docker.io/envoyproxy/envoy`, exactly. Those need a digest
    nevertheless."""


class CanaryPolicy(_Section, frozen=True):
    """`canary`: a version that is rolled out is not worse than the stable one, by evidence."""

    prometheus: Prometheus
    """Where the samples are."""
    rollout: Rollout
    """What is judged."""
    metrics: tuple[CanaryMetric, ...] = ()
    """At least one: a policy without any is refused."""
    alpha: Annotated[float, Meta(gt=0, le=0.2)] = 0.01
    """How often a good canary may be aborted, however often it is looked at."""
    beta: Annotated[float, Meta(gt=0, le=0.2)] = 0.05
    """How often a canary that is `margin` times as bad may be promoted."""
    margin: Annotated[float, Meta(gt=1, le=20)] = 2.0
    """The ratio that a promotion must exclude."""
    interval: Span = "10s"
    """From look to look."""
    warm_up: Span = field(default="0s", name="warm-up")
    """Of each new pod, on both sides: what is left out of the comparison."""
    deadline: Span = "1h"
    """Of the whole watch."""
    at_deadline: Undecided = field(default="hold", name="at-deadline")
    """What is done without evidence either way."""
    no_data: Undecided = field(default="hold", name="no-data")
    """What is done when a side gives no samples."""
    min_bad_events: Annotated[int, Meta(ge=1, le=1000)] = field(default=3, name="min-bad-events")
    """Of the canary, before it is aborted."""
    promote: Literal["full", "steps"] = "full"
    """`steps`: each endless pause of the Rollout ends by itself as soon as there is enough evidence, twice as much from
    one to the next, and the last one by the promotion. `full`: one promotion ends all of them."""
    spread: Annotated[float, Meta(ge=0, le=2)] | Estimated = "estimated"
    """By how much pods differ by chance: standard deviation of the logarithm of their rates."""
    cluster: Annotated[float, Meta(ge=1, le=100)] | Estimated = "estimated"
    """How many bad events come together, e.g. by retries: their variance over their mean."""
    requires: Requires | None = None
    """Left out, any image may be promoted."""
    aws: Aws | None = None
    """The role for `prometheus.sigv4-region`, `requires.source` and a cluster that knows AWS's identities."""
    oci: Oci | None = None
    """For a `requires.source` in OCI."""


class Retain(_Section, frozen=True):
    """How long the store must hold each verdict fast (S3 Object Lock)."""

    days: Annotated[int, Meta(ge=1, le=36_500)]
    """From when it was stored."""
    mode: Literal["governance", "compliance"] = "governance"
    """`compliance`: nobody at all can remove it before."""


class EvidencePolicy(_Section, frozen=True):
    """`evidence`: where signed verdicts are kept for longer than GitHub keeps a run, and whose count."""

    store: Annotated[str, Meta(min_length=2, max_length=2048, pattern=r"/$(?!\n)")]
    """The prefix: `s3://bucket/prefix/`, `oci://namespace/bucket/prefix/`, or a folder."""
    signers: tuple[Signer, ...] = ()
    """Who may sign verdicts; at least one."""
    trusted_root: Path | None = field(default=None, name="trusted-root")
    """As in `verify`."""
    retain: Retain | None = None
    """None: whatever the bucket does by itself."""
    aws: Aws | None = None
    """For a store in S3."""
    oci: Oci | None = None
    """For a store in OCI Object Storage."""


class Extends(_Section, frozen=True):
    """An organisation's policy, which this file may only tighten."""

    repository: Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$(?!\n)")]
    """`OWNER/NAME` at the same GitHub."""
    commit: CommitSha
    """The whole id, since a branch could be another policy tomorrow."""
    path: Path = "aegis.yml"
    """In that repository."""


class Policy(_Section, frozen=True):
    """The whole of `aegis.yml`."""

    version: Literal[1]
    """Of the file's form."""
    extends: Extends | None = None
    """An organisation's policy below this one."""
    mode: Mode = "enforce"
    """`enforce`, or `observe until YYYY-MM-DD`: report only, under another check name, and never as a pass."""
    waivers: tuple[Waiver, ...] = ()
    """Findings that are let through by name, for a time."""
    scan: ScanPolicy | None = None
    """Left out, the root action does not run this gate."""
    verify: VerifyPolicy | None = None
    """Left out, the root action does not run this gate."""
    canary: CanaryPolicy | None = None
    """Left out, the root action does not run this gate."""
    backup_check: BackupCheckPolicy | None = field(default=None, name="backup-check")
    """Left out, the root action does not run this gate."""
    evidence: EvidencePolicy | None = None
    """Left out, `aegis evidence` goes by its arguments alone."""
