"""The Go extractor against go/parser, on modules that use SDKs."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from aegis.gates.scan.extract import go
from aegis.gates.scan.model import Statement
from tests.support.programs import gomod

_MODULES = (
    "github.com/rclone/rclone@v1.68.2",
    "github.com/restic/restic@v0.17.3",
    "gocloud.dev@v0.40.0",
    "github.com/thanos-io/objstore@v0.0.0-20241111205755-d1dd89d41f97",
    "github.com/getsops/sops/v3@v3.9.2",
)
_ANY = re.compile("")
_SDK = re.compile(r"^(?:github\.com/(?:aws|Azure)/|cloud\.google\.com/go|google\.golang\.org/api)")


def test_every_import_spec_and_no_other_on_the_line_of_the_spec() -> None:
    tool = gomod.tool(Path(__file__).parents[1] / "tools" / "goimports")
    folders = [str(gomod.module(spec)) for spec in _MODULES]
    output = subprocess.run([str(tool), *folders], check=True, capture_output=True, text=True, timeout=300).stdout
    specs = sdk = files = 0
    for answer in map(json.loads, output.splitlines()):
        if answer["error"]:
            continue
        theirs = sorted((one["line"], one["path"]) for one in answer["specs"])
        source = Path(answer["file"]).read_bytes().decode("utf-8", "replace")
        found = go.extract(source, _ANY)
        ours = sorted((one.line, one.name) for one in found if isinstance(one, Statement) and one.surface == "go")
        assert ours == theirs, answer["file"]
        assert all(isinstance(one, Statement) for one in found), answer["file"]
        files += 1
        specs += len(theirs)
        sdk += sum(1 for one in theirs if _SDK.search(one[1]))
    assert (files >= 1_500, specs >= 10_000, sdk >= 250) == (True, True, True), (files, specs, sdk)
