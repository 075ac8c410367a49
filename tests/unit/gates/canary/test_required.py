"""Verdicts that a rollout's images need: each way not to have one is a no."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from aegis.core.errors import CouldNotDecide, Refused, UsageError
from aegis.core.policy import CanaryMetric, CanaryPolicy, Oci, Prometheus, Requires, Rollout, Signer
from aegis.core.verdict import SCHEMA_ID
from aegis.gates.canary.check import check_policy
from aegis.gates.canary.required import Examined, examine
from aegis.signatures.keys.public import load_public_key
from aegis.signatures.types import KeySigner, Trust
from tests.doubles.objects import Bucket
from tests.support.signing.signing import message_bundle, pem, private
from tests.support.verdicts.signed_verdicts import DIGEST, IMAGE, bundle_of, place, predicate_of, stored
from tests.support.verdicts.verdicts import waiver

NOW = datetime.datetime(2026, 6, 15, 12, tzinfo=datetime.UTC)
HOUR = datetime.timedelta(hours=1)
PREFIX = "verdicts/"
RULE = Requires(source="s3://bkt/verdicts/", signers=(Signer(key="build.pub"),))
TRUST = Trust(
    signers=(KeySigner("build.pub", load_public_key(pem(private("ecdsa-p256")), name="build.pub")),),
    threshold=1,
    trusted_root=None,
    now=NOW,
)


def young(gate: str = "verify", **changes: Any) -> dict[str, Any]:
    return predicate_of(gate, NOW - HOUR, **changes)


def full() -> dict[str, bytes]:
    """All that the policy demands."""
    return {PREFIX + key: bundle for key, bundle in stored("verify", "scan", finished=NOW - HOUR).items()}


def at(bundle: bytes, finished: datetime.datetime | None = NOW - HOUR, gate: str = "verify") -> dict[str, bytes]:
    """A bundle in a place of the gate verify, among the verdict that passed of the gate scan."""
    kept = {key: value for key, value in full().items() if "/scan/" in key}
    return {**kept, PREFIX + place(bundle, gate, finished=finished): bundle}


def seen(objects: dict[str, bytes], *images: str, **rule: Any) -> Examined:
    return examine(images or (IMAGE,), structs.replace(RULE, **rule), Bucket(objects), PREFIX, TRUST)


def problem(objects: dict[str, bytes], *images: str, **rule: Any) -> str:
    """The one reason; every other verdict holds."""
    found = seen(objects, *images, **rule)
    (error,) = found.problems
    assert isinstance(error, Refused)
    return error.code


def test_an_image_with_every_verdict_may_be_promoted() -> None:
    found = seen(full())
    assert found.problems == ()
    assert [(each.gate, each.digest, each.signer) for each in found.shown] == [
        ("verify", DIGEST, "build.pub"),
        ("scan", DIGEST, "build.pub"),
    ]
    assert found.digests == ((IMAGE, DIGEST),)


@pytest.mark.parametrize("gate", ["verify", "scan"])
def test_one_that_is_missing_is_a_no(gate: str) -> None:
    objects = {key: bundle for key, bundle in full().items() if f"/{gate}/" not in key}
    assert problem(objects) == "canary.verdict_missing"


@pytest.mark.parametrize(
    "image",
    [
        "registry.example.com/shop/api:1.2.0",
        "registry.example.com/shop/api",
        f"registry.example.com/shop/api@sha256:{'AB' * 32}",
        f"registry.example.com/shop/api@sha256:{'ab' * 31}",
        f"registry.example.com/shop/api@sha512:{'ab' * 64}",
        f"{IMAGE}@sha256:{DIGEST}",
        f"{IMAGE}\n",
        "",
    ],
    ids=["tag", "bare", "upper", "short", "sha512", "twice", "line", "empty"],
)
def test_an_image_that_is_not_named_by_its_digest_is_a_no(image: str) -> None:
    assert problem(full(), IMAGE, image) == "canary.image_unpinned"


def test_a_rollout_without_images_is_a_no() -> None:
    (error,) = examine((), RULE, Bucket(full()), PREFIX, TRUST).problems
    assert error.code == "canary.image_unpinned"


def test_every_image_needs_its_own() -> None:
    other = f"registry.example.com/shop/worker@sha256:{'cd' * 32}"
    found = seen(full(), IMAGE, other)
    assert [error.code for error in found.problems] == ["canary.verdict_missing"] * 2
    assert all("cd" * 32 in str(error) for error in found.problems)


@pytest.mark.parametrize("tag", ["", ":v1.27"])
def test_one_that_is_let_off_by_its_repository_needs_a_digest_only(tag: str) -> None:
    proxy = f"docker.io/envoyproxy/envoy{tag}@sha256:{'cd' * 32}"
    found = seen(full(), IMAGE, proxy, without=("docker.io/envoyproxy/envoy",))
    assert found.problems == ()
    assert found.digests[1] == (proxy, "cd" * 32)
    assert problem(full(), IMAGE, "docker.io/envoyproxy/envoy:v1", without=("docker.io/envoyproxy/envoy",)) == (
        "canary.image_unpinned"
    )


@pytest.mark.parametrize(
    "name", ["docker.io/envoyproxy/envoy-x", "evil.io/docker.io/envoyproxy/envoy", "docker.io/envoyproxy"]
)
def test_a_repository_is_let_off_exactly(name: str) -> None:
    found = seen(full(), IMAGE, f"{name}@sha256:{'cd' * 32}", without=("docker.io/envoyproxy/envoy",))
    assert len(found.problems) == 2


COMMIT = [{"name": "c", "digest": {"gitCommit": "ab" * 20}}]
OTHER_SUBJECT = [{"name": IMAGE, "digest": {"sha256": "cd" * 32}}]


@pytest.mark.parametrize(
    ("bundle", "says"),
    [
        (lambda: bundle_of(young(), key=private("ecdsa-p256", 1)), "verify.wrong_"),
        (lambda: bundle_of(young(), digest="cd" * 32), "verify.attestation_subject"),
        (lambda: bundle_of(young(), subject=OTHER_SUBJECT), "verify.attestation_subject"),
        (lambda: bundle_of(young(), subject=COMMIT), "verify.attestation_subject"),
        (lambda: bundle_of(young(), kind="https://slsa.dev/provenance/v1"), "evidence.malformed"),
        (lambda: json.dumps(message_bundle(private("ecdsa-p256"))).encode(), "verify.wrong_content"),
        (lambda: b"{}", "verify."),
        (lambda: b"not json", "verify."),
        (lambda: bundle_of(young("scan")), "is by the gate scan"),
        (lambda: bundle_of(young(result="fail", decision="fail")), "says FAILED"),
        (lambda: bundle_of(young(result="error")), "says FAILED"),
        (lambda: bundle_of(young(waivers=(waiver(),))), "says WARNED"),
        (lambda: bundle_of(young(observe=True)), "says WARNED"),
        (lambda: bundle_of(young(bootstrap=True)), "says WARNED"),
        (lambda: bundle_of(young(decision="not-applicable", reason="core.not_applicable")), "says WARNED"),
        (lambda: bundle_of(young(decision="pass of a part")), "says WARNED"),
        (lambda: bundle_of({"result": "PASSED"}), "evidence.malformed"),
        (lambda: bundle_of({**young(), SCHEMA_ID: ["verify"]}), "evidence.malformed"),
        (lambda: bundle_of({**young(), "result": ["PASSED"]}), "evidence.malformed"),
        (lambda: bundle_of({**young(), SCHEMA_ID: {**young()[SCHEMA_ID], "result": "fail"}}), "says PASSED (fail"),
    ],
)  # fmt: skip
def test_one_that_does_not_count_is_a_no(bundle: Any, says: str) -> None:
    found = seen(at(bundle()))
    (error,) = found.problems
    assert isinstance(error, Refused)
    assert error.code == "canary.verdict_invalid"
    assert says in str(error)
    assert [each.gate for each in found.shown] == ["scan"]


@pytest.mark.parametrize(
    ("finished", "counts"),
    [
        (NOW - datetime.timedelta(days=7), True),
        (NOW - datetime.timedelta(days=7, seconds=1), False),
        (NOW + datetime.timedelta(minutes=5), True),
        (NOW + datetime.timedelta(minutes=6), False),
    ],
    ids=["just", "old", "ahead", "future"],
)
def test_its_age_counts(finished: datetime.datetime, counts: bool) -> None:
    objects = at(bundle_of(predicate_of("verify", finished)), finished)
    if counts:
        assert seen(objects).problems == ()
    else:
        assert problem(objects) == "canary.verdict_stale"


@pytest.mark.parametrize("finished", [None, "", "yesterday", "2026-06-15T11:00:00", 1781524800])
def test_one_without_a_time_does_not_count(finished: Any) -> None:
    said = young()
    said[SCHEMA_ID]["finished"] = finished
    assert problem(at(bundle_of(said))) == "canary.verdict_invalid"


def test_the_newest_decides_whoever_put_the_others_there() -> None:
    worse = bundle_of(predicate_of("verify", NOW - HOUR / 2, result="fail", decision="fail"))
    objects = {**full(), PREFIX + place(worse): worse}
    assert problem(objects) == "canary.verdict_invalid"
    better = bundle_of(predicate_of("verify", NOW - HOUR / 4))
    assert seen({**objects, PREFIX + place(better): better}).problems == ()


def test_an_older_one_is_not_newer_for_lying_where_a_newer_would() -> None:
    worse = bundle_of(predicate_of("verify", NOW - HOUR / 2, result="fail", decision="fail"))
    older = bundle_of(young())
    again = {PREFIX + place(older, finished=NOW): older}
    found = seen({**full(), PREFIX + place(worse): worse, **again})
    assert "evidence.misplaced" in str(found.problems[0])


def test_what_was_written_over_is_told() -> None:
    objects = full()
    (key,) = [key for key in objects if "/verify/" in key]
    found = seen({**objects, key: bundle_of(predicate_of("verify", NOW - HOUR, reason="core.passed"))})
    assert "evidence.altered" in str(found.problems[0])


@pytest.mark.parametrize("name", ["notes.txt", "verify.sigstore.json", f"{'9' * 8}T{'9' * 9}Z-x.sigstore.json"])
def test_what_is_no_verdict_among_them_is_a_no(name: str) -> None:
    found = seen({**full(), f"{PREFIX}sha256/{DIGEST}/verify/{name}": b"x"})
    assert "evidence.misplaced" in str(found.problems[0])


def test_a_store_that_is_down_is_no_answer() -> None:
    down = CouldNotDecide("verify.store_unavailable", "it is down", expected="an answer", remedy="wait")
    found = examine((IMAGE,), RULE, Bucket(full(), fault=down), PREFIX, TRUST)
    assert found.problems == (down, down)


def test_one_that_is_too_large_is_a_no() -> None:
    found = seen(at(b" " * ((1 << 20) + 1)))
    assert [error.code for error in found.problems] == ["canary.verdict_invalid"]
    assert "verify.bundle_too_large" in str(found.problems[0])


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=0), st.integers(min_value=0, max_value=255))
def test_no_changed_byte_makes_one_that_counts_say_something_else(where: int, value: int) -> None:
    good = bundle_of(young())
    changed = bytearray(good)
    changed[where % len(good)] = value
    found = seen(at(bytes(changed)))
    if not found.problems:
        # a signature may be told apart from another by nothing that is signed, e.g. a key's hint
        assert [(each.gate, each.digest) for each in found.shown] == [("verify", DIGEST), ("scan", DIGEST)]


GOOD = CanaryPolicy(
    prometheus=Prometheus(url="https://prometheus.example.com"),
    rollout=Rollout(namespace="shop", name="web"),
    metrics=(CanaryMetric(preset="http"),),
    requires=RULE,
)


@pytest.mark.parametrize(
    ("rule", "says"),
    [
        ({"signers": ()}, "has no signers"),
        ({"gates": ()}, "gates is empty"),
        ({"source": "oci://ns/bkt/v/"}, "canary.oci is not set"),
        ({"source": "https://verdicts.example.com/v/"}, "https://verdicts.example.com/v/"),
        ({"signers": (Signer(identity="a@example.com"),)}, "an identity and no issuer"),
        ({"signers": (Signer(key="a.pub", certificate="b.pem"),)}, "not exactly one kind"),
    ],
)
def test_a_demand_that_anybody_could_meet_is_refused(rule: dict[str, Any], says: str) -> None:
    check_policy(GOOD, file="aegis.yml")
    with pytest.raises(UsageError, match=says) as raised:
        check_policy(structs.replace(GOOD, requires=structs.replace(RULE, **rule)), file="aegis.yml")
    assert raised.value.code == "canary.policy_incomplete"


def test_a_bucket_in_oci_needs_its_region() -> None:
    rule = structs.replace(RULE, source="oci://ns/bkt/v/")
    where = Oci(domain="https://idcs-1.identity.oraclecloud.com", region="eu-frankfurt-1")
    check_policy(structs.replace(GOOD, requires=rule, oci=where), file="aegis.yml")


@pytest.mark.parametrize("pattern", ["^.*$", "https://github.com/octo/.*"])
def test_a_pattern_that_fits_everybody_is_refused(pattern: str) -> None:
    signer = Signer(identity_pattern=pattern, issuer="https://token.actions.githubusercontent.com")
    with pytest.raises(UsageError):
        check_policy(structs.replace(GOOD, requires=structs.replace(RULE, signers=(signer,))), file="aegis.yml")
