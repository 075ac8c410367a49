"""What the overlays make, carried into the chart: every required output is there, and the chart takes the values."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from tests.e2e.infra.conftest import PASSWORD, Aws
from tests.e2e.infra.test_oci import SETTINGS
from tests.integration.cli.command import aegis
from tests.support.infra.chart_values import BACKUP_DIGEST, CHART, DIGEST
from tests.support.infra.terraform import Workspace
from tests.support.infra.terraform_oci import Invented
from tests.support.programs.helm import chart_digest, rendered
from tests.support.programs.kubeconform import judge

pytestmark = pytest.mark.xdist_group("terraform")


def carried(outputs: str, cloud: str, folder: Path) -> dict[str, object]:
    """The values file of a cloud, filled."""
    (folder / "outputs.json").write_text(outputs)
    values = folder / f"values.{cloud}.yaml"
    values.write_bytes((CHART / f"values.{cloud}.yaml").read_bytes())
    done = aegis(
        *("render", "values", "--from", folder / "outputs.json", "--to", values),
        *("--image-digest", DIGEST, "--backup-image-digest", BACKUP_DIGEST),
        cwd=folder,
    )
    assert done.code == 0, done.err
    assert PASSWORD not in values.read_text() + done.out + done.err
    found: dict[str, object] = yaml.safe_load(values.read_text())
    return found


def test_the_overlay_of_aws_fills_every_value(staging: Aws, tmp_path: Path) -> None:
    before = chart_digest()
    values = carried(json.dumps(staging.outputs()), "aws", tmp_path)
    places = (tmp_path / "values.aws.yaml").read_text().partition("\ncloud:")[2].partition("\npolicy:")[0]
    assert '""' not in places
    documents = rendered(values)
    assert judge(yaml.safe_dump_all(documents)) == []
    assert chart_digest() == before


def test_the_overlay_of_oci_fills_every_value(oci: tuple[Invented, Workspace], tmp_path: Path) -> None:
    work = oci[1]
    work.ran("oci", "apply", "-auto-approve", "-no-color", **SETTINGS)
    values = carried(work.ran("oci", "output", "-json").out, "oci", tmp_path)
    assert judge(yaml.safe_dump_all(rendered(values))) == []
