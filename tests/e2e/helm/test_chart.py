"""The chart under helm: what it renders is valid, hardened and the same each time; bad values are refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.artifacts.check import check_policy
from aegis.core.policy_file import parse_policy
from tests.support.infra.chart_values import AWS, BACKUP, BAD, CHART, DIGEST, EVERYTHING, GOOD, OPERATORS, filled, laid
from tests.support.programs.debian import program as debian_program
from tests.support.programs.helm import VERSION, Document, helm, program, rendered, template
from tests.support.programs.kubeconform import MINORS, judge

CORE = {
    "v1", "apps/v1", "batch/v1", "autoscaling/v2", "policy/v1", "networking.k8s.io/v1",
}  # fmt: skip


def pod_specs(documents: list[Document]) -> Iterator[tuple[str, Document]]:
    """Name and spec of everything that becomes a pod."""
    for document in documents:
        name, spec = f"{document['kind']}/{document['metadata']['name']}", document.get("spec", {})
        match document["kind"]:
            case "Pod":
                yield name, spec
            case "CronJob":
                yield name, spec["jobTemplate"]["spec"]["template"]["spec"]
            case "Deployment" | "Rollout" | "Job":
                yield name, spec["template"]["spec"]


def one(documents: list[Document], kind: str, name: str = "aegis") -> Document:
    (found,) = [each for each in documents if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return found


def variables(container: Document) -> dict[str, Any]:
    return {each["name"]: each.get("value", each.get("valueFrom")) for each in container["env"]}


def test_helm_is_the_pinned_one() -> None:
    assert helm("version", "--short").stdout.strip() == f"v{VERSION}"
    told = subprocess.run(["go", "version", "-m", program()], capture_output=True, text=True, check=True).stdout
    assert f"\tmod\thelm.sh/helm/v3\tv{VERSION}\t" in told


@pytest.mark.parametrize("name", GOOD)
def test_each_render_is_valid_on_three_minors_and_the_same_each_time(name: str) -> None:
    first, second = template(GOOD[name]), template(GOOD[name])
    assert first.returncode == 0, first.stderr
    assert first.stdout == second.stdout
    for minor in MINORS:
        assert judge(first.stdout, minor) == []


@pytest.mark.parametrize("name", GOOD)
def test_no_two_objects_have_one_name(name: str) -> None:
    found = [(each["kind"], each["metadata"]["name"]) for each in rendered(GOOD[name])]
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", BAD)
def test_helm_refuses_bad_values(name: str) -> None:
    values, place = BAD[name]
    done = template(laid(AWS, values))
    assert done.returncode != 0
    assert "don't meet the specifications of the schema" in done.stderr
    assert place in done.stderr
    assert not done.stdout


def test_the_shipped_files_are_refused_until_they_are_filled() -> None:
    for cloud in ("aws", "oci"):
        done = helm("template", "aegis", CHART, "--values", CHART / f"values.{cloud}.yaml")
        assert done.returncode != 0
        for place in ("/image/digest", "/objectStore/bucket", "/database/url", "/backup/image/digest"):
            assert place in done.stderr


@pytest.mark.parametrize("name", [name for name in GOOD if name not in {"operators"} and "roll" not in name])
def test_only_what_was_switched_on_needs_more_than_kubernetes(name: str) -> None:
    versions = {each["apiVersion"] for each in rendered(GOOD[name])}
    assert versions <= CORE or "everything" in name


@pytest.mark.parametrize("name", GOOD)
def test_every_pod_meets_the_restricted_standard(name: str) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted, and a little more."""
    documents = rendered(GOOD[name])
    specs = dict(pod_specs(documents))
    assert len(specs) >= 2
    for where, spec in specs.items():
        security = spec["securityContext"]
        assert security["runAsNonRoot"] is True, where
        assert security["runAsUser"] >= 1000, where
        assert security["seccompProfile"] == {"type": "RuntimeDefault"}, where
        assert not {"hostNetwork", "hostPID", "hostIPC", "hostUsers"} & set(spec), where
        assert spec["enableServiceLinks"] is False, where
        assert all(set(volume) & {"configMap", "secret", "emptyDir"} for volume in spec.get("volumes", ())), where
        for container in spec["containers"]:
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, where
            assert container["securityContext"]["allowPrivilegeEscalation"] is False, where
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, where
            assert re.search(r"@sha256:[0-9a-f]{64}$", container["image"]), where
            assert "memory" in container["resources"]["limits"], where
            assert not any("hostPort" in port for port in container.get("ports", ())), where


@pytest.mark.parametrize("name", GOOD)
def test_selectors_find_their_pods_and_never_change(name: str) -> None:
    documents = rendered(GOOD[name])
    labels: dict[str, str] = next(
        each["spec"]["template"]["metadata"]["labels"]
        for each in documents
        if each["kind"] in {"Deployment", "Rollout"}
    )
    for document in documents:
        if document["kind"] in {"Service", "Deployment", "Rollout", "PodDisruptionBudget"}:
            selector = document["spec"]["selector"]
            chosen = selector if document["kind"] == "Service" else selector["matchLabels"]
            assert set(chosen) == {f"app.kubernetes.io/{key}" for key in ("name", "instance", "component")}
            assert chosen.items() <= labels.items()
    assert not [key for key in labels if "version" in key or "chart" in key]  # another chart alone restarts nothing


def test_accounts_names_and_roles_are_those_that_the_trusts_name() -> None:
    documents = rendered(laid(AWS, BACKUP, EVERYTHING))
    accounts = {each["metadata"]["name"]: each for each in documents if each["kind"] == "ServiceAccount"}
    assert set(accounts) == {"aegis", "aegis-backup", "aegis-restore"}
    assert accounts["aegis-backup"]["metadata"]["annotations"]["eks.amazonaws.com/role-arn"].endswith("/aegis-backup")
    used = {name: spec.get("serviceAccountName") for name, spec in pod_specs(documents)}
    assert used["Deployment/aegis"] == "aegis"
    assert used["CronJob/aegis-backup"] == "aegis-backup"
    assert used["CronJob/aegis-restore-validation"] == used["CronJob/aegis-backup-check"] == "aegis-restore"
    assert all(used[name] is None for name in used if "migration" in name or "test" in name)


def test_a_pod_of_oke_has_the_token_by_which_it_gets_its_identity() -> None:
    for cloud, wanted in (("aws", False), ("oci", True)):
        specs = dict(pod_specs(rendered(filled(cloud))))
        assert specs["Deployment/aegis"]["automountServiceAccountToken"] is wanted
        assert specs["CronJob/aegis-backup"]["automountServiceAccountToken"] is wanted
        assert specs["Pod/aegis-test"]["automountServiceAccountToken"] is False


@pytest.mark.parametrize("cloud", ["aws", "oci"])
def test_the_policies_are_ones_that_the_programs_take(cloud: str) -> None:
    documents = rendered(filled(cloud))
    text = one(documents, "ConfigMap", "aegis-policy")["data"]["aegis.yml"]
    policy = parse_policy(text.encode(), file="aegis.yml").policy
    assert policy.verify is not None
    check_policy(policy.verify, file="aegis.yml")
    text = one(documents, "ConfigMap", "aegis-backup-policy")["data"]["aegis.backup.yml"]
    backups = parse_policy(text.encode(), file="aegis.backup.yml").policy.backup_check
    assert backups is not None
    assert backups.store.startswith("s3://" if cloud == "aws" else "oci://octons/")
    assert [database.name for database in backups.databases] == ["aegis"]


def test_a_changed_policy_gets_new_pods_and_another_chart_alone_does_not() -> None:
    def pods(*layers: Any, more: tuple[str, ...] = ()) -> Any:
        return one(rendered(laid(AWS, *layers), *more), "Deployment")["spec"]["template"]

    before = pods()
    assert pods({"policy": {"files": {"keys.pub": "x"}}}) != before
    assert pods({"objectStore": {"modelsUrl": "s3://other/"}}) != before
    assert pods({"auth": {"file": "jwt: []"}}) != before
    assert pods({"backup": {"policy": {"files": {"aegis.backup.yml": "version: 1"}}}}) == before
    assert pods({"service": {"port": 8080}}, OPERATORS) == before


def test_another_migration_is_another_job() -> None:
    def job(values: Any) -> str:
        (found,) = [each for each in rendered(laid(AWS, EVERYTHING, values)) if each["kind"] == "Job"]
        return str(found["metadata"]["name"])

    assert job({}) == job({"service": {"port": 8080}})
    assert job({}) != job({"image": {"digest": DIGEST.replace("1", "3")}})


def test_secrets_come_by_reference_only() -> None:
    documents = rendered(laid(AWS, BACKUP, OPERATORS, EVERYTHING))
    assert not [each for each in documents if each["kind"] == "Secret"]
    secret = {"PGPASSWORD", "COSIGN_PUB_KEY", "AEGIS_ALERT_TOKEN", "AEGIS_ALERT_WEBHOOK", "AEGIS_AGE_IDENTITY"}
    seen = set()
    for _, spec in pod_specs(documents):
        for container in spec["containers"]:
            for name, value in variables(container).items() if "env" in container else ():
                if name in secret:
                    assert set(value) == {"secretKeyRef"}
                    seen.add(name)
    assert seen == secret


def test_external_secrets_become_those_that_pods_ask_for() -> None:
    values = laid(AWS, BACKUP, OPERATORS, EVERYTHING)
    documents = rendered(values)
    external = {
        each["spec"]["target"]["name"]: each["spec"]["data"][0]["secretKey"]
        for each in documents
        if each["kind"] == "ExternalSecret"
    }
    assert external == {
        "aegis-database": "password", "aegis-audit": "audit.key", "aegis-cosign": "cosign.pub", "age": "identity",
    }  # fmt: skip
    asked = json.dumps([spec for _, spec in pod_specs(documents)])
    for name, key in external.items():
        assert f'"{name}", "key": "{key}"' in asked or f'"secretName": "{name}"' in asked


def test_the_audit_logs_key_is_brought_once_and_the_others_are_kept_fresh() -> None:
    external = {
        each["spec"]["target"]["name"]: each["spec"]
        for each in rendered(laid(AWS, BACKUP, OPERATORS, EVERYTHING, {"externalSecrets": {"refreshInterval": "2h"}}))
        if each["kind"] == "ExternalSecret"
    }
    audit = external.pop("aegis-audit")
    assert audit["refreshPolicy"] == "CreatedOnce"
    assert "refreshInterval" not in audit
    assert audit["target"]["immutable"] is True
    for spec in external.values():
        assert (spec["refreshPolicy"], spec["refreshInterval"]) == ("Periodic", "2h")
        assert "immutable" not in spec["target"]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"externalSecrets": {"remote": {"ageIdentity": {"key": "x"}}}}, 'names "x", and no value names the Secret'),
        ({"externalSecrets": {"remote": {"backupDatabase": {"key": "x"}}}}, 'become the Secret "aegis-database"'),
    ],
)
def test_two_remote_secrets_in_one_or_none_are_refused(values: dict[str, Any], words: str) -> None:
    done = template(laid(AWS, BACKUP, OPERATORS, values))
    assert done.returncode != 0
    assert words in done.stderr


def test_the_network_lets_callers_to_the_api_and_monitoring_to_the_metrics() -> None:
    documents = rendered(laid(AWS, BACKUP, EVERYTHING, {"database": {"url": "postgresql://aegis@db:6432/aegis"}}))
    policies = {each["metadata"]["name"]: each["spec"] for each in documents if each["kind"] == "NetworkPolicy"}
    assert set(policies) == {"aegis-api", "aegis-backup", "aegis-restore", "aegis-migration"}
    calls, metrics = policies["aegis-api"]["ingress"]
    assert (calls["ports"][0]["port"], metrics["ports"][0]["port"]) == ("api", "probe")
    assert calls["from"] == [{"namespaceSelector": {"matchLabels": {"team": "ml"}}}]
    assert len(metrics["from"]) == 2
    for name, policy in policies.items():
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert ("ingress" in policy) == (name == "aegis-api")
        told = json.dumps(policy["egress"])
        assert ('"port": 443' in told) == (name != "aegis-migration")
        assert ('"port": 6432' in told) == (name != "aegis-restore")  # which needs no database but its own
        (names,) = [rule["to"] for rule in policy["egress"] if rule["ports"][0]["port"] == 53]
        assert names[0]["namespaceSelector"] == {"matchLabels": {"kubernetes.io/metadata.name": "kube-system"}}
        assert "0.0.0.0/0" not in told.replace('"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]', "")


def test_a_rollout_pauses_without_end_and_is_scaled_as_one() -> None:
    documents = rendered(laid(AWS, {"workload": {"kind": "Rollout"}}))
    assert not [each for each in documents if each["kind"] == "Deployment"]
    rollout = one(documents, "Rollout")
    assert "replicas" not in rollout["spec"]  # the autoscaler's
    assert {"pause": {}} in rollout["spec"]["strategy"]["canary"]["steps"]
    assert one(documents, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["kind"] == "Rollout"
    fixed = one(rendered(laid(AWS, {"autoscaling": {"enabled": False}, "api": {"replicas": 0}})), "Deployment")
    assert fixed["spec"]["replicas"] == 0


def test_the_grace_is_longer_than_what_the_service_takes_to_end() -> None:
    spec = dict(pod_specs(rendered(laid(AWS, {"api": {"drainSeconds": 20, "endSeconds": 45}}))))["Deployment/aegis"]
    assert {"--drain-seconds=20", "--end-seconds=45"} <= set(spec["containers"][0]["args"])
    assert spec["terminationGracePeriodSeconds"] > 65


def test_the_packed_rules_are_rules_and_reach_the_operator_unchanged(tmp_path: Path) -> None:
    rule = one(rendered(laid(AWS, OPERATORS)), "PrometheusRule")
    packed = yaml.safe_load((CHART / "files/rule-groups.yaml").read_text())
    assert rule["spec"] == packed
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule["spec"]))
    command = [str(debian_program("prometheus", "promtool")), "check", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr


def test_helm_has_nothing_to_say() -> None:
    for name, values in GOOD.items():
        done = helm("lint", CHART, "--strict", *_as_arguments(values))
        assert done.returncode == 0, (name, done.stdout)


def _as_arguments(values: Any) -> list[str]:
    return [argument for key, value in values.items() for argument in ("--set-json", f"{key}={json.dumps(value)}")]
