"""What Snakemake runs of a workflow beside its Python."""

from __future__ import annotations

import re

import pytest

from aegis.gates.scan.extract.python import snakefile
from aegis.gates.scan.model import Statement

CLOUD = re.compile(r"boto|aws|gcloud", re.IGNORECASE)


def found(source: str) -> list[tuple[int, str, str]]:
    """Line, form and name of each statement."""
    return [(s.line, s.form, s.name) for s in snakefile.extract(source, CLOUD) if isinstance(s, Statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('rule a:\n    shell: "aws s3 ls"\n', [(2, "command", "aws s3 ls")]),
        ('rule a: shell : "aws s3 ls"\n', [(1, "command", "aws s3 ls")]),
        ("rule a:\n    shell:\n\n        # x\n        r'aws s3 ls'\n", [(5, "command", "aws s3 ls")]),
        ('rule a:\n    shell:\n        f"aws s3 ls {X}" " y"\n', [(3, "command", "aws s3 ls")]),
        ("rule a:\n    shell:\n        'x \\n'\n        'gcloud y {output}'\n", [(4, "command", "gcloud y")]),
        (
            'rule a:\n    shell: "awk \'{{print \\"aws s3\\"}}\' {input} > x"\n',
            [(2, "command", 'awk {print "aws s3"}')],
        ),
        ('rule a:\n    message: "aws s3 ls"\n    log: "aws s3"\n', []),
        ('def f():\n    """shell: "aws s3 ls"."""\n# shell: "aws s3 ls"\n', []),
        ('rule a:\n    singularity: "docker://amazon/aws-cli:2"\n', [(2, "image", "amazon/aws-cli:2")]),
        ("rule a:\n    run:\n        import boto3\n", [(3, "import", "boto3")]),
        (
            "if x:\n    rule a:\n        input: lambda wc: f'{wc.x}'\nfrom boto3 import client\n",
            [(4, "import", "boto3.client")],
        ),
    ],
)
def test_statements(source: str, expected: list[tuple[int, str, str]]) -> None:
    assert found(source) == expected
