from __future__ import annotations

import datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from aegis.core.loosening import loosenings, of_gate
from aegis.core.policy import (
    Allow,
    Artifact,
    Aws,
    BackedUp,
    BackupCheckPolicy,
    CanaryMetric,
    CanaryPolicy,
    Earlier,
    EvidencePolicy,
    Extends,
    Keep,
    Load,
    Oci,
    Policy,
    Prometheus,
    Release,
    Rollout,
    ScanPolicy,
    Signer,
    Smoke,
    Suppression,
    VerifyPolicy,
    Waiver,
)

DAY = datetime.date(2027, 1, 1)
ALLOW = Allow(path="a/**", provider="aws", reason="adapter")
SUPPRESSION = Suppression(rule="scan.cli", path="x.sh", owner="me", reason="why", expires=DAY)
WAIVER = Waiver(gate="scan", rule="scan.cli", fingerprint="a" * 64, owner="me", reason="why", expires=DAY)
EXTENDS = Extends(repository="org/policies", commit="a" * 40)
STRICT = Policy(version=1, scan=ScanPolicy(), extends=EXTENDS)


def scan(**changes: object) -> Policy:
    return structs.replace(STRICT, scan=structs.replace(ScanPolicy(), **changes))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (structs.replace(STRICT, mode="observe until 2027-01-01"), "mode"),
        (structs.replace(STRICT, waivers=(WAIVER,)), "waivers: scan.cli is new"),
        (structs.replace(STRICT, extends=None), "extends"),
        (structs.replace(STRICT, extends=structs.replace(EXTENDS, commit="b" * 40)), "extends"),
        (structs.replace(STRICT, scan=None), "scan: the section is gone"),
        (scan(strict=False), "scan.strict"),
        (scan(providers=("aws", "gcp", "oci")), "scan.providers: azure is gone"),
        (scan(allowed_classes=("test",)), "scan.allowed-classes: test is new"),
        (scan(tests=("**",)), "scan.tests: ** is new"),
        (scan(allow=(ALLOW,)), "scan.allow: a/** aws is new"),
        (scan(suppressions=(SUPPRESSION,)), "scan.suppressions: scan.cli x.sh is new"),
        (scan(baseline="b.json"), "scan.baseline: b.json instead of none"),
    ],
)
def test_each_way_to_weaken_a_policy_is_told_and_its_reverse_is_none(after: Policy, words: str) -> None:
    told = loosenings(STRICT, after)
    assert [each for each in told if words in each] == told
    assert told
    reverse = loosenings(after, STRICT)
    # Another organisation policy is a change of rules in both directions.
    assert reverse == [] or (after.extends is not None and after.extends != EXTENDS)


def test_an_extended_end_is_a_new_entry() -> None:
    later = structs.replace(SUPPRESSION, expires=DAY + datetime.timedelta(days=1))
    assert loosenings(scan(suppressions=(SUPPRESSION,)), scan(suppressions=(later,)))


def test_observe_may_end_sooner_and_not_later() -> None:
    sooner, later = (structs.replace(STRICT, mode=f"observe until 2027-01-0{day}") for day in (1, 2))
    assert loosenings(later, sooner) == []
    assert loosenings(sooner, later)


_POLICIES = st.builds(
    ScanPolicy,
    strict=st.booleans(),
    providers=st.lists(st.sampled_from(["aws", "gcp"]), unique=True).map(tuple),
    allowed_classes=st.lists(st.sampled_from(["test", "cli"]), unique=True).map(tuple),
    tests=st.lists(st.sampled_from(["a", "b"]), unique=True).map(tuple),
    baseline=st.sampled_from([None, "x"]),
).map(lambda section: Policy(version=1, scan=section))


@given(_POLICIES, _POLICIES, _POLICIES)
def test_tightening_is_an_order(first: Policy, second: Policy, third: Policy) -> None:
    assert loosenings(first, first) == []
    if not loosenings(first, second) and not loosenings(second, third):
        assert loosenings(first, third) == []


KEY, OTHER_KEY = Signer(key="keys/a.pub"), Signer(key="keys/b.pub")
WHO = Signer(identity="https://x", issuer="https://i", claims={"ref": "refs/heads/main"})
FILE = Artifact(name="tool", kind="file", source="s3://bkt/x", threshold=2, signers=(KEY, WHO), release=Release())
SAID = Artifact(name="said", kind="attestation", source="s3://bkt/y", predicate_types=("a",))
EARLIER = Earlier(source="s3://bkt/v/", signers=(KEY,), max_age_days=3)
REVOKED = "a" * 64
LOAD = Load(
    formats=("safetensors",), pickles=("tool",), max_bytes=1000, max_files=10, verdict=EARLIER, revoked=(REVOKED,)
)
SIGNED = VerifyPolicy(
    artifacts=(FILE, SAID),
    signers=(KEY,),
    trusted_root="root.json",
    aws=Aws(region="eu-west-1"),
    oci=Oci(domain="https://idcs.example", region="eu-x-1"),
    earlier=EARLIER,
    load=LOAD,
)


def verify(**changes: object) -> Policy:
    return Policy(version=1, verify=structs.replace(SIGNED, **changes))


def load(**changes: object) -> Policy:
    return verify(load=structs.replace(LOAD, **changes))


def artifact(**changes: object) -> Policy:
    return verify(artifacts=(structs.replace(FILE, **changes), SAID))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Policy(version=1), "verify: the section is gone"),
        (verify(artifacts=(SAID,)), "verify.artifacts: tool is gone"),
        (artifact(name="tool2"), "verify.artifacts: tool is gone"),
        (artifact(kind="model"), "verify.artifacts.tool.kind: another one"),
        (artifact(source="s3://bkt/z"), "verify.artifacts.tool.source: another one"),
        (artifact(signatures=("*.sig",)), "verify.artifacts.tool.signatures: another one"),
        (artifact(threshold=1), "verify.artifacts.tool.threshold: 1 instead of 2"),
        (artifact(signers=(KEY, WHO, OTHER_KEY)), "verify.artifacts.tool.signers: keys/b.pub is new"),
        (artifact(signers=(KEY, structs.replace(WHO, claims={}))), "verify.artifacts.tool.signers: https://x is new"),
        (artifact(signers=(KEY, structs.replace(WHO, issuer="https://j"))), "verify.artifacts.tool.signers"),
        (artifact(signers=(structs.replace(KEY, valid_until=DAY), WHO)), "verify.artifacts.tool.signers"),
        (artifact(release=None), "verify.artifacts.tool.release: gone"),
        (artifact(release=Release(statement="r")), "verify.artifacts.tool.release: another one"),
        (artifact(ignore_paths=("x",)), "verify.artifacts.tool.ignore-paths: x is new"),
        (verify(signers=(KEY, OTHER_KEY)), "verify.artifacts.said.signers: keys/b.pub is new"),
        (
            verify(artifacts=(FILE, structs.replace(SAID, signers=(OTHER_KEY,)))),
            "verify.artifacts.said.signers: keys/b.pub is new",
        ),
        (
            verify(artifacts=(FILE, structs.replace(SAID, predicate_types=("a", "b")))),
            "verify.artifacts.said.predicate-types: b is new",
        ),
        (verify(trusted_root=None), "verify.trusted-root: the packaged one instead of root.json"),
        (verify(trusted_root="x.json"), "verify.trusted-root: x.json instead of root.json"),
        (verify(lock="other.lock"), "verify.lock: other.lock instead of aegis.lock"),
        (verify(aws=Aws(region="eu-west-1", s3_endpoint="https://evil.example")), "verify.aws: another one"),
        (verify(aws=Aws(region="eu-west-1", role="arn:aws:iam::123456789012:role/x")), "verify.aws: another one"),
        (verify(aws=None), "verify.aws: another one"),
        (verify(oci=Oci(domain="https://evil.example", region="eu-x-1")), "verify.oci: another one"),
        (verify(earlier=structs.replace(EARLIER, source="s3://bkt/w/")), "verify.earlier.source: another one"),
        (verify(earlier=structs.replace(EARLIER, max_age_days=4)), "verify.earlier.max-age-days: 4 instead of 3"),
        (verify(earlier=structs.replace(EARLIER, signers=(KEY, WHO))), "verify.earlier.signers: https://x is new"),
        (load(formats=("safetensors", "onnx")), "verify.load.formats: onnx is new"),
        (load(formats=("safetensors", "pickle")), "verify.load.formats: pickle is new"),
        (load(pickles=("tool", "said")), "verify.load.pickles: said is new"),
        (load(max_bytes=1001), "verify.load.max-bytes: 1001 instead of 1000"),
        (load(max_files=11), "verify.load.max-files: 11 instead of 10"),
        (load(verdict=None), "verify.load.verdict: none is asked for any more"),
        (load(verdict=structs.replace(EARLIER, source="s3://bkt/w/")), "verify.load.verdict.source: another one"),
        (load(verdict=structs.replace(EARLIER, max_age_days=4)), "verify.load.verdict.max-age-days: 4 instead of 3"),
        (load(verdict=structs.replace(EARLIER, signers=(KEY, WHO))), "verify.load.verdict.signers: https://x is new"),
        (load(revoked=("b" * 64,)), f"verify.load.revoked: {REVOKED} is gone"),
    ],
)
def test_each_way_to_weaken_verify_is_told(after: Policy, words: str) -> None:
    told = loosenings(verify(), after)
    assert told
    assert [each for each in told if words in each] == told
    assert of_gate(told, "verify") == told
    assert of_gate(told, "scan") == []


@pytest.mark.parametrize(
    "after",
    [
        verify(),
        verify(artifacts=(FILE, SAID, structs.replace(SAID, name="more"))),
        verify(artifacts=(SAID, FILE)),
        artifact(threshold=3),
        artifact(signers=(KEY,)),
        artifact(signers=(WHO, KEY)),
        verify(earlier=None),
        verify(earlier=structs.replace(EARLIER, max_age_days=1)),
        verify(artifacts=(FILE, structs.replace(SAID, signers=(KEY,)))),
        load(formats=()),
        load(pickles=()),
        load(max_bytes=999, max_files=9),
        load(verdict=structs.replace(EARLIER, max_age_days=1)),
        load(revoked=(REVOKED, "b" * 64)),
    ],
)
def test_what_only_tightens_verify(after: Policy) -> None:
    assert loosenings(verify(), after) == []


def test_a_verdict_that_is_asked_for_from_now_on_is_no_loosening() -> None:
    assert loosenings(load(verdict=None), load()) == []


def test_pickles_for_every_model_cover_those_of_single_ones() -> None:
    everywhere = load(formats=("safetensors", "pickle"))
    assert loosenings(everywhere, load(formats=("safetensors", "pickle"), pickles=("said",))) == []
    assert loosenings(everywhere, load(pickles=("tool",))) == []


def test_verify_may_be_added_to_a_policy() -> None:
    assert loosenings(Policy(version=1), verify()) == []


def test_verdicts_of_earlier_runs_are_not_believed_by_the_way() -> None:
    (told,) = loosenings(verify(earlier=None), verify())
    assert told.startswith("verify.earlier: verdicts of earlier runs are believed")


QUESTION, OTHER_QUESTION = Smoke(name="users", sql="SELECT true"), Smoke(name="orders", sql="SELECT true")
SHOP = BackedUp(name="shop", max_restore="1h", smoke=(QUESTION,), system_identifier="7", database="app")
MAIL = BackedUp(name="mail")
RECIPIENTS = ("age1q", "age1p")
BACKED_UP = BackupCheckPolicy(
    store="s3://bkt/db/",
    databases=(SHOP, MAIL),
    records="s3://bkt/records/",
    signers=(KEY,),
    trusted_root="root.json",
    recipients=RECIPIENTS,
    aws=Aws(region="eu-west-1"),
    oci=Oci(domain="https://idcs.example", region="eu-x-1"),
)


def backed_up(**changes: object) -> Policy:
    return Policy(version=1, backup_check=structs.replace(BACKED_UP, **changes))


def shop(**changes: object) -> Policy:
    return backed_up(databases=(structs.replace(SHOP, **changes), MAIL))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (Policy(version=1), "backup-check: the section is gone"),
        (backed_up(store="s3://bkt/x/"), "backup-check.store: another one"),
        (backed_up(records="s3://bkt/x/"), "backup-check.records: another one"),
        (backed_up(records=None), "backup-check.records: another one"),
        (backed_up(databases=(MAIL,)), "backup-check.databases: shop is gone"),
        (shop(name="shop2"), "backup-check.databases: shop is gone"),
        (shop(max_age="27h"), "backup-check.databases.shop.max-age: 27h instead of 26h"),
        (shop(max_age="2d"), "backup-check.databases.shop.max-age: 2d instead of 26h"),
        (shop(max_proof_age="9d"), "backup-check.databases.shop.max-proof-age: 9d instead of 8d"),
        (shop(max_restore="61m"), "backup-check.databases.shop.max-restore: 61m instead of 1h"),
        (shop(max_restore=None), "backup-check.databases.shop.max-restore: none instead of 1h"),
        (shop(tier="data"), "backup-check.databases.shop.tier: data instead of proof"),
        (shop(tier="sample"), "backup-check.databases.shop.tier: sample instead of proof"),
        (shop(max_shrink=51), "backup-check.databases.shop.max-shrink: 51 instead of 50"),
        (shop(smoke=()), "backup-check.databases.shop.smoke.users: gone"),
        (shop(smoke=(OTHER_QUESTION,)), "backup-check.databases.shop.smoke.users: gone"),
        (
            shop(smoke=(structs.replace(QUESTION, sql="SELECT 1 = 1"),)),
            "backup-check.databases.shop.smoke.users: another one",
        ),
        (shop(system_identifier=None), "backup-check.databases.shop.system-identifier: none instead of 7"),
        (shop(system_identifier="8"), "backup-check.databases.shop.system-identifier: 8 instead of 7"),
        (shop(database=None), "backup-check.databases.shop.database: none instead of app"),
        (shop(database="other"), "backup-check.databases.shop.database: other instead of app"),
        (backed_up(signers=()), "backup-check.signers: manifests need no signature"),
        (backed_up(signers=(KEY, WHO)), "backup-check.signers: https://x is new"),
        (backed_up(trusted_root=None), "backup-check.trusted-root: the packaged one instead of root.json"),
        (backed_up(recipients=(*RECIPIENTS, "age1z")), "backup-check.recipients: age1z is new"),
        (backed_up(recipients=RECIPIENTS[:1]), "backup-check.recipients: age1p is gone"),
        (backed_up(recipients=()), "backup-check.recipients: age1"),
        (backed_up(keep=Keep(last=6)), "backup-check.keep.last: 6 instead of 7"),
        (backed_up(keep=Keep(daily=13)), "backup-check.keep.daily: 13 instead of 14"),
        (backed_up(keep=Keep(weekly=7)), "backup-check.keep.weekly: 7 instead of 8"),
        (backed_up(keep=Keep(monthly=0)), "backup-check.keep.monthly: 0 instead of 12"),
        (backed_up(aws=Aws(region="eu-west-1", s3_endpoint="https://evil.example")), "backup-check.aws: another one"),
        (backed_up(oci=None), "backup-check.oci: another one"),
        (backed_up(issue=False), "backup-check.issue: false instead of true"),
    ],
)
def test_each_way_to_weaken_backup_check_is_told(after: Policy, words: str) -> None:
    told = loosenings(backed_up(), after)
    assert told
    assert [each for each in told if words in each] == told
    assert of_gate(told, "backup-check") == told
    assert of_gate(told, "verify") == []


@pytest.mark.parametrize(
    "after",
    [
        backed_up(),
        backed_up(databases=(MAIL, SHOP, BackedUp(name="more"))),
        shop(max_age="1560m", max_proof_age="7d", max_restore="59m", tier="full", max_shrink=49),
        shop(smoke=(OTHER_QUESTION, QUESTION)),
        backed_up(recipients=RECIPIENTS[::-1]),
        backed_up(keep=Keep(last=8, daily=15, weekly=9, monthly=13)),
    ],
)
def test_what_only_tightens_backup_check(after: Policy) -> None:
    assert loosenings(backed_up(), after) == []


def test_what_was_not_asked_for_may_be_added_to_backup_check() -> None:
    bare = Policy(version=1, backup_check=BackupCheckPolicy(store="s3://bkt/db/", databases=(MAIL,), issue=False))
    asked = structs.replace(MAIL, max_restore="9d", smoke=(QUESTION,), system_identifier="7", database="app")
    more = BackupCheckPolicy(
        store="s3://bkt/db/", databases=(asked,), signers=(KEY,), recipients=RECIPIENTS, aws=Aws(), oci=None
    )
    assert loosenings(bare, Policy(version=1, backup_check=more)) == []
    assert loosenings(Policy(version=1), bare) == []


METRIC = CanaryMetric(
    name="m", total="a_total", bad="b_total", histogram="c_bucket", slo=0.5, ceiling=0.1, ceiling_window="5m"
)
WATCHED = Policy(
    version=1,
    canary=CanaryPolicy(
        prometheus=Prometheus(url="https://p.example.com"),
        rollout=Rollout(namespace="n", name="r"),
        metrics=(METRIC,),
        at_deadline="abort",
        no_data="abort",
        spread=0.1,
        cluster=2.0,
        promote="steps",
    ),
)


def watched(**changes: object) -> Policy:
    assert WATCHED.canary is not None
    return structs.replace(WATCHED, canary=structs.replace(WATCHED.canary, **changes))


def metric(**changes: object) -> Policy:
    return watched(metrics=(structs.replace(METRIC, **changes),))


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (structs.replace(WATCHED, canary=None), "canary: the section is gone"),
        (watched(metrics=()), "canary.metrics: m is gone"),
        (metric(slo=0.6), "canary.metrics.m.slo: 0.6 instead of 0.5"),
        (metric(slo=None), "canary.metrics.m.slo: gone instead of 0.5"),
        (metric(ceiling=0.2), "canary.metrics.m.ceiling: 0.2 instead of 0.1"),
        (watched(promote="full"), "canary.promote: full instead of steps"),
        (metric(tolerated=1.2), "canary.metrics.m.tolerated: 1.2 instead of 1"),
        (metric(floor=0.01), "canary.metrics.m.floor: 0.01 instead of 0.001"),
        (metric(critical=False), "canary.metrics.m.critical: false instead of the default"),
        (watched(alpha=0.001), "canary.alpha: 0.001 instead of 0.01"),
        (watched(beta=0.1), "canary.beta: 0.1 instead of 0.05"),
        (watched(margin=3.0), "canary.margin: 3 instead of 2"),
        (watched(min_bad_events=4), "canary.min-bad-events: 4 instead of 3"),
        (watched(warm_up="1m"), "canary.warm-up: 1m instead of 0s"),
        (watched(interval="1m"), "canary.interval: 1m instead of 10s"),
        (watched(deadline="61m"), "canary.deadline: 61m instead of 1h"),
        (watched(at_deadline="hold"), "canary.at-deadline: hold instead of abort"),
        (watched(no_data="hold"), "canary.no-data: hold instead of abort"),
    ],
)
def test_each_way_to_weaken_a_canary_is_told_and_its_reverse_is_none(after: Policy, words: str) -> None:
    assert loosenings(WATCHED, after) == [words]
    assert loosenings(after, WATCHED) == []


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (watched(prometheus=Prometheus(url="https://q.example.com")), "canary.prometheus: another one"),
        (watched(rollout=Rollout(namespace="n", name="s")), "canary.rollout: another one"),
        (metric(preset="http"), "canary.metrics.m.preset: another one"),
        (metric(match='job="x"'), "canary.metrics.m.match: another one"),
        (metric(total="x_total"), "canary.metrics.m.total: another one"),
        (metric(bad="x_total"), "canary.metrics.m.bad: another one"),
        (metric(histogram="x_bucket"), "canary.metrics.m.histogram: another one"),
        (metric(pod_label="exported_pod"), "canary.metrics.m.pod-label: another one"),
        (metric(namespace_label="exported_namespace"), "canary.metrics.m.namespace-label: another one"),
        (metric(direction="decrease"), "canary.metrics.m.direction: another one"),
    ],
)
def test_another_question_about_a_canary_is_told_both_ways(after: Policy, words: str) -> None:
    assert loosenings(WATCHED, after) == [words]
    assert loosenings(after, WATCHED) == [words]


@pytest.mark.parametrize(
    ("after", "told", "back"),
    [
        (
            metric(ceiling_window="10m"),
            "metrics.m.ceiling-window: 10m instead of 5m",
            "metrics.m.ceiling-window: 5m instead of 10m",
        ),
        (
            metric(ceiling_window=None),
            "metrics.m.ceiling-window: the whole rollout instead of 5m",
            "metrics.m.ceiling-window: 5m instead of the whole rollout",
        ),
        (metric(weight=0.5), "metrics.m.weight: 0.5 instead of 1.0", "metrics.m.weight: 1.0 instead of 0.5"),
        (watched(spread=0.2), "spread: 0.2 instead of 0.1", "spread: 0.1 instead of 0.2"),
        (watched(spread="estimated"), "spread: estimated instead of 0.1", "spread: 0.1 instead of estimated"),
        (watched(cluster="estimated"), "cluster: estimated instead of 2.0", "cluster: 2.0 instead of estimated"),
    ],
)
def test_what_weakens_an_abort_or_a_promotion_is_told_both_ways(after: Policy, told: str, back: str) -> None:
    assert loosenings(WATCHED, after) == [f"canary.{told}"]
    assert loosenings(after, WATCHED) == [f"canary.{back}"]


def test_a_new_metric_must_not_drown_the_others() -> None:
    other = CanaryMetric(name="n", total="a_total", bad="c_total")
    heavy = structs.replace(other, weight=1000.0, critical=False)
    assert loosenings(WATCHED, watched(metrics=(METRIC, other))) == []
    assert loosenings(WATCHED, watched(metrics=(METRIC, heavy))) == [
        "canary.metrics.n.weight: 1000.0, and no metric had more than 1.0"
    ]


def test_a_ceiling_that_goes_takes_its_window_along() -> None:
    gone = metric(ceiling=None)
    assert "canary.metrics.m.ceiling: gone instead of 0.1" in loosenings(WATCHED, gone)
    assert loosenings(gone, WATCHED) == []


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ({"critical": True}, {}, "critical: the default instead of true"),
        ({"critical": True}, {"critical": False}, "critical: false instead of true"),
        ({"floor": 0.0}, {}, "floor: 0.001 instead of 0"),
        ({"total": "a", "tolerated": 1.4}, {"total": "a"}, "tolerated: 1.5 instead of 1.4"),
        ({"total": "a"}, {"total": "a", "tolerated": 1.6}, "tolerated: 1.6 instead of 1.5"),
    ],
)
def test_what_is_left_out_is_compared_as_its_default(before: Any, after: Any, words: str) -> None:
    one, other = (watched(metrics=(CanaryMetric(name="m", **keys),)) for keys in (before, after))
    assert loosenings(one, other) == [f"canary.metrics.m.{words}"]
    assert loosenings(other, one) == []


def test_a_metric_without_a_name_goes_by_its_preset() -> None:
    preset = CanaryMetric(preset="http")
    before, after = (watched(metrics=(each,)) for each in (preset, structs.replace(preset, name="http", floor=0.1)))
    assert loosenings(before, after) == ["canary.metrics.http.floor: 0.1 instead of 0.001"]


@pytest.mark.parametrize("name", ["s3_endpoint", "sts_endpoint"])
@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("backup_check", BACKED_UP),
        ("evidence", EvidencePolicy(store="s3://bkt/e/", signers=(KEY,))),
        ("canary", WATCHED.canary),
    ],
)
def test_an_endpoint_leads_elsewhere_also_where_the_inputs_named_the_role(section: str, value: Any, name: str) -> None:
    def policy(aws: Aws | None) -> Policy:
        return structs.replace(Policy(version=1), **{section: structs.replace(value, aws=aws)})

    key = section.replace("_", "-")
    assert loosenings(policy(None), policy(structs.replace(Aws(), **{name: "https://evil.example"}))) == [
        f"{key}.aws: another one"
    ]
    assert loosenings(policy(None), policy(Aws(region="eu-west-1"))) == []
