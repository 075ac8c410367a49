"""One test for each guard of the JavaScript extractor that the tests of its forms leave alone."""

from __future__ import annotations

import re

import pytest

from aegis.gates.scan.extract.javascript.file import extract
from aegis.gates.scan.extract.javascript.words import find_all, patterns
from aegis.gates.scan.model import Statement, Unreadable

SDK = re.compile(r"aws|^s3$")


def named(source: str, last_line: int | None = None) -> list[tuple[int, str, str]]:
    return [(one.line, one.form, one.name) for one in extract(source, SDK, last_line) if isinstance(one, Statement)]


@pytest.mark.parametrize(
    ("source", "form", "name"),
    [
        ("evalScript(\"require('aws-sdk')\")", "embedded", "aws-sdk"),
        ("vm.runInNewContext(\"require('aws-sdk')\")", "embedded", "aws-sdk"),
        ("runInContext(\"require('aws-sdk')\")", "embedded", "aws-sdk"),
        ('require("aws-sdk" as string)', "import", "aws-sdk"),
        ('require("aws-sdk"!)', "import", "aws-sdk"),
        ('require("aws-sdk" || x)', "dynamic", "aws-sdk"),
        ("new vm.Script(\"require('aws-sdk')\")", "embedded", "aws-sdk"),
        ("new Worker(\"require('aws-sdk')\", { eval: true })", "embedded", "aws-sdk"),
        ('#!/usr/bin/env node\u2028require("aws-sdk")', "import", "aws-sdk"),
        ('require.apply(module, ["aws-sdk"])', "dynamic", "aws-sdk"),
        ('require.bind(module)("aws-sdk")', "import", "aws-sdk"),
        ('const load = require.bind(module); load("aws-sdk")', "import", "aws-sdk"),
        ('module["require"]("aws-sdk")', "dynamic", "aws-sdk"),
        ('Module._load("aws-sdk", module)', "dynamic", "aws-sdk"),
        ('import { execFile as e } from "child_process"; e("aws", ["s3"])', "command", "aws s3"),
        ('import { exec as e } from "node:child_process"; e("aws s3 ls")', "command", "aws s3 ls"),
        ('const { spawn: s } = require("child_process"); s("aws", ["s3"])', "command", "aws s3"),
        ('const e = require("child_process").exec; e("aws s3 ls")', "command", "aws s3 ls"),
        ('const e = promisify(require("child_process").exec); e("aws s3 ls")', "command", "aws s3 ls"),
        ('runTask("aws s3 ls")', "command", "aws s3 ls"),
        ('execSync("aws")', "command", "aws"),
        ('sh.exec("aws s3 ls")', "command", "aws s3 ls"),
        ('shelljs . exec("aws s3 ls")', "command", "aws s3 ls"),
        ('child_process.exec("aws s3 ls")', "command", "aws s3 ls"),
        ('cp.exec("aws s3 ls")', "command", "aws s3 ls"),
        ('utils.exec("aws s3 ls")', "command", "aws s3 ls"),
        ('Bun.spawn(["aws", "s3"])', "command", "aws s3"),
        ('Deno.run({ cmd: ["aws", "s3"] })', "command", "aws s3"),
        ('new Deno.Command("aws", { args: ["s3"] })', "command", "aws s3"),
        ('spawn("sudo", ["-u", user, "aws", "s3"])', "command", "aws s3"),
        ('import { createRequire as make } from "m"; const load = make(u); load("aws-sdk")', "import", "aws-sdk"),
        ('import { createRequire as make } from "m"; make(u)("aws-sdk")', "import", "aws-sdk"),
        ('const load = module.require; load("aws-sdk")', "import", "aws-sdk"),
        ('const load: NodeRequire = createRequire(u); load("aws-sdk")', "import", "aws-sdk"),
        ('const a = 1, b = 2; const load = require; load("aws-sdk")', "import", "aws-sdk"),
        ('require.call(module, "aws-sdk")', "import", "aws-sdk"),
        ('requirejs(["aws-sdk"], f)', "import", "aws-sdk"),
        ('define("x", ["aws-sdk"], f)', "import", "aws-sdk"),
        ('System.register(["aws-sdk"], f)', "import", "aws-sdk"),
        ('import.meta.resolve("aws-sdk")', "dynamic", "aws-sdk"),
        ('System.import("aws-sdk")', "dynamic", "aws-sdk"),
        ('importScripts("aws-sdk")', "dynamic", "aws-sdk"),
        ('vi.doMock("aws-sdk")', "mock", "aws-sdk"),
        ('jest.createMockFromModule<T>("aws-sdk")', "mock", "aws-sdk"),
        ('jest.requireActual("aws-sdk")', "mock", "aws-sdk"),
        ('mockery.registerSubstitute("aws-sdk", "x")', "mock", "aws-sdk"),
        ('td.replaceEsm("aws-sdk")', "mock", "aws-sdk"),
        ('td.replace("aws-sdk")', "mock", "aws-sdk"),
        ('mockRequire("aws-sdk", f)', "mock", "aws-sdk"),
        ('rewiremock.proxy(() => 1, { "aws-sdk": f })', "mock", "aws-sdk"),
        ('await esmock("./x", { "aws-sdk": f })', "mock", "aws-sdk"),
        ('quibble("aws-sdk", f)', "mock", "aws-sdk"),
        ('type T = import("aws-sdk")', "type-only", "aws-sdk"),
        ('let x: A | import("aws-sdk")', "type-only", "aws-sdk"),
        ('import { type as as b } from "aws-sdk"', "type-only", "aws-sdk"),
        ('---\nimport a from "aws-sdk"\n---\n<script>1</script>', "import", "aws-sdk"),
    ],
)
def test_form_and_name(source: str, form: str, name: str) -> None:
    assert [(found, called) for _, found, called in named(source)] == [(form, name)]


@pytest.mark.parametrize(
    "source",
    [
        'x.run("aws-s3")',
        'run("aws")',
        'isexec("aws s3 ls")',
        "execSync(`${x}aws s3 ls`)",
        'myrequire("aws-sdk")',
        'a = 1; a("aws-sdk"); const load = require; b("aws-sdk")',
        "s = `\n/// <reference types='aws-sdk' />`",
        'require("x"); const y = "aws-sdk"',
        'require(old ? "x" : "y"); const y = "aws-sdk"',
    ],
)
def test_no_use(source: str) -> None:
    assert extract(source, SDK) == []


def test_a_component_is_read_to_its_end() -> None:
    assert named('<p>\n</p>\n<script>\n1;\n\nimport a from "aws-sdk"\n</script>', 1) == [(6, "import", "aws-sdk")]


def test_an_escape_beyond_unicode_is_read() -> None:
    assert named('\\u{ffffff}; \\u{110000}\nrequire("aws-sdk")') == [(2, "import", "aws-sdk")]


def test_what_evaluated_code_hides_is_told() -> None:
    (found,) = extract("\neval('/* aws')", SDK)
    assert isinstance(found, Unreadable)
    assert found.line == 2


def test_each_of_many_names_of_require_is_known() -> None:
    names = [f"load{number}" for number in range(40)]
    source = "".join(f"const {name} = require;\n" for name in names)
    source += "".join(f'{name}("aws-sdk/{name}");\n' for name in names)
    source += 'createRequire(u)("aws-sdk/made"); loader("aws-sdk/no")\n'
    assert [name for _, _, name in named(source)] == [f"aws-sdk/{name}" for name in (*names, "made")]


def test_every_literal_of_calls_in_calls_is_found_where_the_outermost_starts() -> None:
    source = 'require(a(\n"aws-sdk/1", require(b,\n"aws-sdk/2")));\nrequire(c,\n"aws-sdk/3");'
    assert named(source) == [(1, "dynamic", "aws-sdk/1"), (1, "dynamic", "aws-sdk/2"), (4, "dynamic", "aws-sdk/3")]


def test_calls_too_deep_to_find_their_end_are_read_on() -> None:
    source = f'require(x{"(y" * 60}{")" * 60});\n"aws-sdk"'
    assert named(source) == [(1, "dynamic", "aws-sdk")]


def test_patterns_match_together_as_an_alternation_does() -> None:
    text = "ab abc b aab"
    together = [match.span() for match in find_all(patterns("bc?", "ab", "a a"), text)]
    assert together == [match.span() for match in re.finditer("a a|ab|bc?", text)]


@pytest.mark.parametrize(
    "before", ["a! / '`'.length", "a++ / '`'.length", "x = !/[`]/.test(y)", "if (f(1)) /`/.test(x)"]
)
def test_code_behind_a_slash_is_read(before: str) -> None:
    assert named(f'{before}\nrequire("aws-sdk")') == [(2, "import", "aws-sdk")]
