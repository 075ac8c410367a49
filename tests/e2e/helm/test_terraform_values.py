"""Outputs of a real Terraform become values, and a secret among them does not."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.integration.cli.command import Done, aegis
from tests.support.infra.chart_values import CHART, DIGEST
from tests.support.infra.terraform import program
from tests.unit.scaffold.test_outputs import AWS, SECRET

PATIENCE = 300


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "overlay"
    folder.mkdir()
    return folder


def apply(folder: Path, outputs: dict[str, object]) -> None:
    """An overlay that has these outputs and nothing else; those named `…_secret` are sensitive."""
    described = {
        name.removesuffix("_secret"): {"value": value, "sensitive": name.endswith("_secret")}
        for name, value in outputs.items()
    }
    (folder / "main.tf.json").write_text(json.dumps({"output": described}))
    for step in (("init", "-input=false"), ("apply", "-auto-approve", "-input=false")):
        environ = {"PATH": f"{program()}:{os.environ['PATH']}", "HOME": str(folder), "CHECKPOINT_DISABLE": "1"}
        done = subprocess.run(
            ["terraform", f"-chdir={folder}", *step], env=environ, capture_output=True, text=True, timeout=PATIENCE
        )
        assert done.returncode == 0, done.stdout + done.stderr


def render(folder: Path, values: Path) -> Done:
    return aegis(
        *("render", "values", "--from", folder, "--to", values, "--image-digest", DIGEST),
        cwd=folder,
        PATH=f"{program()}:{os.environ['PATH']}",
        CHECKPOINT_DISABLE="1",
    )


def test_what_was_applied_becomes_values(overlay: Path, tmp_path: Path) -> None:
    apply(overlay, {**AWS, "master_password_secret": SECRET, "numbers": [1, 2], "absent": None})
    values = tmp_path / "values.aws.yaml"
    values.write_bytes((CHART / "values.aws.yaml").read_bytes())
    done = render(overlay, values)
    assert done.code == 0, done.err
    filled = yaml.safe_load(values.read_text())
    assert filled["database"]["url"] == AWS["database_url"]
    assert filled["identity"]["restore"]["roleArn"] == AWS["backup_reader_role_arn"]
    assert SECRET not in values.read_text() + done.out + done.err


def test_what_terraform_calls_sensitive_is_refused(overlay: Path, tmp_path: Path) -> None:
    outputs = {name: value for name, value in AWS.items() if name != "bucket_name"}
    apply(overlay, {**outputs, "bucket_name_secret": SECRET})
    values = tmp_path / "values.aws.yaml"
    values.write_bytes(before := (CHART / "values.aws.yaml").read_bytes())
    done = render(overlay, values)
    done.refused(1, "render.output_sensitive", "bucket_name")
    assert values.read_bytes() == before
    assert SECRET not in done.out + done.err


def test_a_folder_where_nothing_was_applied_is_refused(overlay: Path, tmp_path: Path) -> None:
    values = tmp_path / "values.aws.yaml"
    values.write_bytes((CHART / "values.aws.yaml").read_bytes())
    render(overlay, values).refused(1, "render.output_missing", "terraform apply")
