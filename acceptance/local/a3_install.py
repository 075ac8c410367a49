"""A3: the overlay is applied, its outputs become values, and the runbook's line installs the chart as it is.

Real are Terraform, helm and the API server. The cloud is moto, behind a provider of the tests with the real one's
schema.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands, go_on_path, reason_in  # noqa: E402 - probes run without being installed
from acceptance.probe import Probe, probing  # noqa: E402
from tests.support.cluster.plane import ControlPlane, awaited, control_plane  # noqa: E402
from tests.support.infra import terraform_schema  # noqa: E402
from tests.support.infra.chart_values import BACKUP_DIGEST, CHART, DIGEST  # noqa: E402
from tests.support.infra.terraform import INFRA, Workspace  # noqa: E402
from tests.support.infra.terraform_aws import Moto, moto  # noqa: E402
from tests.support.infra.terraform_provider import serve  # noqa: E402
from tests.support.programs import helm  # noqa: E402

APPLY = 'cd infra/terraform/overlays/aws && terraform init && terraform apply -var="db_password=..." -auto-approve'
INSTALL = "helm upgrade --install aegis ./helm -n aegis -f helm/values.aws.yaml"
"""Of the runbook, word for word."""
RENDER = (
    *("render", "values", "--from", "infra/terraform/overlays/aws", "--to", "helm/values.aws.yaml"),
    *("--image-digest", DIGEST, "--backup-image-digest", BACKUP_DIGEST),
)
NAMESPACE = "aegis"
GITHUB = {"repository": "octo/shop", "owner_id": "42", "repository_id": "7001"}
PODS = 2
FAULTS = {
    "chart-edited": "somebody edits a template of the chart before it is installed",
    "output-missing": "the overlay no longer tells the name of the bucket that it makes",
    "password-kept": "the overlay has an output with the password, which the state then holds",
}


@dataclass(frozen=True, slots=True)
class Checkout:
    """A copy of infra/ and helm/, as an operator has it."""

    folder: Path
    work: Workspace
    cloud: Moto

    @property
    def chart(self) -> Path:
        """The chart that is installed."""
        return self.folder / "helm"

    @property
    def environ(self) -> dict[str, str]:
        """Of terraform: the tests' provider, and the repository that workflows get roles for."""
        return self.work.environ(github=json.dumps(GITHUB))


def main() -> None:
    """Run it."""
    go_on_path()
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory(prefix="a3-") as temporary, moto() as cloud:
        schema = terraform_schema.aws(*terraform_schema.used(INFRA, "aws"))
        with serve("hashicorp/aws", schema, cloud) as reattach:
            checkout = _copied(Path(temporary), reattach, cloud)
            password = secrets.token_hex(16)
            commands = Commands(probe.evidence, [password])
            if probe.fault == "output-missing":
                outputs = checkout.work.folder / "overlays" / "aws" / "outputs.tf"
                outputs.write_text(re.sub(r'(?s)output "bucket_name" \{.*?\n\}\n', "", outputs.read_text()))
            if probe.fault == "password-kept":
                _keep_password(checkout.work.folder / "overlays" / "aws")
            if not (_applied(probe, commands, checkout, password) and _rendered(probe, commands, checkout, password)):
                return
        if probe.fault == "chart-edited":
            template = checkout.chart / "templates" / "services.yaml"
            template.write_text(template.read_text() + "# works for me\n")
        if not _unmodified(probe, checkout, "chart-unmodified-before"):
            return
        (Path(temporary) / "cluster").mkdir()
        with control_plane(Path(temporary) / "cluster") as cluster:
            _installed(probe, commands, checkout, cluster)


def _keep_password(overlay: Path) -> None:
    """As an output that is hidden on the screen, and stands in the state in plain text."""
    variables, outputs = overlay / "variables.tf", overlay / "outputs.tf"
    variables.write_text(re.sub(r"(?m)^  ephemeral +=.*\n", "", variables.read_text()))
    output = 'output "db_password" {\n  value     = var.db_password\n  sensitive = true\n}\n'
    outputs.write_text(outputs.read_text() + output)


def _copied(folder: Path, reattach: Any, cloud: Moto) -> Checkout:
    unwanted = shutil.ignore_patterns(".terraform", "*.tfstate*")
    infra = Path(shutil.copytree(INFRA, folder / "infra" / "terraform", ignore=unwanted))
    shutil.copytree(CHART, folder / "helm")
    (infra / "terraformrc").write_text("disable_checkpoint = true\n", "utf-8")
    return Checkout(folder, Workspace(infra, reattach), cloud)


def _applied(probe: Probe, commands: Commands, checkout: Checkout, password: str) -> bool:
    """The overlay, by the runbook's line; what it made is there, and the password is not in the state."""
    line = APPLY.replace("...", password)
    done = commands.run("apply", ["bash", "-c", line], cwd=checkout.folder, environ=checkout.environ)
    applied = probe.check(
        "overlay-applied",
        done.returncode == 0,
        f"terraform apply ended with exit code {done.returncode}",
        reason="probe.apply_failed",
    )
    if not applied:
        return False
    buckets = [one["Name"] for one in checkout.cloud.client("s3").list_buckets()["Buckets"]]
    databases = [
        one["DBInstanceIdentifier"] for one in checkout.cloud.client("rds").describe_db_instances()["DBInstances"]
    ]
    probe.facts |= {"buckets": buckets, "databases": databases, "resources": len(checkout.cloud.made)}
    state = (checkout.work.folder / "overlays" / "aws" / "terraform.tfstate").read_text("utf-8")
    told = state + done.stdout + done.stderr
    kept = password in told
    probe.check(
        "password-not-in-state",
        not kept,
        "it stands in the state, or was printed" if kept else "not in state, nor printed",
        reason="probe.password_in_state",
    )
    there = probe.check(
        "resources-there",
        len(buckets) == 3 and len(databases) == 1,
        f"{len(checkout.cloud.made)} resources, among them the buckets {', '.join(buckets)}",
        reason="probe.resources_missing",
    )
    return there and not kept


def _rendered(probe: Probe, commands: Commands, checkout: Checkout, password: str) -> bool:
    """The overlay's outputs, in the values."""
    done = commands.aegis("render", *RENDER, cwd=checkout.folder, environ=checkout.environ)
    values = (checkout.chart / "values.aws.yaml").read_text("utf-8")
    # jobs keep verdicts, and no pod does
    buckets = [bucket for bucket in probe.facts["buckets"] if "-evidence-" not in bucket]
    (probe.evidence / "values.aws.yaml").write_text(values.replace(password, "***"))
    return probe.check(
        "values-rendered",
        done.returncode == 0 and all(bucket in values for bucket in buckets) and password not in values,
        f"aegis render values ended with exit code {done.returncode}",
        reason=reason_in(done.stdout + done.stderr, "render"),
    )


def _unmodified(probe: Probe, checkout: Checkout, name: str) -> bool:
    """The chart is that of this tree, byte for byte, but for the values of deployments."""
    shipped, found = helm.chart_digest(CHART), helm.chart_digest(checkout.chart)
    probe.facts[f"chart_digest_{name.rpartition('-')[2]}"] = found
    return probe.check(
        name,
        found == shipped,
        f"digest {shipped[:16]}… of this tree's chart, {found[:16]}… of the one that is installed",
        reason="probe.chart_modified",
    )


def _installed(probe: Probe, commands: Commands, checkout: Checkout, cluster: ControlPlane) -> None:
    """Into a namespace for restricted pods, whose pods become ready."""
    cluster.kubectl("create", "namespace", NAMESPACE)
    cluster.kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    done = helm.helm(*INSTALL.split()[1:], kubeconfig=cluster.kubeconfig, cwd=checkout.folder)
    commands.keep("helm", f"$ {INSTALL}\n{done.stdout}{done.stderr}exit code {done.returncode}\n")
    probe.facts |= {
        "lines": [APPLY, "aegis " + " ".join(RENDER), INSTALL],
        "versions": {"helm": helm.VERSION},
    }
    if not probe.check(
        "chart-installs",
        done.returncode == 0,
        f"helm ended with exit code {done.returncode}",
        reason="probe.helm_failed",
    ):
        return
    _unmodified(probe, checkout, "chart-unmodified-after")
    ready = 0

    def is_so() -> bool:
        nonlocal ready
        status = cluster.get("deployment", "aegis", NAMESPACE).get("status", {})
        ready = status.get("availableReplicas", 0)
        return bool(ready == PODS)

    awaited(is_so, lambda: cluster.kubectl("get", "events", "-n", NAMESPACE))
    commands.keep("objects", cluster.kubectl("get", "all", "-n", NAMESPACE))
    probe.check("pods-ready", ready == PODS, f"{ready} pods are ready", reason="probe.pods_not_ready")


if __name__ == "__main__":
    main()
