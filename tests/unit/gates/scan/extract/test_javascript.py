from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.javascript.file import extract
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.model import Statement, Unreadable

ANY = re.compile("")
SDK = re.compile(r"aws|^s3$")


def named(source: str, wanted: re.Pattern[str] = SDK) -> list[tuple[int, str, str]]:
    return [(one.line, one.form, one.name) for one in extract(source, wanted) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "form", "name"),
    [
        ('import "@aws-sdk/a"', "import", "@aws-sdk/a"),
        ('import a, {b as c, type D} from "aws-sdk"', "import", "aws-sdk"),
        ('import type from "aws-sdk"', "import", "aws-sdk"),
        ('import type, {z} from "aws-sdk"', "import", "aws-sdk"),
        ('import { type as b } from "aws-sdk"', "import", "aws-sdk"),
        ('import {} from "aws-sdk"', "import", "aws-sdk"),
        ('import d from "aws-sdk/d.json" with { type: "json" }', "import", "aws-sdk/d.json"),
        ('import defer * as d from "aws-sdk"', "import", "aws-sdk"),
        ('import a = require("aws-sdk")', "import", "aws-sdk"),
        ('export * as k from "aws-sdk"', "import", "aws-sdk"),
        ('import type { X } from "aws-sdk"', "type-only", "aws-sdk"),
        ('import { type A, type B as C } from "aws-sdk"', "type-only", "aws-sdk"),
        ('import type a = require("aws-sdk")', "type-only", "aws-sdk"),
        ('export type { Y } from "aws-sdk"', "type-only", "aws-sdk"),
        ('let x: import("aws-sdk").S3', "type-only", "aws-sdk"),
        ('type T = typeof import("aws-sdk")', "type-only", "aws-sdk"),
        ('/// <reference types="aws-sdk" />', "type-only", "aws-sdk"),
        ('declare module "aws-sdk" {}', "type-only", "aws-sdk"),
        ("const x = require(`aws-sdk`)", "import", "aws-sdk"),
        ('module.require("aws-sdk")', "import", "aws-sdk"),
        ('(0, require)("aws-sdk")', "import", "aws-sdk"),
        ('createRequire(import.meta.url)("aws-sdk")', "import", "aws-sdk"),
        ('const load = createRequire(import.meta.url); load("aws-sdk")', "import", "aws-sdk"),
        ('requ\\u0069re("\\x61ws-sdk")', "import", "aws-sdk"),
        ('await import(/* chunk */ "aws-sdk").then(f)', "import", "aws-sdk"),
        ('define(["aws-sdk"], f)', "import", "aws-sdk"),
        ('require.resolve("aws-sdk")', "dynamic", "aws-sdk"),
        ('require("aws" + "-sdk")', "dynamic", "aws-sdk"),
        ("import(`@aws-sdk/client-${x}`)", "dynamic", "@aws-sdk/client-"),
        ('require(old ? "aws-sdk" : "x")', "dynamic", "aws-sdk"),
        ('jest.mock("aws-sdk")', "mock", "aws-sdk"),
        ('jest.unstable_mockModule("aws-sdk", f)', "mock", "aws-sdk"),
        ('vi.mock(import("aws-sdk"))', "mock", "aws-sdk"),
        ('mock.module("aws-sdk")', "mock", "aws-sdk"),
        ('proxyquire("./x", {"aws-sdk": y})', "mock", "aws-sdk"),
        ("eval(\"require('aws-sdk')\")", "embedded", "aws-sdk"),
        ('execSync("cd x && aws s3 ls")', "command", "aws s3 ls"),
        ('require("child_process").execSync("aws s3 ls")', "command", "aws s3 ls"),
        ("require('node:child_process') . exec('aws s3 ls', f)", "command", "aws s3 ls"),
        ('(await import("child_process")).exec("aws s3 ls")', "command", "aws s3 ls"),
        ('require(`aws-${"sdk"}`)', "dynamic", "aws-sdk"),
        ("require(`${'aws'}-${ (`sdk`) }`)", "dynamic", "aws-sdk"),
        ('importScripts("https://sdk.amazonaws.com/js/aws-sdk-2.1.0.min.js")', "dynamic", "aws-sdk"),
        ('spawn("aws", ["s3", "ls"])', "command", "aws s3 ls"),
        ("await $`aws s3 ls`", "command", "aws s3 ls"),
        ('x = "s3://bucket"', "scheme", "s3"),
        ('<script setup lang="ts">import a from "aws-sdk"</script><template>it\'s</template>', "import", "aws-sdk"),
        ("<p>it's</p><Lazy load={() => import('aws-sdk')} />", "import", "aws-sdk"),
    ],
)
def test_form_and_name(source: str, form: str, name: str) -> None:
    assert [(found, called) for _, found, called in named(source)] == [(form, name)]


@pytest.mark.parametrize(
    "source",
    [
        '// import "aws-sdk"\n/* require("aws-sdk") */',
        "const help = 'import x from \"aws-sdk\"'",
        'const help = `require("aws-sdk")`',
        '/require("aws-sdk")/.test(x)',
        'if (x) /require("aws-sdk")/.test(x)',
        'x = { "aws-sdk": 1 }; y.aws("aws-sdk")',
        'pattern.exec("aws s3 ls")',
        'require("./patterns").exec("aws s3 ls")',
    ],
)
def test_no_use(source: str) -> None:
    assert extract(source, SDK) == []


@pytest.mark.parametrize(
    "before",
    [
        "const a = b / c; const d = '/';",
        "const a = /[/'\"`]/g;",
        "if (x) /`/.test(y);",
        "const a = (b) / 2; const c = '`' / 3;",
        "const t = `a ${`b ${c} '`} \"`;",
        "const e = <div title=\"it's\">don't `x {y}</div>;",
        "const f = <T,>(x: T) => x; const g = <any>x;",
        "const h = a < b && c > d; i++ / 2; '/';",
        "const j = x! / 2 + '`'.length;",
        "#!/usr/bin/env node's",
    ],
)
def test_code_behind_what_is_hard_to_read_is_read(before: str) -> None:
    assert named(f'{before}\nrequire("aws-sdk")') == [(2, "import", "aws-sdk")]


def test_the_line_is_where_the_statement_starts() -> None:
    assert named('\nimport {\n  a, // b\n} from\n "aws-sdk";') == [(2, "import", "aws-sdk")]


@pytest.mark.parametrize("source", ["`${require('aws-sdk')", "/* aws", "x = 'aws", "`aws", "const x = <b>{aws</b>"])
def test_what_does_not_end_is_told_if_it_could_hide_a_use(source: str) -> None:
    assert [one for one in extract(source, SDK) if isinstance(one, Unreadable)]
    assert not [one for one in extract(source.replace("aws", "x"), SDK) if isinstance(one, Unreadable)]


@pytest.mark.parametrize("behind", ["</any>", "</any> <script>x</script>"])
def test_a_type_assertion_that_looks_like_markup_is_told(behind: str) -> None:
    found = extract(f'<any>x; import a from "aws-sdk"; // {behind}', SDK)
    assert [type(one) for one in found] == [Unreadable]


@pytest.mark.parametrize(
    ("specifier", "name"),
    [
        ("npm:@aws-sdk/a@3.1/x", "@aws-sdk/a/x"),
        ("https://esm.sh/v135/@aws-sdk/a@3?dev", "@aws-sdk/a"),
        ("https://cdn.jsdelivr.net/npm/aws-sdk@2", "aws-sdk"),
        ("../node_modules/aws-sdk/x", "aws-sdk/x"),
        ("raw-loader!aws-sdk", "aws-sdk"),
        ("./aws-sdk@2", "./aws-sdk@2"),
        ("./aws-sdk.js", "./aws-sdk.js"),
        ("https://example.org/js/aws-sdk-v2.1.0-rc1.min.js?x=/y", "aws-sdk"),
        ("https://example.org/js/my.page.js", "https://example.org/js/my.page.js"),
        ("https://www.gstatic.com/firebasejs/10.1.0/firebase-app-check.js", "firebase/app-check"),
        ("https://alcdn.msauth.net/browser/2.30.0/js/msal-browser.min.js", "@azure/msal-browser"),
    ],
)
def test_package_path(specifier: str, name: str) -> None:
    assert package_path(specifier) == name


def test_last_line_lets_the_rest_go_but_not_a_statement_that_has_begun() -> None:
    source = 'import a from "aws-sdk";\nspawn("aws", [\n"s3"]);\n' + 'require("aws-sdk");\n' * 50
    assert named(source)[:2] == [(1, "import", "aws-sdk"), (2, "command", "aws s3")]
    assert [one.line for one in extract(source, SDK, 2)] == [1, 2]


_TOKENS = (
    *(
        "import ",
        "require(",
        '"aws-sdk"',
        "'",
        "`",
        "${",
        "}",
        "{",
        "/",
        "*/",
        "/*",
        "//",
        "\n",
        "<a",
        ">",
        "</a>",
        "/>",
    ),
    *("(", ")", "\\", "type ", " from ", "export ", "jest.mock(", "eval(", "=", "---\n", "<script>", "\\u0061"),
)
_PIECES = st.lists(st.sampled_from(_TOKENS), max_size=40).map("".join)


@given(st.one_of(st.text(), _PIECES), st.one_of(st.none(), st.integers(1, 5)))
def test_total(source: str, last_line: int | None) -> None:
    extract(source, ANY, last_line)


@given(st.lists(st.sampled_from([" ", "\n", "/* it's */", "// `x\n", "\t"]), min_size=24, max_size=24))
def test_spaces_and_comments_between_tokens_change_nothing(gaps: list[str]) -> None:
    tokens = [
        "import",
        "{",
        "a",
        "as",
        "b",
        ",",
        "c",
        "}",
        "from",
        '"aws-sdk/1"',
        ";",
        "x",
        "=",
        "require",
        "(",
        '"aws-sdk/2"',
    ]
    tokens += [")", ";", "export", "*", "from", '"aws-sdk/3"', ";", "y"]
    source = "".join(f"{gap} {token}" for gap, token in zip(gaps, tokens, strict=True))
    assert [(form, name) for _, form, name in named(source)] == [("import", f"aws-sdk/{i}") for i in (1, 2, 3)]
