"""Files read as a whole: which ones, what they add, and where a second engine differs."""

from __future__ import annotations

import pytest

from aegis.gates.scan.catalogue import load
from aegis.gates.scan.match import Answer, Seen
from aegis.gates.scan.model import Statement
from aegis.gates.scan.read import FileReading
from aegis.gates.scan.whole import MAX_WHOLE, Disagreement, WholeReader, dynamic_statements, second_opinions, surface_of

CATALOGUE = load()
READER = WholeReader(CATALOGUE)
IMPORT = Statement(1, 1, "python", "import", "boto3", "import boto3")


def reading(source: str | None, *statements: Statement, path: str = "svc.py") -> FileReading:
    return FileReading(path, statements, (), source)


def answer(*seen: Seen, unread: dict[str, str] | None = None) -> Answer:
    return Answer({}, seen, unread or {})


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("svc.py", 'N = "boto3"\nimport_module(N)'),
        ("svc.py", 'N = "boto3"\n__import__(N)'),
        ("svc.py", 'import_module("boto" + x)'),
        ("svc.py", 'from importlib import import_module as f\nf("boto3")'),
        ("svc.py", 'load = __import__\nload("boto3")'),
        ("svc.py", 'N = "google.cloud"\nfind_spec(N)'),
        ("svc.js", 'const n = "aws-sdk"; require(n)'),
        ("svc.ts", 'const n = `@aws-sdk/x`; import(n)'),
        ("svc.js", 'require("aws-" + x)'),
        ("Svc.java", 'String n = "com.amazonaws.X"; Class.forName(n);'),
        ("Svc.java", 'loader.loadClass("com." + n);'),
    ],
)  # fmt: skip
def test_files_that_import_by_name_are_read_as_a_whole(path: str, source: str) -> None:
    (file,) = READER.choose([reading(source, path=path)], side="now", every=False)
    assert (file.key, file.source) == (f"now:{path}", source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("svc.py", 'import_module("boto3")'),
        ("svc.py", "import boto3"),
        ("svc.py", 'import_module(name)\nx = "numpy"'),
        ("svc.js", 'require("aws-sdk")'),
        ("svc.go", 'import "github.com/aws/aws-sdk-go"'),
        ("svc.sh", 'import_module(N)  "boto3"'),
        ("svc.py", None),
    ],
)
def test_other_files_are_not(path: str, source: str | None) -> None:
    assert READER.choose([reading(source, path=path)], side="now", every=False) == []


def test_for_a_second_opinion_every_file_of_a_known_language_is() -> None:
    readings = [reading("x = 1\n"), reading("x", path="svc.sh"), reading(None, path="b.py"), reading("y", path="c.go")]
    assert [f.key for f in READER.choose(readings, side="now", every=True)] == ["now:svc.py", "now:c.go"]


def test_a_file_too_large_for_it_is_told() -> None:
    large = reading('N = "boto3"\nimport_module(N)\n' + "#" * MAX_WHOLE)
    assert READER.choose([large], side="now", every=False) == []
    assert READER.too_large(large)
    assert not READER.too_large(reading('N = "boto3"\nimport_module(N)\n'))
    assert not READER.too_large(reading("import boto3\n" + "#" * MAX_WHOLE))


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ('P = ["boto3"]\nimport_module(P[0])', (1, "boto3", "aws")),
        ('\nP = "google.cloud.storage"\n__import__(P)', (2, "google.cloud.storage", "gcp")),
        ('map(__import__, ["boto3", "botocore"])', (1, "boto3", "aws")),
        ('P = ["boto3 is nice", "boto3_helpers"]\nimport_module(P[0])', None),
        ('P = ["boto3"]\nimport_module("os")', None),
        ("P = ['boto3\"]\nimport_module(P[0])", None),
    ],
)
def test_a_name_beside_an_import_that_nobody_worked_out(source: str, place: tuple[int, str, str] | None) -> None:
    assert list(READER.unexplained(reading(source), ())) == ([place] if place else [])
    assert list(READER.unexplained(reading(source), {"aws", "gcp"})) == []


def dynamic(*seen: Seen, of: FileReading) -> list[tuple[int, str, str]]:
    found = dynamic_statements(answer(*seen), [of], side="now", catalogue=CATALOGUE)
    return [(statement.line, statement.name, entry.provider) for _, statement, entry in found]


def test_what_only_the_engine_worked_out_is_dynamic() -> None:
    seen = Seen("now:svc.py", "dynamic", "aws", 3, '"boto3"')
    assert dynamic(seen, of=reading("x")) == [(3, "boto3", "aws")]
    assert dynamic(seen, seen, of=reading("x")) == [(3, "boto3", "aws")]


def test_what_an_extractor_found_too_is_not_told_twice() -> None:
    seen = Seen("now:svc.py", "dynamic", "aws", 3, "boto3")
    found = Statement(3, 1, "python", "dynamic", "boto3", "import boto3")
    assert dynamic(seen, of=reading("x", found)) == []
    other_line = Statement(4, 1, "python", "dynamic", "boto3", "import boto3")
    assert dynamic(seen, of=reading("x", other_line)) == [(3, "boto3", "aws")]
    other_provider = Statement(3, 1, "python", "dynamic", "oci", "import oci")
    assert dynamic(seen, of=reading("x", other_provider)) == [(3, "boto3", "aws")]


def test_other_sides_and_kinds_are_not_dynamic() -> None:
    old = Seen("old:svc.py", "dynamic", "aws", 3, "boto3")
    static = Seen("now:svc.py", "slice", "aws", 3, None)
    assert dynamic(old, static, of=reading("x")) == []


def test_a_name_that_is_not_known_keeps_its_provider() -> None:
    assert dynamic(Seen("now:svc.py", "dynamic", "aws", 3, None), of=reading("x")) == [(3, "", "aws")]


def opinions(of: FileReading, *seen: Seen, unread: dict[str, str] | None = None) -> list[Disagreement]:
    return list(second_opinions(answer(*seen, unread=unread), [of], side="now", catalogue=CATALOGUE))


def test_engines_that_agree_say_nothing() -> None:
    static = Seen("now:svc.py", "slice", "aws", 1, None)
    assert opinions(reading("import boto3\n", IMPORT), static) == []


def test_what_the_extractor_missed_is_told_by_each_engine() -> None:
    static = Seen("now:svc.py", "slice", "aws", 1, None)
    assert opinions(reading("import boto3\n"), static) == [
        Disagreement("svc.py", 1, "aws", "semgrep"),
        Disagreement("svc.py", 1, "aws", "ast"),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "from boto3 import *",
        "from google import (\n  cloud)",
        "if 1:\n  import x, boto3 as y",
        "\ndef f():\n import oci",
    ],
)
def test_pythons_own_parser_sees_every_form(source: str) -> None:
    assert [each.seen_by for each in opinions(reading(source))] == ["ast"]


@pytest.mark.parametrize("source", ["from . import boto3", "from .boto3 import x", "import requests", "def (", "\0"])
def test_it_sees_nothing_where_there_is_nothing(source: str) -> None:
    assert opinions(reading(source)) == []


def test_a_file_that_semgrep_could_not_read_has_one_opinion_less() -> None:
    found = opinions(reading("import boto3\n"), unread={"now:svc.py": "cannot parse"})
    assert [each.seen_by for each in found] == ["ast"]


@pytest.mark.parametrize(
    ("path", "surface"),
    [
        ("a.py", "python"),
        ("A.PY", "python"),
        ("a.tsx", "npm"),
        ("a.go", "go"),
        ("A.java", "java"),
        ("SConstruct", "python"),
        ("a.kt", None),
        ("a.ipynb", None),
        ("a.vue", None),
        ("a", None),
    ],
)
def test_surfaces(path: str, surface: str | None) -> None:
    assert surface_of(reading("x", path=path)) == surface


@pytest.mark.parametrize(("program", "surface"), [("python3", "python"), ("node", "npm"), ("sh", None)])
def test_the_first_line_tells_the_surface_of_a_script(program: str, surface: str | None) -> None:
    assert surface_of(reading(f"#!/usr/bin/env {program}\n", path="bin/tool")) == surface


@pytest.mark.parametrize(
    ("path", "source", "line"),
    [
        ("Snakefile", 'M = "boto3"\nrule a:\n    run: import_module(M)\n', 1),
        ("n.ipynb", '{"source": ["M = \\"boto3\\"\\n",\n"import_module(M)"]}', 1),
        ("a.html", '<script>\nconst M = "aws-sdk"; import(M)\n</script>', 2),
        ("a.svelte", "<script>\nconst M = 'aws-sdk'; import(M)\n</script>", 2),
    ],
)
def test_a_file_that_no_engine_reads_is_told_by_its_strings(path: str, source: str, line: int) -> None:
    assert READER.choose([reading(source, path=path)], side="now", every=False) == []
    assert [place[0] for place in READER.unexplained(reading(source, path=path), ())] == [line]
