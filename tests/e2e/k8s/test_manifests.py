"""Every object in k8s/ against the schemas of three Kubernetes minors and of the CRDs that it needs."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import yaml

from tests.support.programs.kubeconform import MINORS, VERSION, judge, kubeconform

ROOT = Path(__file__).resolve().parents[3]
# plain files of Prometheus, which promtool judges
PLAIN = {"k8s/prometheus/rule-groups.yaml", "k8s/prometheus/scrape-config.yaml"}
FILES = sorted(
    str(file.relative_to(ROOT)) for file in ROOT.glob("k8s/**/*.yaml") if str(file.relative_to(ROOT)) not in PLAIN
)
DEPLOYMENT = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: good}
spec:
  selector: {matchLabels: {app: good}}
  template:
    metadata: {labels: {app: good}}
    spec: {containers: [{name: good, image: good}]}
"""
ROLLOUT = """
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: good}
spec:
  selector: {matchLabels: {app: good}}
  strategy: {canary: {steps: [{setWeight: 20}, {pause: {duration: 10}}, {pause: {duration: 5m}}]}}
  template:
    metadata: {labels: {app: good}}
    spec: {containers: [{name: good, image: good}]}
"""
SECRET = """
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: good}
spec:
  secretStoreRef: {kind: SecretStore, name: store}
  data: [{secretKey: key, remoteRef: {key: name}}]
"""
RULE = """
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata: {name: good}
spec: {groups: [{name: good, rules: [{alert: Good, expr: up == 0, for: 5m}]}]}
"""


def test_the_version_is_the_pinned_one() -> None:
    told = subprocess.run(["go", "version", "-m", kubeconform()], capture_output=True, text=True, check=True).stdout
    assert f"\tmod\tgithub.com/yannh/kubeconform\tv{VERSION}\t" in told


@pytest.mark.parametrize("minor", MINORS)
@pytest.mark.parametrize("file", FILES)
def test_a_manifest_is_valid(file: str, minor: str) -> None:
    assert judge((ROOT / file).read_text("utf-8"), minor) == []


def test_what_is_not_judged_holds_no_object() -> None:
    for file in (name for name in PLAIN if (ROOT / name).exists()):
        assert "apiVersion" not in yaml.safe_load((ROOT / file).read_text("utf-8"))


@pytest.mark.parametrize("good", [DEPLOYMENT, ROLLOUT, SECRET, RULE], ids=["deployment", "rollout", "secret", "rule"])
@pytest.mark.parametrize("minor", MINORS)
def test_a_good_object_passes(good: str, minor: str) -> None:
    assert judge(good, minor) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (DEPLOYMENT.replace("image: good", "imagee: good"), "imagee"),
        (DEPLOYMENT.replace("spec:\n  sel", "spec:\n  replicas: two\n  sel"), "replicas"),
        (DEPLOYMENT.replace("metadata: {name: good}", "metadata: {name: good, lables: {}}"), "lables"),
        (DEPLOYMENT.replace("apps/v1", "extensions/v1beta1"), "could not find schema"),
        (DEPLOYMENT.replace("kind: Deployment", "kind: Deploymint"), "could not find schema"),
        (DEPLOYMENT + "kind: Deployment\n", "already set"),
        (ROLLOUT.replace("setWeight", "setweight"), "setweight"),
        (ROLLOUT.replace("metadata: {name: good}", "metadata: {name: good, anotations: {}}"), "anotations"),
        (ROLLOUT.replace("duration: 10}", "duration: [10]}"), "duration"),
        (ROLLOUT.replace("v1alpha1", "v1"), "could not find schema"),
        (SECRET.replace("external-secrets.io/v1", "external-secrets.io/v1beta1"), "could not find schema"),
        (SECRET.replace("secretKey", "secret"), "secret"),
        (SECRET.replace("kind: SecretStore", "kind: Vault"), "kind"),
        (RULE.replace("for: 5m", "for: five minutes"), "for"),
        (RULE.replace("alert: Good", "alert: Good, severity: high"), "severity"),
        ("# nothing\n", "no object"),
        ("", "no object"),
    ],
    ids=[
        "unknown field", "type", "field of metadata", "dead API", "unknown kind", "doubled key", "field of a CRD",
        "metadata of a CRD", "number or text", "unserved version", "version no longer served", "missing field", "enum",
        "pattern", "field in a list", "comment", "empty",
    ],
)  # fmt: skip
def test_a_bad_object_is_refused(text: str, told: str) -> None:
    problems = judge(text)
    assert problems
    assert told in "\n".join(problems)
