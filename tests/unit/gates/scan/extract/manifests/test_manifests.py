"""Names and places of dependencies in every kind of manifest and lock."""

from __future__ import annotations

import json
import re
import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis.gates.scan.extract.manifests import _json, _toml, go, jvm, npm, python, tools
from aegis.gates.scan.extract.route import Extractor
from aegis.gates.scan.model import Statement, Unreadable

CLOUD = re.compile(r"boto|aws|google-cloud|amazonaws", re.IGNORECASE)


def places(extract: Extractor, source: str) -> list[tuple[int, int, str, bool]]:
    """Line, column, name and whether it is direct."""
    found = [item for item in extract(source, CLOUD, None) if isinstance(item, Statement)]
    return [(item.line, item.column, item.name, not item.text.startswith("indirect: ")) for item in found]


@pytest.mark.parametrize(
    ("extract", "source", "expected"),
    [
        (python.requirements, "a\nboto3==1 \\\n  --hash=sha256:0\n", [(2, 1, "boto3", True)]),
        (python.requirements, "x\nbo\\\nto3 \\\n  --hash=sha256:0\n", [(2, 1, "boto3", True)]),
        (python.requirements, "Boto3[crt]>=1; python_version>'3'\n", [(1, 1, "Boto3", True)]),
        (python.requirements, "-r boto3.txt\n# boto3\n--index-url https://boto3\n", []),
        (python.requirements, "-e git+https://x/y#egg=boto3\n", [(1, 4, "boto3", True)]),
        (python.requirements, "boto3 @ https://x/boto3.whl\n", [(1, 1, "boto3", True)]),
        (python.pyproject, '[project]\ndependencies = [\n  "boto3>=1",\n]\n', [(3, 3, "boto3", True)]),
        (python.pyproject, '[project.optional-dependencies]\na = ["x"]\nb = ["boto3"]\n', [(3, 6, "boto3", True)]),
        (python.pyproject, '[dependency-groups]\nd = ["boto3", {include-group = "boto"}]\n', [(2, 6, "boto3", True)]),
        (python.pyproject, '[tool.poetry.dependencies]\nboto3 = {version = "1"}\n', [(2, 1, "boto3", True)]),
        (python.pyproject, '[tool.poetry.group.d.dependencies]\n"boto3" = "1"\n', [(2, 1, "boto3", True)]),
        (python.pyproject, '[tool.uv]\ndev-dependencies = ["boto3"]\n', [(2, 21, "boto3", True)]),
        (python.pyproject, '[project]\nname = "boto3"\nkeywords = ["boto3"]\n', []),
        (python.setup_cfg, "[options]\ninstall_requires =\n  a\n  boto3>=1\n", [(4, 3, "boto3", True)]),
        (python.setup_cfg, "[metadata]\nname = boto3\n", []),
        (python.setup_cfg, "[tox:tox]\n[testenv]\ndeps = boto3\n", [(3, 8, "boto3", True)]),
        (tools.tox, "[testenv]\ndeps =\n  pytest\n  boto3>=1\n", [(4, 3, "boto3", True)]),
        (tools.tox, "[testenv:x]\ndeps = py{311,312}: boto3\n", [(2, 21, "boto3", True)]),
        (
            tools.tox,
            "[tox]\nrequires = boto3\n[testenv]\ncommands = - aws s3\n",
            [(2, 12, "boto3", True), (4, 14, "aws s3", True)],
        ),
        (tools.tox, "[testenv]\ndescription = boto3\npassenv = aws\n# boto3\n", []),
        (tools.pre_commit, "repos:\n- hooks:\n  - additional_dependencies: [boto3==1]\n", [(3, 31, "boto3", True)]),
        (tools.pre_commit, 'hooks:\n- additional_dependencies:\n  - "@aws-sdk/a@3"\n', [(3, 6, "@aws-sdk/a", True)]),
        (tools.pre_commit, "hooks:\n- entry: aws s3\n  name: boto3\n", [(2, 10, "aws s3", True)]),
        (npm.deno, '{"imports": {"s3": "npm:@aws-sdk/a@3"}}', [(1, 20, "@aws-sdk/a", True)]),
        (npm.deno, '{// x "\n"scopes": {"a": {"b": "https://esm.sh/aws-sdk@2",}}}', [(2, 23, "aws-sdk", True)]),
        (
            npm.deno,
            '{"tasks": {"a": "aws-sdk"}, /* "imports": {"a": "aws-sdk"} */ "imports": {"aws-sdk": "./a.ts"}}',
            [],
        ),
        (python.setup_py, "setup(name='boto3', install_requires=['boto3>=1'])\n", [(1, 39, "boto3", True)]),
        (python.pipfile, '[packages]\nboto3 = "*"\n', [(2, 1, "boto3", True)]),
        (python.toml_lock, '[[package]]\nname = "boto3"\n', [(2, 8, "boto3", False)]),
        (
            python.conda,
            "dependencies:\n  - boto3=1\n  - pip:\n    - botocore\n",
            [(2, 5, "boto3", True), (4, 7, "botocore", True)],
        ),
        (python.home_assistant, '{"requirements": ["boto3==1"]}', [(1, 19, "boto3", True)]),
        (npm.package_json, '{"dependencies": {\n "@aws-sdk/a": "1"}}', [(2, 2, "@aws-sdk/a", True)]),
        (npm.package_json, '{"devDependencies": {\n "s3": "npm:@aws-sdk/a@3"}}', [(2, 8, "@aws-sdk/a", True)]),
        (npm.package_json, '{"overrides": {"x": {"aws-sdk": "1"}}}', [(1, 22, "aws-sdk", True)]),
        (npm.package_json, '{"name": "aws-sdk", "keywords": ["aws-sdk"]}', []),
        (npm.package_json, '{"scripts": {"aws": "tsc",\n "up": "tsc && aws s3 ls"}}', [(2, 16, "aws s3 ls", True)]),
        (npm.package_json, '{"imports": {"#s3": {"node": "@aws-sdk/a/b"}}}', [(1, 30, "@aws-sdk/a/b", True)]),
        (npm.package_json, '{"imports": {"#aws-sdk": "./x.js"}}', []),
        (npm.package_json, '{"config": {"scripts": {"up": "aws s3 ls"}}}', []),
        (npm.package_lock, '{"packages": {"node_modules/a/node_modules/aws-sdk": {}}}', [(1, 15, "aws-sdk", False)]),
        (npm.package_lock, '{"packages": {"": {"dependencies": {"aws-sdk": "1"}}}}', [(1, 37, "aws-sdk", True)]),
        (npm.package_lock, '{"dependencies": {"a": {"dependencies": {"aws-sdk": {}}}}}', [(1, 42, "aws-sdk", False)]),
        (npm.package_lock, '{"lockfileVersion": 1, "dependencies": {"aws-sdk": {}}}', [(1, 41, "aws-sdk", False)]),
        (npm.yarn_lock, '"@aws-sdk/a@^1", "@aws-sdk/a@^2":\n  version "2"\n', [(1, 1, "@aws-sdk/a", False)]),
        (npm.yarn_lock, '"s3@npm:aws-sdk@^2":\n  version: 2\n', [(1, 1, "aws-sdk", False)]),
        (
            npm.pnpm_lock,
            "importers:\n  .:\n    dependencies:\n      aws-sdk:\n        specifier: 1\n",
            [(4, 7, "aws-sdk", True)],
        ),
        (npm.pnpm_lock, "packages:\n\n  '@aws-sdk/a@1.0.0':\n    x: y\n", [(3, 4, "@aws-sdk/a", False)]),
        (npm.bun_lock, '{"workspaces": {"": {"dependencies": {\n "aws-sdk": "2",\n},},},}', [(2, 2, "aws-sdk", True)]),
        (
            npm.bun_lock,
            '{"workspaces": {"a": {"devDependencies": {"s3": "npm:aws-sdk@2"}}}}',
            [(1, 49, "aws-sdk", True)],
        ),
        (npm.bun_lock, '{"overrides": {"x": {"aws-sdk": "1"}}}', [(1, 22, "aws-sdk", True)]),
        (npm.bun_lock, '{"catalogs": {"a": {"aws-sdk": "1"}}}', [(1, 21, "aws-sdk", True)]),
        (
            npm.bun_lock,
            '{"packages": {"a/s3": ["@aws-sdk/a@3.1.0", "", {"dependencies": {"aws-sdk": "2"}}, "aws"],}}',
            [(1, 24, "@aws-sdk/a", False)],
        ),
        (
            npm.bun_lock,
            '{/* "packages" */ "packages": {"a": ["aws-sdk@2", "a@aws"]}, // aws-sdk\n}',
            [(1, 38, "aws-sdk", False)],
        ),
        (
            npm.bun_lock,
            '{"workspaces": {"packages/aws-sdk": {"name": "aws-sdk"}}, "trustedDependencies": ["aws-sdk"]}',
            [],
        ),
        (go.go_mod, "require (\n\tgithub.com/aws/a v1 // indirect\n)\n", [(2, 2, "github.com/aws/a", False)]),
        (go.go_mod, "require github.com/aws/a v1\n", [(1, 9, "github.com/aws/a", True)]),
        (go.go_mod, "replace x => github.com/aws/a v1\n", [(1, 14, "github.com/aws/a", True)]),
        (go.go_mod, "module github.com/aws/a\n// require github.com/aws/b v1\n", []),
        (
            go.go_mod,
            "go 1.22\nuse (\n\t./aws\n)\nreplace x => github.com/aws/a v1\n",
            [(5, 14, "github.com/aws/a", True)],
        ),
        (go.go_sum, "github.com/aws/a v1 h1:x\n", [(1, 1, "github.com/aws/a", False)]),
        (jvm.gradle, "api 'com.amazonaws:s3:1'\n// api 'com.amazonaws:x:1'\n", [(1, 5, "com.amazonaws:s3", True)]),
        (jvm.gradle, "api group: 'com.amazonaws', name: 's3'\n", [(1, 5, "com.amazonaws:s3", True)]),
        (jvm.gradle_lock, "com.amazonaws:s3:1=compile\n", [(1, 1, "com.amazonaws:s3", False)]),
        (
            jvm.version_catalog,
            '[libraries]\na = { module = "com.amazonaws:s3" }\n',
            [(2, 16, "com.amazonaws:s3", True)],
        ),
    ],
)
def test_entries(extract: Extractor, source: str, expected: list[tuple[int, int, str, bool]]) -> None:
    assert places(extract, source) == expected


def test_pom() -> None:
    source = (
        "<project><properties><g>com.amazonaws</g></properties><dependencies>\n<dependency>\n"
        "  <groupId>${g}</groupId><artifactId>s3</artifactId>\n"
        "  <exclusions><exclusion><groupId>com.amazonaws</groupId><artifactId>x</artifactId></exclusion></exclusions>\n"
        "</dependency></dependencies></project>"
    )
    assert [(line, name) for line, _, name, _ in places(jvm.pom, source)] == [(3, "com.amazonaws:s3")]


@pytest.mark.parametrize(
    ("extract", "source"),
    [
        (jvm.pom, '<!DOCTYPE p [<!ENTITY a "com.amazonaws">]><project/>'),
        (jvm.pom, "<project><a>com.amazonaws</b>"),
        (python.pyproject, "[project\nboto3"),
        (python.pipfile_lock, "{boto3"),
        (python.setup_py, "setup(install_requires=['boto3'"),
        (python.setup_cfg, "boto3\n"),
        (python.requirements, "./wheels/boto3\n"),
        (npm.package_json, '{"dependencies": {"aws-sdk": "1",}}'),
        (npm.package_lock, '{"aws-sdk"'),
        (npm.bun_lock, '{"packages": {"a": ["aws-sdk@2"]}'),
        (npm.bun_lockb, "#!/usr/bin/env bun\nbun-lockfile-format-v0\n"),
        (jvm.version_catalog, "[a\ncom.amazonaws"),
    ],
)
def test_what_cannot_be_read_is_told(extract: Extractor, source: str) -> None:
    assert any(isinstance(item, Unreadable) for item in extract(source, CLOUD, None))


KEYS = st.text("ab-\"'.é ", min_size=1, max_size=4)
TREES = st.recursive(
    st.text("ab]['\"\\#=\n", max_size=6), lambda x: st.dictionaries(KEYS, x, max_size=3) | st.lists(x, max_size=3)
)


def strings(value: Any, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], str]]:
    """Path and text of every string of a parsed document, in order."""
    if isinstance(value, str):
        return [(path, value)]
    if isinstance(value, dict):
        return [found for key, child in value.items() for found in strings(child, (*path, key))]
    return [found for child in value for found in strings(child, path)] if isinstance(value, list) else []


@given(
    st.dictionaries(KEYS, st.text("ab]['\"\\#=\n", max_size=6) | st.lists(st.text("ab]['\"", max_size=3), max_size=3))
)
def test_toml_places_agree_with_tomllib(tree: dict[str, Any]) -> None:
    source = "[t]\n" + "".join(f"{json.dumps(key)} = {json.dumps(value)}\n" for key, value in tree.items())
    found = [(item.path, item.value) for item in _toml.items(source) if item.value is not None]
    assert found == strings(tomllib.loads(source))


@given(st.dictionaries(KEYS, TREES), st.sampled_from([None, 1]))
def test_json_places_agree_with_json(tree: dict[str, Any], indent: int | None) -> None:
    source = json.dumps(tree, indent=indent)
    found = [(item.path, item.value) for item in _json.items(source) if item.value is not None]
    plain = [(tuple(key for key in path), value) for path, value in found]
    assert [value for _, value in plain] == [value for _, value in strings(tree)]
    assert all(
        source.startswith(json.dumps(value), item.offset) for item in _json.items(source) if (value := item.value)
    )
