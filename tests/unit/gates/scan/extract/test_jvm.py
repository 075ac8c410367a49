from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.jvm import file as jvm
from aegis.gates.scan.model import Statement, Unreadable

SDK = re.compile(r"(?<![A-Za-z0-9])aws|amazonaws|^s3$")


def named(found: list[Statement | Unreadable]) -> list[tuple[str, str]]:
    return [(one.form, one.name) for one in found if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import com.amazonaws.A;", [("import", "com.amazonaws.A")]),
        ("import com.amazonaws.*;", [("import", "com.amazonaws")]),
        ("import static com.amazonaws.A.b;", [("import", "com.amazonaws.A.b")]),
        ("import com // x\n . amazonaws /* y */ . A;", [("import", "com.amazonaws.A")]),
        (r"import \u0063om.amazonaws.A;", [("import", "com.amazonaws.A")]),
        (r"/* \u002a\u002f import com.amazonaws.A;", [("import", "com.amazonaws.A")]),
        (r'x = "\\u0022; import com.amazonaws.A;";', []),
        ("com.amazonaws.A x = y().com.amazonaws.B;", [("reference", "com.amazonaws.A")]),
        ("class X implements com.amazonaws\n.b.C.D {}", [("reference", "com.amazonaws.b.C")]),
        ("com.amazonaws.@a.b.Nullable A x;", [("reference", "com.amazonaws.A")]),
        ("@com.amazonaws.A class X {}", [("reference", "com.amazonaws.A")]),
        ('Class.forName("com." + "amazonaws.A")', [("dynamic", "com.amazonaws.A")]),
        ('Class.forName("com.amazonaws." + x)', [("dynamic", "com.amazonaws")]),
        ('x = "com.amazonaws.A";', [("dynamic", "com.amazonaws.A")]),
        ('x = "com.amazonaws.some.property";', []),
        ('x = """\n com.amazonaws.A "q" \\""" com.amazonaws.B\n""";', []),
        ("// com.amazonaws.A\n/** {@link com.amazonaws.A} */", []),
        ("c = '\"'; com.amazonaws.A x; d = '\\'';", [("reference", "com.amazonaws.A")]),
        ('new ProcessBuilder("aws", "s3", x, "ls");', [("command", "aws s3")]),
        ('new ProcessBuilder(List.of("aws", "s3"));', [("command", "aws s3")]),
        ('r.exec(new String[] {"aws", "s3"});', [("command", "aws s3")]),
        ('r.exec("aws s3 ls");', [("command", "aws s3 ls")]),
        ('x = "s3://b";', [("scheme", "s3")]),
        ("import module com.amazonaws.m;", [("import", "com.amazonaws.m")]),
        ("import module.com.amazonaws.A;", [("import", "module.com.amazonaws.A")]),
        ('Class.forName("[Lcom.amazonaws.A;")', [("dynamic", "com.amazonaws.A")]),
        ('x = "com/amazonaws/A";', [("dynamic", "com.amazonaws.A")]),
        ("x = '\U0001f600'; y = '\"'; com.amazonaws.A z;", [("reference", "com.amazonaws.A")]),
        ('x = """\n "a" com.amazonaws.A\n""";', []),
        ('Class.forName("\\u{110000}com.amazonaws.A")', []),
        ('x = "s3 ://b"; y = S3://b', []),
        ('x = "S3://b";', [("scheme", "s3")]),
    ],
)
def test_java(source: str, expected: list[tuple[str, str]]) -> None:
    found = named(jvm.java(source, SDK))
    assert [(form, name[: len(expected[i][1])]) for i, (form, name) in enumerate(found)] == expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import com.amazonaws.A as B", [("import", "com.amazonaws.A")]),
        ("import com.amazonaws.`object`.A", [("import", "com.amazonaws.object.A")]),
        ("/* /* */ import com.amazonaws.A */", []),
        ('val x = "a ${com.amazonaws.A("${"}"}")} com.amazonaws.B"', [("reference", "com.amazonaws.A")]),
        ('val x = """ " ${com.amazonaws.A()} com.amazonaws.B """"', [("reference", "com.amazonaws.A")]),
        ('Class.forName("com.amazonaws.$x")', [("dynamic", "com.amazonaws")]),
        ('ProcessBuilder(listOf("aws", "s3"))', [("command", "aws s3")]),
    ],
)
def test_kotlin(source: str, expected: list[tuple[str, str]]) -> None:
    assert named(jvm.kotlin(source, SDK)) == expected


def test_lines_are_those_of_the_source_behind_escapes() -> None:
    (found,) = jvm.java("// \\u000a\n\n  import com.amazonaws.A;", SDK)
    assert isinstance(found, Statement)
    assert (found.line, found.column, found.text) == (3, 3, "import com.amazonaws.A;")


def test_the_text_of_an_import_keeps_its_star() -> None:
    texts = [
        one.text
        for one in jvm.java("import com.amazonaws.*; import static com.amazonaws.A.*;", SDK)
        if isinstance(one, Statement)
    ]
    assert texts == ["import com.amazonaws.*;", "import static com.amazonaws.A.*;"]


def test_an_import_that_ends_as_javas_tells_the_language_whatever_a_comment_says() -> None:
    source = "import a.b;\n// fun x() {\n/* /* */ com.amazonaws.A x; // */"
    assert named(jvm.extract(source, SDK)) == [("reference", "com.amazonaws.A")]


def test_an_escaped_line_break_is_no_line_of_the_source() -> None:
    source = "// \\u000a a; \\u000a b;\n" * 9 + "import com.amazonaws.A;\n"
    assert [one.line for one in jvm.java(source, SDK, 10)] == [10]


def test_last_line_does_not_end_a_string_that_holds_code() -> None:
    source = 'val a = "${b {\nval c = 1\nval d = com.amazonaws.A\n}}"\n'
    assert [one.line for one in jvm.kotlin(source, SDK, 1)] == [3]


def test_braces_in_an_expression_do_not_end_it() -> None:
    assert named(jvm.kotlin('x = "${a { b } + com.amazonaws.A.c} com.amazonaws.B"', SDK)) == [
        ("reference", "com.amazonaws.A")
    ]


def test_a_kotlin_comment_that_does_not_end_is_told() -> None:
    assert [type(one) for one in jvm.kotlin("/* /* */ amazonaws", SDK)] == [Unreadable]


def test_the_language_is_told_by_its_look() -> None:
    nested = "/* /* */ com.amazonaws.A */"
    assert named(jvm.extract(f"import a.b\n{nested}", SDK)) == []
    assert named(jvm.extract(f"import a.b;\n{nested}", SDK)) == [("reference", "com.amazonaws.A")]


@pytest.mark.parametrize("source", ["/* amazonaws", '"amazonaws\n', '"""\namazonaws', 'fun f() { "${amazonaws'])
def test_what_does_not_end_is_told_if_it_could_hide_a_use(source: str) -> None:
    assert [type(one) for one in jvm.extract(source, SDK)] == [Unreadable] * len(jvm.extract(source, SDK)) != []
    assert jvm.extract(source.replace("amazonaws", "x"), SDK) == []


@given(st.text(alphabet="import com.\\u0\"${}/*\n`'+;@(", max_size=80), st.one_of(st.none(), st.integers(1, 4)))
def test_total(source: str, last_line: int | None) -> None:
    for read in (jvm.java, jvm.kotlin, jvm.extract):
        read(source, re.compile(""), last_line)


@given(st.lists(st.sampled_from([" ", "\n", '/* " */', "// '\n"]), min_size=11, max_size=11))
def test_spaces_and_comments_between_tokens_change_nothing(gaps: list[str]) -> None:
    tokens = ["import ", "com", ".", "amazonaws", ".", "A", ";", "com", ".", "amazonaws", ".B x;"]
    source = "".join(f"{gap}{token}" for gap, token in zip(gaps, tokens, strict=True))
    assert named(jvm.java(source, SDK)) == [("import", "com.amazonaws.A"), ("reference", "com.amazonaws.B")]
