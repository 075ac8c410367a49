"""The JavaScript extractor against TypeScript's own parser, on packages that use SDKs.

One difference is by design: TypeScript calls `import("x").Type` and `declare module "x"` by the same name as we do,
`type-only`, but knows no mocks, no concatenation and no aliases of `require`; these are not compared.
"""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from aegis.gates.scan.extract.javascript import file as javascript
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.model import Statement, Unreadable
from tests.support.programs import npm

_PACKAGES = (
    "serverless@3.40.0",
    "@langchain/community@0.3.40",
    "unstorage@1.17.6",
    "@google-cloud/storage@7.14.0",
    "@mastra/s3vectors@0.2.8",
)
_ANY = re.compile("")
_SDK = re.compile(r"^(?:@aws-sdk|aws-sdk|@google-cloud|@azure)(?:/|$)")
_STATABLE = re.compile(r"[^\"\\$\s]+")
"""Specifiers that can be a package; a statement's text has no room for others."""

Named = set[tuple[int, str, bool]]


def test_every_module_that_typescript_sees_and_no_other() -> None:
    named = sdk = types = 0
    for path, theirs in _by_typescript():
        found = javascript.extract(path.read_bytes().decode("utf-8", "replace"), _ANY)
        assert not [one for one in found if isinstance(one, Unreadable)], path
        ours = _named(found)
        assert ours == theirs, f"{path}: missed {theirs - ours}, invented {ours - theirs}"
        named += len(theirs)
        sdk += sum(1 for one in theirs if _SDK.search(one[1]))
        types += sum(1 for one in theirs if one[2])
    assert (named >= 6_000, sdk >= 110, types >= 300) == (True, True, True), (named, sdk, types)


def _named(found: list[Statement | Unreadable]) -> Named:
    return {
        (one.line, one.name, one.form == "type-only")
        for one in found
        if isinstance(one, Statement) and one.surface == "npm" and one.form in {"import", "type-only"}
    }


def _by_typescript() -> list[tuple[Path, Named]]:
    oracle = Path(__file__).with_name("typescript_imports.cjs")
    typescript = npm.package("typescript@5.9.3") / "lib" / "typescript.js"
    folders = [str(npm.package(spec)) for spec in _PACKAGES]
    command = [str(npm.NODE), str(oracle), str(typescript), *folders]
    lines = subprocess.run(command, check=True, capture_output=True, text=True, timeout=300).stdout.splitlines()
    answers = []
    for line in lines:
        answer = json.loads(line)
        if not answer["errors"]:
            names = ((row, package_path(name), types) for row, name, types in answer["found"])
            answers.append((Path(answer["file"]), {one for one in names if _STATABLE.fullmatch(one[1])}))
    return answers
