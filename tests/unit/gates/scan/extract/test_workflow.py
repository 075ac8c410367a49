"""Actions, images and commands of workflows, and the lines that they stand at."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract import dockerfile, kubernetes, terraform, workflow
from aegis.gates.scan.extract.route import Extractor
from aegis.gates.scan.model import Statement, Unreadable

CLOUD = re.compile(r"aws|boto3|gcloud|google")
Place = tuple[int, int, str, str]


def places(extract: Extractor, source: str) -> list[Place]:
    """Line, column, form and name of every statement."""
    found = [item for item in extract(source, CLOUD, None) if isinstance(item, Statement)]
    return [(item.line, item.column, item.form, item.name) for item in found]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("steps:\n  - uses: aws-actions/x@v1\n", [(2, 11, "action", "aws-actions/x")]),
        ("steps:\n  - uses: 'aws-actions/x/sub@v1'\n", [(2, 12, "action", "aws-actions/x/sub")]),
        ("steps:\n  - uses: docker://amazon/aws-cli:2\n", [(2, 11, "image", "amazon/aws-cli:2")]),
        ("steps:\n  - run: aws s3 ls\n", [(2, 10, "command", "aws s3 ls")]),
        ("steps:\n  - run: |\n      true\n      aws s3 ls\n", [(4, 7, "command", "aws s3 ls")]),
        ("steps:\n  - run: >\n      true;\n      aws s3 ls\n", [(4, 7, "command", "aws s3 ls")]),
        ('steps:\n  - run: "aws s3 ls"\n', [(2, 11, "command", "aws s3 ls")]),
        ("steps:\n  - run: |\n      x=${{ a['b'] }}\n      aws s3 ls\n", [(4, 7, "command", "aws s3 ls")]),
        ("container:\n  image: amazon/aws-cli\n", [(2, 10, "image", "amazon/aws-cli")]),
        ("steps:\n  - shell: python\n    run: |\n      import boto3\n", [(4, 7, "embedded", "boto3")]),
        (
            "defaults: {run: {shell: python}}\njobs:\n  a:\n    steps:\n      - run: import boto3\n",
            [(5, 14, "embedded", "boto3")],
        ),
        (
            "jobs:\n  a:\n    defaults: {run: {shell: python}}\n    steps:\n      - run: import boto3\n",
            [(5, 14, "embedded", "boto3")],
        ),
        (
            "defaults: {run: {shell: python}}\njobs: {a: {defaults: {run: {shell: bash}}, steps: [run: aws s3 ls]}}\n",
            [(2, 57, "command", "aws s3 ls")],
        ),
        (
            "defaults: {run: {shell: python}}\njobs: {a: {steps: [{shell: bash, run: aws s3 ls}]}}\n",
            [(2, 39, "command", "aws s3 ls")],
        ),
        (
            "steps:\n  - uses: actions/github-script@v7\n    with:\n      script: |\n        require('aws-sdk')\n",
            [(5, 9, "embedded", "aws-sdk"), (5, 17, "command", "aws-sdk")],
        ),
        ("steps:\n  - uses: a/ssh@v1\n    with: {script: aws s3 ls}\n", [(3, 20, "command", "aws s3 ls")]),
        ("a: &x {run: aws s3 ls}\nb: {<<: *x}\n", [(1, 13, "command", "aws s3 ls")]),
        ("run: aws s3 ls\nrun: aws s3 cp\n", [(1, 6, "command", "aws s3 ls"), (2, 6, "command", "aws s3 cp")]),
        ("name: aws s3 ls\nenv: {A: aws s3 ls}\n", []),
    ],
)
def test_workflow(source: str, expected: list[Place]) -> None:
    assert places(workflow.extract, source) == expected


@pytest.mark.parametrize("source", ["run: [aws", "a: &a [*a, aws]\nb: {aws: [", "\tuses: aws-actions/x@v1"])
def test_broken_workflow_is_unreadable(source: str) -> None:
    assert any(isinstance(item, Unreadable) for item in workflow.extract(source, CLOUD))


def test_aliases_without_end_are_told() -> None:
    lines = ["a0: &a0 [aws]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    assert any(isinstance(item, Unreadable) for item in workflow.extract("\n".join(lines), CLOUD))


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("FROM google/cloud-sdk AS x\nFROM x\n", [(1, 6, "image", "google/cloud-sdk")]),
        ("FROM --platform=linux/amd64 amazon/aws-cli\n", [(1, 29, "image", "amazon/aws-cli")]),
        ("ARG A=amazon/aws-cli\nFROM ${A}\n", [(2, 6, "image", "amazon/aws-cli")]),
        ("FROM a\nCOPY --from=amazon/aws-cli /a /b\n", [(2, 6, "image", "amazon/aws-cli")]),
        ("FROM a\nRUN true && \\\n    aws s3 ls\n", [(3, 5, "command", "aws s3 ls")]),
        ("FROM a\nRUN true && \\\n  # aws s3 cp\n    aws s3 ls\n", [(4, 5, "command", "aws s3 ls")]),
        ('FROM a\nRUN ["aws", "s3", "ls"]\n', [(2, 5, "command", "aws s3 ls")]),
        ("FROM a\nRUN <<E\naws s3 ls\nE\n", [(3, 1, "command", "aws s3 ls")]),
        ("FROM a\nHEALTHCHECK --interval=5s CMD aws s3 ls\n", [(2, 31, "command", "aws s3 ls")]),
        ("FROM a\nONBUILD RUN aws s3 ls\n", [(2, 13, "command", "aws s3 ls")]),
        ("FROM a\n# RUN aws s3 ls\nLABEL x=aws\nENV aws=1\n", []),
        ('FROM a\nSHELL ["python3", "-c"]\nRUN import boto3\n', [(3, 5, "embedded", "boto3")]),
        ('FROM a\nSHELL ["python3", "-c"]\nFROM b\nRUN aws s3 ls\n', [(4, 5, "command", "aws s3 ls")]),
        ('FROM a\nSHELL ["/bin/bash", "-c"]\nRUN aws s3 ls\n', [(3, 5, "command", "aws s3 ls")]),
    ],
)
def test_dockerfile(source: str, expected: list[Place]) -> None:
    assert places(dockerfile.extract, source) == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a:\n  - image: amazon/aws-cli:2\n", [(2, 12, "image", "amazon/aws-cli:2")]),
        ("x: 1\n---\nimage: amazon/aws-cli\n", [(3, 8, "image", "amazon/aws-cli")]),
        ("command: [aws, s3, ls]\n", [(1, 11, "command", "aws s3 ls")]),
        ("command: [sh, -c]\nargs:\n  - |\n    true\n    aws s3 ls\n", [(5, 5, "command", "aws s3 ls")]),
        ("command: [python, -c, import boto3]\n", [(1, 11, "embedded", "boto3")]),
        ("steps:\n- name: gcr.io/google.com/cloudsdktool/x\n", [(2, 9, "image", "gcr.io/google.com/cloudsdktool/x")]),
        ("image: amazon/aws-cli:{{ .tag }}\n{{- end }}\n", [(1, 8, "image", "amazon/aws-cli")]),
        ("description: aws s3 ls\nrepository: amazon/aws-cli\n", []),
    ],
)
def test_kubernetes(source: str, expected: list[Place]) -> None:
    found = [place for place in places(kubernetes.extract, source) if not place[3].startswith("python")]
    assert found == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('terraform {\n required_providers {\n  a = { source = "registry.terraform.io/hashicorp/aws" }\n }\n}\n', [3]),
        ('provider "aws" {}\n# provider "aws" {}\n/* provider "aws" {} */\n', [1]),
        ('resource "x" "y" {\n  provisioner "local-exec" {\n    command = "aws s3 ls"\n  }\n}\n', [3]),
        ('resource "x" "y" {\n  provisioner "local-exec" {\n    command = <<E\ntrue\naws s3 ls\nE\n  }\n}\n', [5]),
        ('data "external" "x" {\n  program = ["aws", "s3"]\n}\n', [2]),
        ('module "x" {\n  source = "terraform-aws-modules/vpc/aws"\n}\nx = "provider \\"aws\\" {"\n', []),
    ],
)
def test_terraform(source: str, expected: list[int]) -> None:
    assert [place[0] for place in places(terraform.extract, source)] == expected


@pytest.mark.parametrize("extract", [workflow.extract, dockerfile.extract, kubernetes.extract, terraform.extract])
@given(source=st.text(alphabet='aws: -|>\n"{}[]#&*FROMUN<\\$%=', max_size=60))
def test_reads_any_text(extract: Extractor, source: str) -> None:
    for item in extract(source, re.compile(""), None):
        assert item.line >= 1


def test_terraform_strings_that_never_close_are_told() -> None:
    found = terraform.extract('x = "aws' + '${"' * 5_000, CLOUD)
    assert any(isinstance(item, Unreadable) for item in found)
