"""What the scripts of a page load and name."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.javascript.html import extract
from aegis.gates.scan.model import Statement

SDK = re.compile(r"aws")
URL = "https://sdk.amazonaws.com/js/aws-sdk-2.1.0.min.js"


def named(source: str) -> list[tuple[int, int, str, str]]:
    return [(one.line, one.column, one.form, one.name) for one in extract(source, SDK) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (f'<p>\n <script src="{URL}"></script>', [(2, 2, "import", "aws-sdk")]),
        (f"<SCRIPT async\n data-x='>' SRC = {URL}></SCRIPT>", [(1, 1, "import", "aws-sdk")]),
        (
            '<script src="//unpkg.com/aws&#45;sdk@2/dist/x.js?a=b&amp;c=d"></script>',
            [(1, 1, "import", "aws-sdk/dist/x.js")],
        ),
        ('<script type="module">\nimport "https://esm.sh/@aws-sdk/a@3";\n</script>', [(2, 1, "import", "@aws-sdk/a")]),
        (
            "<script>1</script>\n<p>'</p>\n<script>import('https://esm.sh/aws-sdk')</script>",
            [(3, 9, "import", "aws-sdk")],
        ),
        (
            '<script type="importmap">\n{"imports": {"s3": "https://esm.sh/aws-sdk@2"}}</script>',
            [(2, 20, "manifest", "aws-sdk")],
        ),
        (f'<!-- <script src="{URL}"></script> --><script src="./x.js"></script>', []),
        (f'<script data-src="{URL}"></script><a href="{URL}"></a><img src="{URL}">', []),
        ('<script type="text/template">import "aws-sdk"</script>', []),
        ('<pre>import "aws-sdk"; require("aws-sdk")</pre><scripts src="https://esm.sh/aws-sdk"></scripts>', []),
    ],
)
def test_scripts(source: str, expected: list[tuple[int, int, str, str]]) -> None:
    assert named(source) == expected


@given(st.text(alphabet="<>!-/\"'= \nscriptawymodule{}:`$", max_size=80))
def test_reads_any_text(source: str) -> None:
    for item in extract(f"<script>{source}", re.compile("")):
        assert 1 <= item.line <= source.count("\n") + 1


@pytest.mark.parametrize("text", ["<script ", '<script "', "<script '\"", "<!-- <script>", "<script src=aws "])
def test_takes_linear_time(text: str) -> None:
    start = time.process_time()
    extract(text * 10_000, SDK)
    assert time.process_time() - start < 10
