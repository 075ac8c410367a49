from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.go import extract
from aegis.gates.scan.model import Statement, Unreadable

SDK = re.compile(r"aws|^s3$")


def named(source: str) -> list[tuple[int, str, str]]:
    return [(one.line, one.form, one.name) for one in extract(source, SDK) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('import "aws/a"', [(1, "import", "aws/a")]),
        ("import `aws/a`", [(1, "import", "aws/a")]),
        ('import _ "aws/a"; import . "aws/b"', [(1, "import", "aws/a"), (1, "import", "aws/b")]),
        ('import (\n"fmt"\n\nx "aws/a" // "aws/no"\n/* c */ `aws/b`; "aws/c")',
         [(4, "import", "aws/a"), (5, "import", "aws/b"), (5, "import", "aws/c")]),
        ('import "\\x61ws/a"', [(1, "import", "aws/a")]),
        ('/*\n#include "aws"\n*/\nimport "C"', []),
        ('x := "import \\"aws/a\\""; y := `import "aws/a"`', []),
        ("r := '\"'; import \"aws/a\"", [(1, "import", "aws/a")]),
        ('exec.Command("aws", "s3", "ls")', [(1, "command", "aws s3 ls")]),
        ('exec.CommandContext(f(ctx), "sh", "-c", "aws s3 ls")', [(1, "command", "aws s3 ls")]),
        ('import e "os/exec"\ne.Command("aws", "s3")', [(2, "command", "aws s3")]),
        ('other.Command("aws", "s3")', []),
        ('x := "s3://bucket"', [(1, "scheme", "s3")]),
        ('reimport "aws/a"; x.import "aws/a"; imports "aws/a"', []),
        ("import `aws\r/a`", [(1, "import", "aws/a")]),
        ('import "syscall"\nsyscall.Exec("aws", "s3")', [(2, "command", "aws s3")]),
        ('exec.Command(tool, "sh", "-c", "aws s3")', []),
        ('exec.Command("sudo", "-u", user, "aws", "s3")', [(1, "command", "aws s3")]),
        ('syscall.Exec("aws", []string{"s3"})', []),
        ('import "os"\nos.StartProcess("aws", []string{"s3"}, nil)', [(2, "command", "aws s3")]),
        ("x\n//go:generate -x\n//go:generate aws s3 ls\n", [(3, "command", "aws s3 ls")]),
        ('//go:generate -command a aws s3\n//go:generate sh -c "aws s3 ls"',
         [(1, "command", "aws s3"), (2, "command", "aws s3 ls")]),
        ("// go:generate aws s3\n\t//go:generate aws s3\n//go:generated aws s3", []),
        ('import ("aws/a"; "b"', [(1, "import", "aws/a")]),
        ('import ("b"; "aws/a"', [(1, "import", "aws/a")]),
    ],
)  # fmt: skip
def test_names(source: str, expected: list[tuple[int, str, str]]) -> None:
    assert named(f"{source}\n") == expected


def test_text_is_a_statement_of_the_path_alone() -> None:
    (found,) = extract('import x "aws/a"', SDK)
    assert isinstance(found, Statement)
    assert (found.text, found.column) == ('import "aws/a"', 8)


@pytest.mark.parametrize("source", ["/* aws", "`aws", '"aws\n'])
def test_what_does_not_end_is_told_if_it_could_hide_a_use(source: str) -> None:
    assert [type(one) for one in extract(source, SDK)] == [Unreadable]
    assert extract(source.replace("aws", "x"), SDK) == []


def test_last_line_lets_the_rest_go() -> None:
    source = 'import (\n"aws/a"\n)\n' + 'func f() {}\nimport "aws/b"\n' * 3
    assert [one.line for one in extract(source, SDK, 2)] == [2]


@given(st.text(alphabet='import ("aws/`\\x61)\n;*.', max_size=80), st.one_of(st.none(), st.integers(1, 4)))
def test_total(source: str, last_line: int | None) -> None:
    extract(source, re.compile(""), last_line)


@given(st.lists(st.sampled_from([" ", "\t", '/* "x */', "/* ` */"]), min_size=9, max_size=9))
def test_spaces_and_comments_between_tokens_change_nothing(gaps: list[str]) -> None:
    tokens = ["import", "(", "x", '"aws/a"', ";", "_", "`aws/b`", ")", "\n"]
    source = "".join(f"{gap}{token}" for gap, token in zip(gaps, tokens, strict=True))
    assert [name for _, _, name in named(source)] == ["aws/a", "aws/b"]
