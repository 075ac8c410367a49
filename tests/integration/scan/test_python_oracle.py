"""The Python extractor beside Python's own parser, on real files and on made ones."""

from __future__ import annotations

import ast
import io
import re
import sysconfig
import time
import tokenize
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.gates.scan.extract.python.decode import decode
from aegis.gates.scan.extract.python.file import extract
from aegis.gates.scan.extract.python.imports import Import, imports
from aegis.gates.scan.extract.python.mask import mask
from aegis.gates.scan.model import Statement
from tests.support.programs.thirdparty import Wheel, fetch_wheel, pinned_wheels

Names = set[tuple[int, str]]

SDK_ROOTS = (
    "adlfs|aioboto3|aiobotocore|awscrt|azure|boto3|botocore|cloudpathlib|firebase_admin|gcsfs|google|googleapiclient|"
    "moto|msal|msrest|mypy_boto3|obstore|oci|pynamodb|s3fs|s3transfer|sagemaker|smart_open"
)
SDK = re.compile(rf"^(?:{SDK_ROOTS})(?![0-9A-Za-z])")

HITS_AT_LEAST = {
    "apache-airflow-providers-amazon": 100,
    "apache-airflow-providers-google": 1000,
    "apache-airflow-providers-microsoft-azure": 150,
    "c7n": 50,
    "homeassistant": 100,
    "localstack-core": 350,
    "metaflow": 30,
    "smart-open": 30,
}


def in_ast(data: bytes) -> Names | None:
    """The absolute imports that `ast` sees, None for a file that this Python cannot parse."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError):
        return None
    found: Names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {(node.lineno, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            found |= {(node.lineno, f"{node.module}.{one.name}".removesuffix(".*")) for one in node.names}
    return found


def in_extractor(text: str, wanted: re.Pattern[str]) -> Names:
    return {
        (one.line, one.name)
        for one in extract(text, wanted)
        if isinstance(one, Statement) and one.form in ("import", "type-only")
    }


def in_lexer(text: str) -> Names:
    """All imports, whatever they name."""
    masked = mask(text.removeprefix("\ufeff"))
    return {(masked.line(one.offset), one.dotted) for one in imports(masked) if isinstance(one, Import)}


def python_files(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*.py")) if "site-packages" not in path.parts)


# The standard library is read in parts, so that the workers share it.
PARTS = 4


@pytest.mark.parametrize("part", range(PARTS))
def test_standard_library(part: int) -> None:
    parsed = names = 0
    different: dict[str, Names] = {}
    for path in list(python_files(Path(sysconfig.get_path("stdlib"))))[part::PARTS]:
        data = path.read_bytes()
        expected = in_ast(data)
        if expected is None:
            continue
        text = decode(data)
        assert isinstance(text, str), f"{path}: {text}"
        parsed += 1
        names += len(expected)
        masked = mask(text.removeprefix("\ufeff"))
        assert not masked.unreadable, f"{path}: {masked.unreadable}"
        if (got := in_lexer(text)) != expected:
            different[str(path)] = got ^ expected
    assert different == {}
    assert parsed > 100
    assert names > 1000


def test_files_that_ast_cannot_parse_do_no_harm() -> None:
    for path in python_files(Path(sysconfig.get_path("stdlib"), "lib2to3")):
        text = decode(path.read_bytes())
        if isinstance(text, str):
            extract(text, re.compile("os|sys"))


def test_decoding_is_pythons() -> None:
    checked = 0
    for path in python_files(Path(sysconfig.get_path("stdlib"))):
        data = path.read_bytes()
        if b"coding" not in data[:200] and not data.startswith(b"\xef\xbb\xbf"):
            continue
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            expected = data.decode(encoding)
        except (SyntaxError, UnicodeDecodeError):
            continue
        assert decode(data) == expected, path
        checked += 1
    assert checked > 10


@pytest.mark.parametrize("wheel", pinned_wheels(), ids=lambda wheel: wheel.name)
def test_real_code(wheel: Wheel) -> None:
    hits = 0
    different: dict[str, Names] = {}
    for path in python_files(fetch_wheel(wheel.name, wheel.version, wheel.sha256)):
        data = path.read_bytes()
        text = decode(data)
        assert isinstance(text, str)
        if not re.search(SDK_ROOTS, text):
            continue
        everything = in_ast(data)
        if everything is None:
            continue
        expected = {(line, name) for line, name in everything if SDK.search(name)}
        hits += len(expected)
        if (got := in_extractor(text, SDK)) != expected:
            different[str(path)] = got ^ expected
    assert different == {}
    assert hits >= HITS_AT_LEAST.get(wheel.name, 0)


def test_real_code_is_plenty() -> None:
    assert len(pinned_wheels()) >= 8
    assert set(HITS_AT_LEAST) <= {wheel.name for wheel in pinned_wheels()}


NAMES = st.sampled_from(["boto3", "a", "google", "cloud", "matches", "caf\u00e9", "import_", "from_x", "as_"])
DOTTED = st.lists(NAMES, min_size=1, max_size=3).map(".".join)
TEXTS = st.text(alphabet="ab'\"\\{}#\n import:;()[]\u00e9", max_size=12)


def strings(children: st.SearchStrategy[ast.expr]) -> st.SearchStrategy[ast.expr]:
    plain = st.one_of(
        TEXTS.map(lambda text: ast.Constant(text)), st.binary(max_size=5).map(lambda data: ast.Constant(data))
    )
    field = children.map(lambda value: ast.FormattedValue(value, -1))
    part: st.SearchStrategy[ast.expr] = st.one_of(TEXTS.map(lambda text: ast.Constant(text)), field)
    return st.one_of(plain, st.lists(part, max_size=3).map(lambda values: ast.JoinedStr(values)))


EXPRESSIONS: st.SearchStrategy[ast.expr] = st.recursive(
    st.one_of(NAMES.map(lambda name: ast.Name(name)), st.integers(0, 9).map(lambda number: ast.Constant(number))),
    lambda children: st.one_of(
        strings(children),
        st.lists(children, max_size=3).map(lambda items: ast.List(items)),
        st.tuples(children, st.lists(children, max_size=2)).map(lambda call: ast.Call(call[0], call[1], [])),
        st.tuples(children, children).map(lambda pair: ast.Subscript(pair[0], pair[1])),
    ),
    max_leaves=6,
)
ALIASES = st.lists(
    st.tuples(NAMES, st.one_of(st.none(), NAMES)).map(lambda pair: ast.alias(*pair)), min_size=1, max_size=3
)
SIMPLE: st.SearchStrategy[ast.stmt] = st.one_of(
    st.lists(DOTTED.map(lambda name: ast.alias(name)), min_size=1, max_size=2).map(lambda names: ast.Import(names)),
    st.tuples(DOTTED, ALIASES, st.integers(0, 2)).map(lambda three: ast.ImportFrom(*three)),
    EXPRESSIONS.map(lambda value: ast.Expr(value)),
    EXPRESSIONS.map(lambda value: ast.Assign([ast.Name("x")], value, lineno=1)),
)
STATEMENTS: st.SearchStrategy[ast.stmt] = st.recursive(
    SIMPLE,
    lambda children: st.tuples(EXPRESSIONS, st.lists(children, min_size=1, max_size=3)).map(
        lambda pair: ast.If(pair[0], pair[1], [])
    ),
    max_leaves=6,
)
NOISE = st.sampled_from(
    ["", "# import x\n", "\n", "\f\n", "# don't\n", "'''\nimport no\n'''\n", 'r"\\\\"\n', "x = [\n1,\n]\n"]
)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(STATEMENTS, NOISE), max_size=4), st.sampled_from(["\n", "\r\n", "\r"]))
def test_made_programs(program: list[tuple[ast.stmt, str]], line_end: str) -> None:
    source = ""
    for statement, noise in program:
        try:
            code = ast.unparse(ast.fix_missing_locations(ast.Module([statement], [])))
            ast.parse(code)
        except (ValueError, SyntaxError):  # `ast` cannot write every nesting of strings before PEP 701
            code = "pass"
        source += f"{code}\n{noise}"
    source = source.replace("\n", line_end)
    expected = in_ast(source.encode())
    assert expected is not None
    assert in_lexer(source) == expected


@settings(max_examples=200, deadline=None)
@given(
    st.text(alphabet="importfrom \"'{}()[]\\#\n\r;:,.*=aftrb3\u00e9\x00\ufffc", max_size=80),
    st.one_of(st.none(), st.integers(0, 5)),
)
def test_any_text_is_read(text: str, last_line: int | None) -> None:
    for one in extract(text, re.compile(""), last_line):
        assert one.line >= 1


LARGE = 60_000
MOST_SECONDS = 10
REAL = [Path(re.__file__).parent / "_parser.py", Path(ast.__file__), Path(tokenize.__file__)]


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(REAL), st.integers(0, 60_000), st.integers(0, 60_000), st.text(alphabet="\"'{}\\\n(f#", max_size=3)
)
def test_cut_and_changed_files_are_read(path: Path, start: int, end: int, inserted: str) -> None:
    text = path.read_text(encoding="utf-8")
    changed = text[:start] + inserted + text[end:]
    for one in extract(changed, re.compile("os|sys|re")):
        assert 1 <= one.line <= changed.count("\n") + 1


@pytest.mark.parametrize(
    "piece",
    [
        "f'{", "f'''{a:{", "'", '"""', "'\\\n", "from a.", "from.", "from a import (", "import a,", "(", "((", ")",
        "import ", "from ", "lazy ", "lazy import ", "if TYPE_CHECKING:\n ", "'a'+", "'a' ", "['a',", "f('a',", "{'a':",
        "x='a'\n", "'a b'", "#\n", "\\\n", "'pip install '", "'import a;'", "\"f'\"", "a(", "a=", "a.", "rf'\\N{", "é",
    ],
)  # fmt: skip
def test_time_is_linear(piece: str) -> None:
    """60 kB take well below a second of CPU; work that grows with the square of the size would take minutes."""
    text = piece * (LARGE // len(piece))
    started = time.process_time()
    extract(text, re.compile(""))
    extract(text, re.compile("a"), 1)
    assert time.process_time() - started < MOST_SECONDS
