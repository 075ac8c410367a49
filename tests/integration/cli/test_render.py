"""`aegis render values` as a command: folder, file or input to a values file."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml

from tests.integration.cli.command import ROOT, aegis
from tests.unit.scaffold.test_outputs import AWS, OCI, SECRET, printed

DIGEST = f"sha256:{'1' * 64}"
TERRAFORM = """#!/bin/sh
# Answers as `terraform output` of 1.15 does, which takes -chdir first and knows no arguments but these.
[ "$#" = 4 ] && [ "$2 $3 $4" = "output -json -no-color" ] || { echo "Error: Unknown argument" >&2; exit 1; }
cd "${1#-chdir=}" || exit 1
if [ ! -f answer ]; then
  printf 'Error: Backend initialization required\\n\\n  password = "%s"\\n' hunter2-s3cret >&2
  exit 1
fi
cat answer
"""


@pytest.fixture
def values(tmp_path: Path) -> Path:
    """A copy of the shipped file."""
    file = tmp_path / "values.aws.yaml"
    file.write_bytes((ROOT / "helm/values.aws.yaml").read_bytes())
    return file


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    folder = tmp_path / "overlay"
    folder.mkdir()
    (folder / "answer").write_bytes(printed(AWS))
    return folder


def programs(folder: Path, *names: str) -> str:
    """A PATH on which these are Terraform."""
    (folder / "bin").mkdir()
    for name in names:
        program = folder / "bin" / name
        program.write_text(TERRAFORM)
        program.chmod(0o755)
    return f"{folder / 'bin'}:/usr/bin:/bin"


def test_a_folder_is_asked_by_terraform_and_every_other_byte_stays(values: Path, overlay: Path, tmp_path: Path) -> None:
    before = values.read_text().splitlines()
    path = programs(tmp_path, "terraform")
    arguments = ("render", "values", "--from", overlay, "--to", values, "--image-digest", DIGEST)
    done = aegis(*arguments, cwd=tmp_path, PATH=path)
    assert done.code == 0, done.err
    assert f"objectStore.bucket: {AWS['bucket_name']}  (bucket_name)" in done.out
    assert done.out.endswith(f"{values}: written\n")
    after = values.read_text().splitlines()
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 10
    for old, new in changed:
        assert old.partition('""')[0] == new[: len(old.partition('""')[0])]
        assert new.endswith(old.partition('""')[2])
    filled = yaml.safe_load(values.read_text())
    assert filled["objectStore"]["bucket"] == AWS["bucket_name"]
    assert filled["database"]["url"] == AWS["database_url"]
    assert filled["image"]["digest"] == DIGEST
    assert filled["backup"]["image"]["digest"] == ""

    once, about = values.read_bytes(), values.stat()
    again = aegis(*arguments, cwd=tmp_path, PATH=path)
    assert again.out.endswith(f"{values}: as it was\n")
    assert values.read_bytes() == once
    assert values.stat().st_ino == about.st_ino


def test_opentofu_answers_where_there_is_no_terraform(values: Path, overlay: Path, tmp_path: Path) -> None:
    done = aegis("render", "values", "--from", overlay, "--to", values, cwd=tmp_path, PATH=programs(tmp_path, "tofu"))
    assert done.code == 0, done.err


def test_a_file_or_the_input_will_do(values: Path, overlay: Path, tmp_path: Path) -> None:
    done = aegis("render", "values", "--from", overlay / "answer", "--to", values, cwd=tmp_path)
    assert done.code == 0, done.err
    once = values.read_bytes()
    values.write_bytes((ROOT / "helm/values.aws.yaml").read_bytes())
    reading, writing = os.pipe()
    os.write(writing, printed(AWS))
    os.close(writing)
    saved = os.dup(0)
    try:
        os.dup2(reading, 0)  # which the command inherits
        assert aegis("render", "values", "--from", "-", "--to", values, cwd=tmp_path).code == 0
    finally:
        os.dup2(saved, 0)
        for descriptor in (saved, reading):
            os.close(descriptor)
    assert values.read_bytes() == once


def test_nobody_is_there_to_ask(values: Path, overlay: Path, tmp_path: Path) -> None:
    before = values.read_bytes()
    done = aegis("render", "values", "--from", overlay, "--to", values, cwd=tmp_path, PATH="/nowhere")
    done.refused(3, "render.terraform_failed", "not installed")
    assert values.read_bytes() == before


def test_terraform_that_fails_is_told_by_its_title_alone(values: Path, overlay: Path, tmp_path: Path) -> None:
    (overlay / "answer").unlink()
    path = programs(tmp_path, "terraform")
    done = aegis("render", "values", "--from", overlay, "--to", values, cwd=tmp_path, PATH=path)
    done.refused(3, "render.terraform_failed", "Backend initialization required")
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize(
    ("answer", "code", "reason"),
    [
        (b"{}", 1, "render.output_missing"),
        (b"nothing", 2, "render.outputs_unreadable"),
        (printed(AWS, database_url=f"postgresql://aegis:{SECRET}@db/aegis"), 1, "render.output_sensitive"),
        (printed(AWS, bucket_name={"sensitive": True, "value": SECRET}), 1, "render.output_sensitive"),
        (printed(AWS, models_url=SECRET), 1, "render.output_invalid"),
        (printed(OCI), 1, "render.cloud_differs"),
    ],
)
def test_what_is_refused_leaves_the_file_as_it_was(
    answer: bytes, code: int, reason: str, values: Path, tmp_path: Path
) -> None:
    before = values.read_bytes()
    (tmp_path / "answer").write_bytes(answer)
    done = aegis("render", "values", "--from", tmp_path / "answer", "--to", values, cwd=tmp_path)
    done.refused(code, reason)
    assert values.read_bytes() == before
    assert SECRET not in done.out + done.err


@pytest.mark.parametrize("digest", ["latest", "sha256:12", DIGEST.upper(), DIGEST + "\n", f"v1@{DIGEST}"])
def test_a_digest_that_is_none_is_refused(digest: str, values: Path, overlay: Path, tmp_path: Path) -> None:
    for argument in ("--image-digest", "--backup-image-digest"):
        done = aegis(
            "render", "values", "--from", overlay / "answer", "--to", values, argument, digest, cwd=tmp_path
        )  # fmt: skip
        done.refused(2, "core.wrong_usage", "64 hexadecimal digits")


@pytest.mark.parametrize(
    ("content", "problem"),
    [("region: ''\n", "`cloud` is neither"), ("- a\n", "`cloud` is neither"), ("cloud: aws\n", "region is not there")],
)
def test_a_file_of_something_else_is_refused(content: str, problem: str, overlay: Path, tmp_path: Path) -> None:
    file = tmp_path / "other.yaml"
    file.write_text(content)
    done = aegis("render", "values", "--from", overlay / "answer", "--to", file, cwd=tmp_path)
    done.refused(2, "render.values_unfit", problem)
    assert file.read_text() == content


def test_a_file_that_is_not_there_is_refused(overlay: Path, values: Path, tmp_path: Path) -> None:
    done = aegis("render", "values", "--from", overlay / "answer", "--to", tmp_path / "no.yaml", cwd=tmp_path)
    done.refused(2, "core.wrong_usage", "cannot be read")
    done = aegis("render", "values", "--from", tmp_path / "no.json", "--to", values, cwd=tmp_path)
    done.refused(2, "render.outputs_unreadable", "cannot be read")


def test_outputs_of_oci_fill_its_file(tmp_path: Path) -> None:
    file = tmp_path / "values.oci.yaml"
    file.write_bytes((ROOT / "helm/values.oci.yaml").read_bytes())
    (tmp_path / "answer").write_text(json.dumps(json.loads(printed(OCI))))
    done = aegis("render", "values", "--from", tmp_path / "answer", "--to", file, cwd=tmp_path)
    assert done.code == 0, done.err
    assert yaml.safe_load(file.read_text())["objectStore"]["namespace"] == "octons"
