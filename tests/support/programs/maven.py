"""Source jars of a pinned hash, by the `mvn` of the machine."""

from __future__ import annotations

import hashlib
import json
import subprocess
import zipfile
from pathlib import Path

from tests.support.programs.kept import kept

_PINNED: dict[str, str] = json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))
_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


def sources(artifact: str) -> Path:
    """The unpacked source jar of `group:name:version`."""
    digest = _PINNED[artifact]
    name = artifact.replace(":", "_")
    return kept(f"maven/{name}-{digest[:16]}", lambda scratch: _unpacked(artifact, digest, scratch))


def _unpacked(artifact: str, digest: str, scratch: Path) -> Path:
    full = f"{artifact}:jar:sources"
    for goal in (
        ("get", f"-Dartifact={full}", "-Dtransitive=false"),
        ("copy", f"-Dartifact={full}", f"-DoutputDirectory={scratch}"),
    ):
        command = ["mvn", "--batch-mode", "--quiet", f"{_PLUGIN}:{goal[0]}", *goal[1:]]
        ran = subprocess.run(command, cwd=scratch, capture_output=True, text=True, check=False, timeout=300)
        assert ran.returncode == 0, f"{' '.join(command)}: {ran.stdout}{ran.stderr}"
    (jar,) = scratch.glob("*.jar")
    found = hashlib.sha256(jar.read_bytes()).hexdigest()
    assert found == digest, f"{artifact} has the hash {found}, expected {digest}"
    target = scratch / "unpacked"
    with zipfile.ZipFile(jar) as archive:
        archive.extractall(target)
    return target
