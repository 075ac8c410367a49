"""Which lock a gate runs in: no more packages than it needs, chosen before any of them is there to read the policy."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aegis.startup.tier0 import read_input

GATES = ("scan", "verify", "all")
LOCKS = ("scan", "verify", "keyless", "oci")
"""Those that hold a command line of Aegis."""
_GIT_SECONDS = 10


def lock_of(gate: str, environ: Mapping[str, str]) -> str:
    """The lock's name.

    The root action looks for `verify:` anywhere in the policy file, as it is checked out and as it was before the
    change: that one is in force. This is a guess about packages, not about rules: too many do no harm, and without
    those that it needs the gate is red.
    """
    if gate == "scan" or (gate == "all" and not _names_verify(environ)):
        return "scan"
    return "oci" if read_input("cloud", environ) == "oci" else "keyless"


def _names_verify(environ: Mapping[str, str]) -> bool:
    workspace = Path(environ.get("GITHUB_WORKSPACE") or ".")
    name = read_input("policy", environ) or "aegis.yml"
    try:
        policies = [(workspace / name).read_bytes()]
    except OSError:
        policies = []
    # the first parent of a pull request's merge commit is its base
    policies += [_committed(workspace, f"{rev}:{name}") for rev in ("HEAD^1", read_input("base", environ)) if rev]
    return any(re.search(rb"\bverify[\"']?\s*:", policy) for policy in policies)


def _committed(workspace: Path, name: str) -> bytes:
    """A file of a commit; empty where there is none, or no git that tells."""
    argv = ["git", "-C", str(workspace), "cat-file", "blob", name]
    try:
        return subprocess.run(argv, capture_output=True, timeout=_GIT_SECONDS, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return b""
