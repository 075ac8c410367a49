"""What k8s/README.md says is so: its files, its versions, its names."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.support.programs.kubeconform import MINORS, ROOT, crd_versions

README = (ROOT / "k8s" / "README.md").read_text("utf-8")
ROLLOUT = ROOT / "k8s" / "argo-rollouts" / "example-rollout.yaml"


def documents(path: Path) -> list[dict[str, object]]:
    return [one for one in yaml.safe_load_all(path.read_text("utf-8")) if one]


def test_every_file_is_told_and_every_file_that_is_told_is_there() -> None:
    table = README.partition("## Install")[0]
    told = set()
    for cell in re.findall(r"(?m)^\| (`.+?`) \|", table):
        folder = ""
        for name in re.findall(r"`([^`]+)`", cell):
            folder, _, base = name.rpartition("/") if "/" in name else (folder, "", name)
            choices = re.findall(r"\{(.+)\}", base)
            bases = [re.sub(r"\{.+\}", one, base) for one in choices[0].split(",")] if choices else [base]
            told |= {f"{folder}/{one}" for one in bases}
    held = {str(path.relative_to(ROOT / "k8s")) for path in (ROOT / "k8s").rglob("*.yaml")}
    assert told == held


def test_every_file_that_is_applied_is_there() -> None:
    applied = re.findall(r"kubectl apply -f (\S+)", README)
    assert len(applied) == len(set(applied)) == 7
    for name in applied:
        assert documents(ROOT / name)


def test_the_versions_are_those_that_the_manifests_are_judged_by() -> None:
    versions = crd_versions()
    assert f"/argo-rollouts/releases/download/v{versions['argoproj.io']}/install.yaml" in README
    assert f"--version {versions['external-secrets.io']} " in README
    assert f"({versions['monitoring.coreos.com']}, which the chart" in README
    assert f"Kubernetes {MINORS[0]}, {MINORS[1]} and {MINORS[2]}" in README


def test_the_secrets_are_those_that_the_rollout_and_the_store_name() -> None:
    told = set(re.findall(r"Secret `([a-z-]+)`, key `([a-z.]+)`", README))
    folder = ROOT / "k8s" / "external-secrets"
    made = set()
    for path in folder.glob("external-secret-*.yaml"):
        for one in yaml.safe_load_all(path.read_text("utf-8")):
            made |= {(one["spec"]["target"]["name"], data["secretKey"]) for data in one["spec"]["data"]}
            assert one["spec"]["secretStoreRef"] == {"kind": "SecretStore", "name": "aegis"}
    assert (
        told == made == {("aegis-cosign", "cosign.pub"), ("aegis-database", "password"), ("aegis-audit", "audit.key")}
    )
    stores = [one for path in folder.glob("secret-store-*.yaml") for one in documents(path)]
    assert [one["metadata"] for one in stores if one["kind"] == "SecretStore"] == 3 * [
        {"name": "aegis", "namespace": "aegis"}
    ]


def test_vaults_policy_lets_the_operator_read_each_secret_that_is_asked_for() -> None:
    folder = ROOT / "k8s" / "external-secrets"
    asked = {
        entry["remoteRef"]["key"]
        for path in folder.glob("external-secret-*.yaml")
        for one in yaml.safe_load_all(path.read_text("utf-8"))
        for entry in one["spec"]["data"]
    }
    store = (folder / "secret-store-vault.yaml").read_text("utf-8")
    allowed = re.findall(r'(?m)^#   path "secret/data/([^"]+)" \{ capabilities = \["read"\] \}$', store)
    assert sorted(allowed) == sorted(asked)


def test_who_follows_the_runbook_scrapes_what_its_alert_reads() -> None:
    page = (ROOT / "docs" / "runbook_complete.md").read_text("utf-8")
    part = page.partition("\n## 5. ")[2].partition("\n## ")[0]
    assert "`AegisCanaryAborted` fires" in part
    # the judge tells `aegis_canary_verdict`, and is scraped by the second one
    monitors = {"k8s/prometheus/pod-monitor.yaml", "k8s/prometheus/service-monitor.yaml"}
    assert monitors <= set(re.findall(r"kubectl apply -f (\S+)", part))


def test_the_paths_are_those_of_the_rollout() -> None:
    (rollout,) = [one for one in yaml.safe_load_all(ROLLOUT.read_text("utf-8")) if one["kind"] == "Rollout"]
    (container,) = rollout["spec"]["template"]["spec"]["containers"]
    values = {one["name"]: one.get("value", "") for one in container["env"]}
    for path, name in re.findall(r"(?m)^\| `(/[^`]+)` \(`(AEGIS_[A-Z_]+)`\)", README):
        assert values.get(name, path) == path
    for mount in ("/var/lib/aegis", "/tmp"):
        assert mount in {one["mountPath"] for one in container["volumeMounts"]}
        assert f"`{mount}`" in README
