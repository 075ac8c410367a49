"""What may be chosen: names that say no more than a name, and gates that have something to judge."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.core.errors import UsageError
from aegis.scaffold import templates, workflows
from aegis.scaffold.choices import Artifact, Choices, check
from aegis.scaffold.files import files

RECIPIENTS = ("age1" + "q" * 58, "age1" + "p" * 58)
WHOLE = Choices(
    gates=("scan", "verify", "canary", "backup-check"),
    repository="octo/widgets",
    owners=("@octo/platform", "@amy"),
    artifacts=(Artifact("ranking", "s3://models/ranking/"), Artifact("words", "oci://ns/models/words.json")),
    account="012345678901",
    repository_id="712345678",
    oci_domain="https://idcs-1.identity.oraclecloud.com",
    oci_region="eu-frankfurt-1",
    store="s3://backups/postgresql/",
    databases=("shop", "orders"),
    recipients=RECIPIENTS,
    prometheus="http://prometheus.monitoring.svc:9090",
    rollout="shop/web",
)
NASTY = (
    "", " ", "a\nb: c", "a: b", "x # y", "${{ github.token }}", "$(id)", "`id`", "a;b", "a'b", 'a"b', "*", "&a", "!x",
    "[a]", "{a: b}", "../x", "a\x00b", "a\u2028b", "-rf", "ä", "a b\t", "'; rm -rf /", "@", "[= choices =]", "x" * 5000,
)  # fmt: skip
SINGLE = (
    "repository", "branch", "environment", "drill_environment", "deploy_environment", "aegis", "ref", "version",
    "account", "repository_id", "oci_domain", "oci_region", "store", "prometheus", "rollout", "evidence", "workflows",
)  # fmt: skip
SEVERAL = ("owners", "keys", "databases", "recipients", "gates")


def test_whole_choices_are_fine() -> None:
    assert check(WHOLE) == WHOLE


def assert_refused(change: dict[str, Any]) -> None:
    """As a choice that says more than it may."""
    with pytest.raises(UsageError) as caught:
        check(replace(WHOLE, **change))
    assert caught.value.code == "init.value_invalid", change


@pytest.mark.parametrize("name", SINGLE)
def test_a_name_that_says_more_is_refused(name: str) -> None:
    for value in NASTY:
        assert_refused({name: value})


@pytest.mark.parametrize("name", SEVERAL)
def test_one_of_several_that_says_more_is_refused(name: str) -> None:
    for value in NASTY:
        assert_refused({name: (*getattr(WHOLE, name), value)})


@pytest.mark.parametrize("name", ["environment", "drill_environment", "deploy_environment"])
def test_a_gate_gets_no_environment_of_more_power(name: str) -> None:
    for value in ("backup", "evidence", "release", "terraform-plan", "terraform-apply", "Terraform-Apply"):
        assert_refused({name: value})


def test_an_artifact_that_says_more_is_refused() -> None:
    for value in NASTY:
        assert_refused({"artifacts": (Artifact(value, "s3://models/x"),)})
        assert_refused({"artifacts": (Artifact("x", value),)})
        if value != "-rf":  # which is a key like any other
            assert_refused({"artifacts": (Artifact("x", f"s3://models/{value}"),)})


@pytest.mark.parametrize(
    "change",
    [
        {"gates": ()},
        {"artifacts": ()},
        {"repository": None},
        {"oci_domain": None},
        {"oci_region": None},
        {"workflows": "one"},
        {"store": None},
        {"databases": ()},
        {"recipients": RECIPIENTS[:1]},
        {"prometheus": None},
        {"rollout": None},
        {"owners": ("@amy", "@amy")},
        {"ref": "a" * 40},
        {"version": "v1.2.3"},
    ],
    ids=lambda change: "-".join(f"{name}" for name in change),
)
def test_a_gate_without_what_it_needs_is_refused(change: dict[str, Any]) -> None:
    assert_refused(change)


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("main", "main"),
        ("release/1.x", "release/1.x"),
        ("on", '"on"'),
        ("1.0", '"1.0"'),
        ("null", '"null"'),
        ("0x1f", '"0x1f"'),
    ],
)
def test_a_scalar_is_quoted_where_a_reader_might_take_it_for_something_else(value: str, written: str) -> None:
    assert templates.scalar(value) == written


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet=st.characters(max_codepoint=0x7E), max_size=30))
def test_every_scalar_is_read_back(value: str) -> None:
    document = f"a: [{templates.scalar(value)}]\nb: {templates.scalar(value)}\n"
    assert yaml.safe_load(document) == {"a": [value], "b": value}


def test_the_same_choices_write_the_same_bytes() -> None:
    assert files(WHOLE) == files(replace(WHOLE))


def test_a_policy_is_written_for_each_cloud_and_purpose() -> None:
    assert {path for path in files(WHOLE) if path.startswith("aegis")} == {
        "aegis.yml",
        "aegis.oci.yml",
        "aegis.canary.yml",
        "aegis.backup.yml",
    }


def test_a_branch_that_yaml_reads_as_a_number_stays_a_name() -> None:
    scan = files(replace(WHOLE, branch="1.0", environment="2"))[
        ".github/workflows/verify-model-signatures-aws-oidc.yml"
    ]
    document = yaml.load(scan, yaml.BaseLoader)
    assert document["on"]["push"]["branches"] == ["1.0"]
    assert yaml.safe_load(scan)["jobs"]["verify-model-signatures-aws-oidc"]["environment"] == "2"


def test_a_pinned_action_stands_with_its_version() -> None:
    pinned = replace(WHOLE, ref="c" * 40, version="v1.2.3")
    text = "".join(files(check(pinned)).values())
    assert f"uses: org/aegis/actions/scan@{'c' * 40} # v1.2.3\n" in text
    assert "@v1\n" not in text


def test_one_workflow_asks_for_no_more_than_its_gates_need() -> None:
    one = files(check(Choices(gates=("scan",), workflows="one")))
    job = yaml.safe_load(one[".github/workflows/aegis.yml"])["jobs"]["gates"]
    assert "environment" not in job
    assert "id-token" not in job["permissions"]


KEPT = Choices(gates=("scan",), repository="octo/widgets", workflows="one", evidence="s3://octo-evidence/aegis/")


def test_verdicts_are_signed_and_stored_by_a_job_of_their_own_on_the_branch_alone() -> None:
    written = files(check(KEPT))
    jobs = yaml.safe_load(written[".github/workflows/aegis.yml"])["jobs"]
    job = jobs["evidence"]
    assert (job["environment"], job["needs"]) == ("evidence", ["gates"])
    assert job["permissions"] == {"contents": "read", "id-token": "write"}
    assert job["if"] == "${{ always() && github.ref == 'refs/heads/main' }}"
    assert "id-token" not in jobs["gates"]["permissions"]
    # a pull request has no such job, so the check does not wait for it
    assert jobs["aegis"]["needs"] == ["gates"]
    policy = yaml.safe_load(written["aegis.yml"])["evidence"]
    assert policy["store"] == KEPT.evidence
    (signer,) = policy["signers"]
    assert signer["identity"] == "https://github.com/octo/widgets/.github/workflows/aegis.yml@refs/heads/main"


def test_a_store_in_oci_gets_its_own_way_to_credentials() -> None:
    domain = "https://idcs-example.identity.oraclecloud.com"
    store = "oci://octons/octo-evidence/aegis/"
    written = files(check(replace(KEPT, evidence=store, oci_domain=domain, oci_region="eu-frankfurt-1")))
    (step,) = [
        step
        for step in yaml.safe_load(written[".github/workflows/aegis.yml"])["jobs"]["evidence"]["steps"]
        if step["name"] == "Sign and store"
    ]
    assert set(step["env"]) == {"OCI_CLIENT_ID", "OCI_CLIENT_SECRET"}
    policy = yaml.safe_load(written["aegis.yml"])["evidence"]
    assert (policy["store"], policy["oci"]) == (store, {"domain": domain, "region": "eu-frankfurt-1"})


def test_without_a_store_nothing_of_it_is_written() -> None:
    assert "evidence" not in "".join(files(check(replace(KEPT, evidence=None))).values())


@pytest.mark.parametrize(
    "change",
    [{"workflows": "each"}, {"repository": None}, {"evidence": "oci://ns/bucket/v/"}, {"evidence": "s3://octo/v"}],
)
def test_verdicts_without_who_signs_and_stores_them_are_refused(change: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        check(replace(KEPT, **change))


def test_schedules_differ_by_repository_and_avoid_the_minutes_of_everybody() -> None:
    minutes = {workflows.minute_of(f"octo/{number}") for number in range(500)}
    assert len(minutes) > 20
    assert 0 not in {at % 15 for minute in minutes for at in (minute, minute + 18)}
    assert max(minutes) + 18 < 60


def test_a_template_without_a_value_is_never_filled_in() -> None:
    from aegis.core.errors import CouldNotDecide

    with pytest.raises(CouldNotDecide) as caught:
        templates.render("workflows/sdk-scan.yml.j2", {"branch": "main"})
    assert caught.value.code == "init.template_broken"
    with pytest.raises(CouldNotDecide):
        templates.render("workflows/nothing.yml.j2", {})


def test_an_installation_without_templates_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    from aegis.core.errors import CouldNotDecide

    monkeypatch.setattr(templates, "__file__", str(tmp_path / "site" / "aegis" / "scaffold" / "templates.py"))
    with pytest.raises(CouldNotDecide) as caught:
        templates.folder()
    assert caught.value.code == "init.templates_missing"
