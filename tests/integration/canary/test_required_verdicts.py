"""A rollout whose images need signed verdicts: promoted with all of them, aborted or held without."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.cli.canary.options import CanaryOptions
from aegis.cli.canary.preflight import preflighted
from aegis.cli.canary.run import judged
from aegis.cli.canary.watching import Means, watched
from aegis.core.errors import UsageError
from aegis.core.verdict import Verdict, exit_code
from aegis.report import predicate
from tests.doubles.argo_controller import hash_of, reconcile, rollout
from tests.doubles.kubernetes_api import Api, serve
from tests.doubles.oci.tenancy import BUCKET, NAMESPACE, REGION, Tenancy, tenancy
from tests.support.canary.canary_server import Shop, shop
from tests.support.cluster.clusters import kubeconfig
from tests.support.scan.gitrepo import GitRepo
from tests.support.signing.signing import pem, private
from tests.support.verdicts.signed_verdicts import DIGEST, IMAGE, bundle_of, place, predicate_of, stored

PLACE = ("shop", "web")
OLD = f"registry.example.com/shop/api@sha256:{'0' * 64}"


@dataclass
class Stage:
    """A service whose new image was built by somebody."""

    shop: Shop
    api: Api
    kubeconfig: Path
    happens: Callable[[], None] = lambda: None
    """Between two looks."""
    environ: Mapping[str, str] = field(default_factory=dict)

    def demand(self, mode: str = "enforce", oci: Mapping[str, str] | None = None, **rule: Any) -> None:
        """Commit the policy, with its key."""
        section = {
            "prometheus": {"url": self.shop.url, "scrape-interval": "10s"},
            "rollout": {"namespace": "shop", "name": "web"},
            "metrics": [{"preset": "http"}],
            "spread": 0,
            "cluster": 1,
            "deadline": "10m",
            "requires": {"source": "verdicts/", "signers": [{"key": "build.pub"}], **rule},
        }
        if oci is not None:
            section["oci"] = dict(oci)
        repository = GitRepo.init(self.shop.folder)
        repository.write(
            {
                "aegis.yml": yaml.safe_dump({"version": 1, "mode": mode, "canary": section}),
                "build.pub": pem(private("ecdsa-p256")),
            }
        )
        repository.git("add", ".")
        repository.git("commit", "--quiet", "--message=policy")

    def store(self, objects: Mapping[str, bytes]) -> None:
        """Put bundles into the prefix."""
        for name, bundle in objects.items():
            file = self.shop.folder / "verdicts" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(bundle)

    def sign(self, *gates: str) -> None:
        """As a build does, a minute ago: what a test signs is newer, where it would otherwise be of one millisecond."""
        self.store(stored(*gates, finished=datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=1)))

    def options(self, **changes: Any) -> CanaryOptions:
        given = {"act": True, "state": self.shop.folder / "state.json", "kubeconfig": self.kubeconfig, **changes}
        return CanaryOptions(path=str(self.shop.folder), **given)

    def watch(self, **changes: Any) -> Verdict:
        slept = 0.0

        def sleep(seconds: float) -> None:
            nonlocal slept
            slept += seconds
            if seconds >= 1:
                self.happens()
                self.shop.live(round(seconds))

        means = Means(clock=lambda: self.shop.store.clock, sleep=sleep, passed=lambda: slept)
        return watched(self.options(**changes), self.environ, means)

    def wishes(self) -> list[Any]:
        return [asked.body["status"] for asked in self.api.patches() if asked.body]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    api = Api(controller=reconcile)
    api.add(rollout(*PLACE, stable=OLD, canary=IMAGE))
    with shop(tmp_path / "repository") as service, serve(api):
        service.canary, service.stable = hash_of(IMAGE), hash_of(OLD)
        yield Stage(service, api, kubeconfig(tmp_path, api))


def test_with_all_verdicts_it_is_judged_by_evidence_and_the_verdict_names_them(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("promote", 0)
    assert stage.wishes() == [{"promoteFull": True}]
    told = {each.name: each.value for each in verdict.evidence}["verdicts"]
    assert [(each["gate"], each["image"], each["signer"]) for each in told] == [
        ("verify", IMAGE, "build.pub"),
        ("scan", IMAGE, "build.pub"),
    ]
    # so that a later rollout can demand this very verdict of the image
    assert f"{DIGEST}  {IMAGE}" in predicate.subjects(verdict, b"{}").decode().splitlines()


def test_without_one_it_is_aborted_however_good_it_looks(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify")
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, exit_code(verdict)) == ("abort", "canary.verdict_missing", 1)
    assert stage.wishes() == [{"abort": True}]
    assert stage.shop.looked == 0
    assert stage.api.rollouts[PLACE]["status"]["phase"] == "Degraded"
    assert verdict.notices[0].startswith("shop/web was aborted")
    assert f"sha256/{DIGEST}/scan/" in verdict.findings[0].message


def test_a_newer_verdict_that_comes_while_it_is_judged_counts_before_the_promotion(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")

    def happens() -> None:
        failed = bundle_of(predicate_of("scan", decision="fail", result="fail"))
        stage.store({place(failed, "scan"): failed})
        stage.happens = lambda: None

    stage.happens = happens
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason, exit_code(verdict)) == ("abort", "canary.verdict_invalid", 1)
    assert stage.wishes() == [{"abort": True}]
    assert stage.shop.looked > 0


@pytest.mark.parametrize(
    "answered",
    [{"decision": "not-applicable", "reason": "core.not_applicable"}, {"decision": "pass of a part"}],
    ids=["shard", "folder"],
)
def test_one_about_a_part_is_none(stage: Stage, answered: Mapping[str, Any]) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    part = bundle_of(predicate_of("verify", **answered))
    stage.store({place(part): part})
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason) == ("abort", "canary.verdict_invalid")
    assert stage.wishes() == [{"abort": True}]


def test_a_preflight_that_passed_is_no_promotion(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    stage.shop.live(300)
    passed = preflighted(stage.options(images=(IMAGE,)), {})
    assert (passed.gate, passed.result) == ("canary", "pass")
    said = json.loads(predicate.render(passed, b"{}"))
    signed = bundle_of(said)
    stage.store({place(signed, "canary"): signed})
    stage.demand(gates=["canary"])
    verdict = stage.watch()
    assert (verdict.decision, verdict.reason) == ("abort", "canary.verdict_invalid")


@pytest.mark.parametrize("gate", ["verify", "scan"])
def test_one_by_another_signer_is_none(stage: Stage, gate: str) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    theirs = bundle_of(predicate_of(gate), key=private("ecdsa-p256", 1))
    stage.store({place(theirs, gate): theirs})
    assert stage.watch().reason == "canary.verdict_invalid"
    assert stage.wishes() == [{"abort": True}]


def test_every_container_counts(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    other = f"registry.example.com/shop/migrate@sha256:{'9' * 64}"

    def add(document: dict[str, Any]) -> None:
        template = document["spec"]["template"]["spec"]
        template["initContainers"] = [{"name": "migrate", "image": other}]
        template["volumes"] = [{"name": "model", "image": {"reference": "registry.example.com/model:1"}}]

    stage.api.change(*PLACE, add)
    reconcile(stage.api.rollouts[PLACE])
    verdict = stage.watch()
    assert sorted({finding.rule for finding in verdict.findings}) == ["canary.image_unpinned", "canary.verdict_missing"]
    assert stage.wishes() == [{"abort": True}]


def test_a_store_that_does_not_answer_holds(stage: Stage) -> None:
    stage.demand(source=f"{stage.shop.folder}/unmounted/verdicts/")
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("inconclusive", 3)
    assert verdict.reason == "verify.store_missing"
    assert stage.wishes() == []
    assert stage.shop.looked == 0


def test_what_must_not_act_only_tells(stage: Stage) -> None:
    stage.demand()
    assert stage.watch(act=False).decision == "abort"
    assert stage.wishes() == []


def test_an_observed_policy_only_tells(stage: Stage) -> None:
    stage.demand(mode="observe until 2999-12-31")
    verdict = stage.watch()
    assert (verdict.decision, verdict.result) == ("observed", "fail")
    assert stage.wishes() == []


def test_an_abort_that_is_not_allowed_is_told_too(stage: Stage) -> None:
    stage.demand()
    stage.api.users["a-token"] = frozenset({"get rollouts"})
    verdict = stage.watch()
    assert (verdict.decision, exit_code(verdict)) == ("abort", 1)
    assert verdict.findings[-1].rule == "canary.cluster_forbidden"


@pytest.mark.parametrize("named", [False, True])
def test_one_look_needs_them_too(stage: Stage, named: bool) -> None:
    stage.demand()
    sides = {"canary": stage.shop.canary, "stable": stage.shop.stable} if named else {}
    options = stage.options(act=False, **sides)
    verdict = judged(options, {}, lambda: stage.shop.store.clock)
    assert (verdict.decision, verdict.reason) == ("abort", "canary.verdict_missing")
    assert stage.shop.looked == 0
    stage.sign("verify", "scan")
    assert judged(options, {}, lambda: stage.shop.store.clock).decision == "continue"


def refused_edit(document: dict[str, Any]) -> None:
    """As Argo Rollouts 1.9.2 answers a spec that its validation refuses: seen, and the template before it runs on."""
    document["spec"]["template"]["spec"]["containers"][0]["image"] = IMAGE
    document["metadata"]["generation"] += 1
    refused = {"type": "InvalidSpec", "status": "True", "reason": "InvalidSpec", "message": "spec.x: Invalid value"}
    document["status"] |= {"observedGeneration": str(document["metadata"]["generation"]), "conditions": [refused]}


def test_an_edit_that_the_controller_refuses_vouches_for_nothing(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    stage.api.controller = None
    # what runs as the canary is another image than the one that the spec asks for now
    document = stage.api.rollouts[PLACE]
    document["spec"]["template"]["spec"]["containers"][0]["image"] = "evil:v1"
    refused_edit(document)
    verdict = stage.watch()
    assert (verdict.reason, exit_code(verdict)) == ("canary.act_unfit", 3)
    assert stage.wishes() == []
    document["status"]["conditions"][0]["status"] = "False"
    assert stage.watch(act=False).decision == "promote"


def test_an_edit_while_it_is_judged_ends_that(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")

    def edit() -> None:
        stage.happens = lambda: None
        document = stage.api.rollouts[PLACE]
        document["spec"]["template"]["spec"]["containers"][0]["image"] = f"{IMAGE[:-1]}0"
        stage.api.controller = None

    stage.happens = edit
    verdict = stage.watch()
    assert any(finding.rule == "canary.rollout_changed" for finding in verdict.findings), verdict
    assert "asks for other images" in str(verdict.findings)
    # at once, and not only when something is to be done
    assert stage.shop.looked == 2
    assert verdict.result != "pass"
    assert stage.wishes() == []


@pytest.mark.parametrize(
    "steps", [[{"setWeight": 20}, {"pause": {"duration": "10m"}}], [{"setWeight": 20}, {"pause": {}}]]
)
def test_other_steps_while_it_is_judged_end_that(stage: Stage, steps: list[dict[str, Any]]) -> None:
    stage.demand()
    stage.sign("verify", "scan")

    def edit() -> None:
        stage.happens = lambda: None
        stage.api.rollouts[PLACE]["spec"]["strategy"]["canary"]["steps"] = steps
        stage.api.controller = None

    stage.happens = edit
    verdict = stage.watch()
    assert (verdict.reason, verdict.result) == ("canary.rollout_changed", "error")
    assert stage.wishes() == []


@pytest.mark.parametrize("images", [(), (IMAGE,)])
def test_a_preflight_without_images_is_no_pass_where_verdicts_are_demanded(
    stage: Stage, images: tuple[str, ...]
) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    stage.shop.live(300)
    verdict = preflighted(stage.options(images=images), {})
    if images:
        assert verdict.result == "pass", verdict.findings
    else:
        assert (verdict.reason, exit_code(verdict)) == ("canary.image_unpinned", 2)


@pytest.mark.parametrize(
    ("name", "value"), [("ACT", "False"), ("ACT", "0"), ("WITHOUT_STATE", "anew"), ("MODE", "promote")]
)
def test_an_input_that_is_not_one_of_its_words_is_refused(name: str, value: str) -> None:
    assert CanaryOptions.from_inputs({}).act
    with pytest.raises(UsageError) as raised:
        CanaryOptions.from_inputs({f"AEGIS_INPUT_{name}": value})
    assert raised.value.expected.startswith("one of ")


def test_a_spec_that_the_controller_has_not_seen_may_be_of_other_images(stage: Stage) -> None:
    stage.demand()
    stage.sign("verify", "scan")
    stage.api.controller = None
    stage.api.change(
        *PLACE, lambda document: document["spec"]["template"]["spec"]["containers"][0].update({"image": "x"})
    )
    verdict = stage.watch(canary=stage.shop.canary, stable=stage.shop.stable)
    assert (verdict.reason, exit_code(verdict)) == ("canary.act_unfit", 3)
    assert stage.wishes() == []


class TestInOci:
    """Verdicts in a bucket of OCI, read by a resource principal."""

    @pytest.fixture
    def oci(self, stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tenancy]:
        with tenancy() as running:
            stage.environ = running.principal(tmp_path)
            for name, value in stage.environ.items():
                monkeypatch.setenv(name, value)  # `oci` looks for itself
            where = {"domain": running.domain.address, "region": REGION, "storage-endpoint": running.storage.address}
            stage.demand(oci=where, source=f"oci://{NAMESPACE}/{BUCKET}/staging/")
            yield running

    def sign(self, oci: Tenancy, *gates: str, **changes: Any) -> list[str]:
        """As a build does; the keys of what it stores."""
        objects = {f"staging/{name}": bundle for name, bundle in stored(*gates, **changes).items()}
        for key, bundle in objects.items():
            oci.bucket.put(key, bundle)
        return list(objects)

    def test_with_all_verdicts_it_is_promoted(self, stage: Stage, oci: Tenancy) -> None:
        self.sign(oci, "verify", "scan")
        oci.storage.page_size = 1
        verdict = stage.watch()
        assert (verdict.decision, exit_code(verdict)) == ("promote", 0), verdict.findings
        assert stage.wishes() == [{"promoteFull": True}]

    def test_without_one_it_is_aborted(self, stage: Stage, oci: Tenancy) -> None:
        self.sign(oci, "verify")
        verdict = stage.watch()
        assert (verdict.reason, exit_code(verdict)) == ("canary.verdict_missing", 1)
        assert stage.wishes() == [{"abort": True}]

    def test_a_newer_one_that_was_deleted_is_missed(self, stage: Stage, oci: Tenancy) -> None:
        now = datetime.datetime.now(datetime.UTC)
        self.sign(oci, "verify", "scan", finished=now - datetime.timedelta(hours=1))
        for key in self.sign(oci, "scan", finished=now):
            oci.bucket.delete(key)
        verdict = stage.watch()
        assert (verdict.reason, exit_code(verdict)) == ("canary.verdict_invalid", 1)
        assert "evidence.rolled_back" in verdict.findings[0].message
        assert stage.wishes() == [{"abort": True}]

    def test_where_nobody_may_look_it_holds(self, stage: Stage, oci: Tenancy) -> None:
        self.sign(oci, "verify", "scan")
        oci.storage.policy = ()
        verdict = stage.watch()
        assert (verdict.reason, exit_code(verdict)) == ("verify.store_denied", 3)
        assert stage.wishes() == []

    def test_without_an_identity_it_holds(self, stage: Stage, oci: Tenancy, tmp_path: Path) -> None:
        self.sign(oci, "verify", "scan")
        (tmp_path / "key.pem").write_text("no key")
        verdict = stage.watch()
        assert (verdict.reason, exit_code(verdict)) == ("verify.no_credentials", 3)
        assert stage.wishes() == []

    def test_the_action_which_has_no_packages_for_it_says_so(self, stage: Stage, oci: Tenancy) -> None:
        self.sign(oci, "verify", "scan")
        verdict = preflighted(stage.options(github=True, images=(IMAGE,), state=stage.shop.folder / "states"), {})
        told = {finding.rule: finding.message for finding in verdict.findings}
        assert "the action installs no packages for OCI" in told["canary.policy_incomplete"]
        assert exit_code(verdict) == 2
