"""Static imports: every spelling of the statement, and nothing that only looks like one."""

from __future__ import annotations

import re

import pytest

from aegis.gates.scan.extract.python.file import extract
from aegis.gates.scan.model import Statement, Unreadable

ALL = re.compile("")


def names(source: str, wanted: re.Pattern[str] = ALL) -> list[tuple[int, str]]:
    return [(one.line, one.name) for one in extract(source, wanted) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import boto3", [(1, "boto3")]),
        ("import os, boto3 as b, a.b.c", [(1, "os"), (1, "boto3"), (1, "a.b.c")]),
        ("from google import cloud, x", [(1, "google.cloud"), (1, "google.x")]),
        ("from google.cloud import storage", [(1, "google.cloud.storage")]),
        ("from google import (  # why\n    cloud,\n    x as y,\n)\n", [(1, "google.cloud"), (1, "google.x")]),
        ("from boto3 import *", [(1, "boto3")]),
        ("from boto3 import(session)", [(1, "boto3.session")]),
        ("import a . b", [(1, "a.b")]),
        ("from a \\\n  . b import \\\n  c", [(1, "a.b.c")]),
        ("import \\\n  boto3", [(1, "boto3")]),
        ("if x: import boto3", [(1, "boto3")]),
        ("x = 1; import boto3; import oci", [(1, "boto3"), (1, "oci")]),
        ("try:\n\timport boto3\nexcept A, B:\n\timport oci", [(2, "boto3"), (4, "oci")]),
        ("lazy import boto3", [(1, "boto3")]),
        ("lazy from google import cloud", [(1, "google.cloud")]),
        ("match x:\n    case {**k}:\n        import boto3", [(3, "boto3")]),
        ("type X[T] = list[T]\nimport boto3", [(2, "boto3")]),
        ("print 'hello'\nexec code in ns\nimport boto3", [(3, "boto3")]),
        ("import \uff42oto3", [(1, "boto3")]),
        ("import a\r\nimport b\rimport c\n\fimport d", [(1, "a"), (2, "b"), (3, "c"), (4, "d")]),
        ("\ufeffimport boto3", [(1, "boto3")]),
        ("x = '\\\n'; import boto3", [(2, "boto3")]),
        ('"""\nimport a\n"""\nimport b', [(4, "b")]),
        ("r'\\'; import a'\nimport b", [(2, "b")]),
        ("rb'''\\''' import a'''\nimport b", [(2, "b")]),
        ("f'{x!r:{w}}'; import b", [(1, "b")]),
        ("f'{a['b']}'; import b", [(1, "b")]),
        ("f'{f\"{'x'}\"}'; import b", [(1, "b")]),
        ("f'{{'; import b", [(1, "b")]),
        ("f'{x:%H:%M}'; import b", [(1, "b")]),
        ("f'{x[1:2]:>{'}'}}'; import b", [(1, "b")]),
        ("f'''{\nx  # don't\n}''' ; import b", [(3, "b")]),
        ("f'{x:#x}{y['a']}'; import b", [(1, "b")]),
        ("f'\\N{DIGIT ONE}{x}'; import b", [(1, "b")]),
        ("rf'\\{x['a']}'; import b", [(1, "b")]),
        ("t'{x} {y['a']}'; import b", [(1, "b")]),
        ("1if'{'else'}'; import b", [(1, "b")]),
        ("# import a \\\nimport b", [(2, "b")]),
        ("x = '#'; import b", [(1, "b")]),
        ("def f(): yield from a\nimport b", [(2, "b")]),
        ("raise A from b\nimport c", [(2, "c")]),
        ("\x00import boto3", [(1, "boto3")]),
    ],
)
def test_finds(source: str, expected: list[tuple[int, str]]) -> None:
    assert names(source) == expected


@pytest.mark.parametrize(
    "source",
    [
        "from . import boto3",
        "from .boto3 import client",
        "from.boto3 import client",
        "from ... import boto3",
        "from . \\\n import boto3",
        "importboto3 = 1",
        "x.imports = boto3",
        "# import boto3",
        "'import boto3'",
        "important = from_boto3",
        "\u00b7import boto3",
        "lazy = 1",
        "yield from boto3",
        "raise X from boto3",
    ],
)
def test_finds_nothing(source: str) -> None:
    assert names(source) == []


def test_statement_says_the_same_alone() -> None:
    source = "if x:\n    from google import (cloud as c,\n        x)\n    import boto3.session as s, oci\n"
    assert extract(source, ALL) == [
        Statement(2, 5, "python", "import", "google.cloud", "from google import cloud as c"),
        Statement(2, 5, "python", "import", "google.x", "from google import x"),
        Statement(4, 5, "python", "import", "boto3.session", "import boto3.session as s"),
        Statement(4, 5, "python", "import", "oci", "import oci"),
    ]


def test_only_wanted_names() -> None:
    assert names("import os, boto3\nfrom google import cloud\n", re.compile("boto3")) == [(1, "boto3")]


@pytest.mark.parametrize(
    ("source", "line"),
    [
        ("x = 1\ny = '''abc\nimport boto3\n", 2),
        ("x = 'abc\nimport boto3\n", 1),
        ("x = f'{a\nimport boto3\n", 1),
        ("from google import (cloud\n", 1),
        ("from google import (cloud, 'x')\n", 1),
    ],
)
def test_tells_what_it_could_not_follow(source: str, line: int) -> None:
    assert [one.line for one in extract(source, ALL) if isinstance(one, Unreadable)] == [line]


def test_goes_on_after_an_unfinished_string() -> None:
    assert names("x = 'abc\nimport boto3\n") == [(2, "boto3")]


def test_unfinished_from_statement_still_names_its_module() -> None:
    assert names("from google.cloud import\n") == [(1, "google.cloud")]


def test_reads_statements_to_their_end_after_the_last_line() -> None:
    source = "from google import (\n    a,\n\n    cloud,\n)\nx = [\n 1]\ndef f():\n    import boto3\n"
    assert names(source, re.compile("google")) == [(1, "google.a"), (1, "google.cloud")]
    assert [one for one in extract(source, ALL, last_line=1) if isinstance(one, Unreadable)] == []
    assert (1, "google.cloud") in [(s.line, s.name) for s in extract(source, ALL, 1) if isinstance(s, Statement)]


def test_stops_after_the_last_line() -> None:
    source = "import boto3\n" + "x = 'a'\ndef f():\n    pass\n" * 3 + "import oci\n'''"
    assert extract(source, ALL, last_line=1) == [Statement(1, 1, "python", "import", "boto3", "import boto3")]


HEADER = "from typing import TYPE_CHECKING\n"


@pytest.mark.parametrize(
    "source",
    [
        HEADER + "if TYPE_CHECKING:\n    import boto3\n",
        HEADER + "if (TYPE_CHECKING):\n\n    # why\n    x = '''\nno end\n'''\n    import boto3\n",
        HEADER + "if TYPE_CHECKING: import boto3\n",
        HEADER + "if TYPE_CHECKING and sys.version_info > (3, 9)[0:]: pass\n"
        "if TYPE_CHECKING and x:\n    import boto3\n",
        HEADER + "def f():\n    if TYPE_CHECKING:\n        if y:\n            import boto3\n",
        "import typing\nif typing.TYPE_CHECKING:\n    import boto3\n",
        "import typing as t\nif t.TYPE_CHECKING:\n    import boto3\n",
        "from typing import (\n    Any,\n    TYPE_CHECKING as T,\n)\nif T:\n    import boto3\n",
        "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import boto3\n",
        "from typing_extensions import TYPE_CHECKING, Any\nif x:\n    pass\nelif TYPE_CHECKING:\n    import boto3\n",
    ],
)
def test_type_only(source: str) -> None:
    assert [one.form for one in extract(source, re.compile("boto3")) if isinstance(one, Statement)] == ["type-only"]


@pytest.mark.parametrize(
    "source",
    [
        HEADER + "if TYPE_CHECKING:\n    pass\nelse:\n    import boto3\n",
        HEADER + "if TYPE_CHECKING:\n    pass\nimport boto3\n",
        HEADER + "if not TYPE_CHECKING:\n    import boto3\n",
        HEADER + "if TYPE_CHECKING or x:\n    import boto3\n",
        HEADER + "if (TYPE_CHECKING and x) == False:\n    import boto3\n",
        HEADER + "if TYPE_CHECKING and x if y else z:\n    import boto3\n",
        HEADER + "if TYPE_CHECKING == False:\n    import boto3\n",
        HEADER + "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import boto3\n",
        HEADER + "x, TYPE_CHECKING = 1, 1\nif TYPE_CHECKING:\n    import boto3\n",
        HEADER + "if (TYPE_CHECKING := 1):\n    pass\nif TYPE_CHECKING:\n    import boto3\n",
        HEADER + "def f(TYPE_CHECKING):\n    if TYPE_CHECKING:\n        import boto3\n",
        HEADER + "for TYPE_CHECKING in [1]:\n    if TYPE_CHECKING:\n        import boto3\n",
        HEADER + "globals()['TYPE_CHECKING'] = 1\nif TYPE_CHECKING:\n    import boto3\n",
        HEADER + "if TYPE_CHECKING:\n  import boto3\ndef f():\n  pass\nTYPE_CHECKING = True\n",
        HEADER + "if TYPE_CHECKING:\n  import boto3\ndef f():\n  x = ''\nTYPE_CHECKING = True\n",
        "import typing\ntyping.TYPE_CHECKING = True\nif typing.TYPE_CHECKING:\n    import boto3\n",
        "import typing\ntyping = x\nif typing.TYPE_CHECKING:\n    import boto3\n",
        "TYPE_CHECKING = True\nif TYPE_CHECKING:\n    import boto3\n",
        "from compat import TYPE_CHECKING\nif TYPE_CHECKING:\n    import boto3\n",
        "if TYPE_CHECKING:\n    import boto3\n",
        "from typing import TYPE_CHECKING_ as x\nif x:\n    import boto3\n",
    ],
)
def test_run_time(source: str) -> None:
    for last_line in (None, source[: source.index("import boto3")].count("\n") + 1):
        found = extract(source, re.compile("boto3"), last_line)
        assert [one.form for one in found if isinstance(one, Statement)] == ["import"]
