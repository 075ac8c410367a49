"""Notebooks: code cells, magics and shell lines, each at its line of the file."""

from __future__ import annotations

import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.python.notebook import extract
from aegis.gates.scan.model import Statement, Unreadable

SDK = re.compile("boto3|google|aws|gcloud|oci")


def notebook(*cells: str | list[str], language: str = "python", kind: str = "code") -> str:
    return json.dumps(
        {
            "cells": [{"cell_type": kind, "metadata": {}, "source": cell, "outputs": []} for cell in cells],
            "metadata": {"language_info": {"name": language}},
            "nbformat": 4,
        },
        indent=1,
    )


def found(source: str) -> list[tuple[str, str, str]]:
    return [(one.surface, one.form, one.name) for one in extract(source, SDK) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("import boto3", ("python", "import", "boto3")),
        ("!aws s3 ls {bucket}", ("command", "command", "aws s3 ls")),
        ("!!aws s3 ls", ("command", "command", "aws s3 ls")),
        ("files = !aws s3 ls", ("command", "command", "aws s3 ls")),
        ("%sx aws s3 ls", ("command", "command", "aws s3 ls")),
        ("%pip install -q boto3", ("pypi", "manifest", "boto3")),
        ("!pip install boto3", ("pypi", "manifest", "boto3")),
        ("pip install boto3", ("pypi", "manifest", "boto3")),
        ("%pip install \\\n  boto3", ("pypi", "manifest", "boto3")),
        ("%load_ext google.cloud.bigquery", ("python", "dynamic", "google.cloud.bigquery")),
        ("%%bash\ncd x\naws s3 ls", ("command", "command", "aws s3 ls")),
        ("%%script bash\naws s3 ls", ("command", "command", "aws s3 ls")),
        ("%%time\nimport boto3", ("python", "import", "boto3")),
        ("%time import boto3", ("python", "import", "boto3")),
        ("%%timeit import boto3\nx", ("python", "import", "boto3")),
        ("%%writefile x.py\nimport boto3", ("python", "import", "boto3")),
        ("%matplotlib inline\nimport boto3", ("python", "import", "boto3")),
        ("a = 5 %b\nimport boto3", ("python", "import", "boto3")),
    ],
)
def test_finds(cell: str, expected: tuple[str, str, str]) -> None:
    assert expected in found(notebook(cell))
    assert expected in found(notebook(cell.splitlines(keepends=True)))


@pytest.mark.parametrize(
    "source",
    [
        notebook("import boto3", kind="markdown"),
        notebook("%%html\n<b>import boto3</b>"),
        notebook("# import boto3", "'''\nimport boto3\n'''", "x = 1"),
        json.dumps({"cells": [{"cell_type": "code", "outputs": [{"text": ["import boto3"]}], "source": []}]}),
        "[]",
        "{}",
        "null",
    ],
)
def test_finds_nothing(source: str) -> None:
    assert extract(source, SDK) == []


def test_lines_are_the_files() -> None:
    source = notebook(["import os\n", "x = [\n", "]\n", "import boto3\n", "!aws s3 ls\n"], "import oci")
    lines = source.splitlines()
    for one in extract(source, SDK):
        assert isinstance(one, Statement)
        assert one.text in lines[one.line - 1][one.column - 1 :]
    assert len(extract(source, SDK)) == 3


def test_a_cell_in_one_string_is_one_line() -> None:
    source = notebook("import os\nimport boto3")
    (one,) = extract(source, SDK)
    assert "import boto3" in source.splitlines()[one.line - 1]


def test_cells_after_the_last_line_are_not_read() -> None:
    source = notebook("import boto3", "import oci")
    last = next(number for number, line in enumerate(source.splitlines(), 1) if "boto3" in line)
    assert [one.name for one in extract(source, SDK, last) if isinstance(one, Statement)] == ["boto3"]


def test_version_3() -> None:
    source = json.dumps({"worksheets": [{"cells": [{"cell_type": "code", "input": ["import boto3"]}]}]})
    assert found(source) == [("python", "import", "boto3")]


@pytest.mark.parametrize("source", ["", "{", '{"cells": [}', "[" * 100_000, "\ufeff{"])
def test_what_is_not_json_is_told(source: str) -> None:
    (one,) = extract(source, SDK)
    assert isinstance(one, Unreadable)


def test_other_languages_are_no_reason_to_stop() -> None:
    assert extract(notebook("x <- 'don''t", language="R"), SDK) == []
    assert isinstance(extract(notebook("x = '''"), SDK)[0], Unreadable)


@given(st.text(alphabet="!%\\\n 'abim{}=", max_size=40))
def test_never_raises(cell: str) -> None:
    for one in extract(notebook(cell), re.compile("")):
        assert one.line >= 1
