"""Which lock a gate runs in: no more packages than it needs, chosen before any of them is there to read the policy."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

from aegis.startup.children import completed
from aegis.startup.tier0 import read_input

SINGLE = ("scan", "verify", "canary", "backup-check")
GATES = (*SINGLE, "all")
LOCKS = ("scan", "verify", "keyless", "oci", "canary", "backup-check", "backup-check-oci", "scaffold")
"""Those that hold a command line of Aegis."""
_GIT_SECONDS = 10


def lock_of(gate: str, environ: Mapping[str, str]) -> str:
    """The lock's name.

    The root action looks for `verify:` and `backup-check:` anywhere in the policy file, as it is checked out and as it
    was before the change: that one is in force. This is a guess about packages, not about rules: too many do no harm,
    and without those that it needs the gate is red.
    Of `canary:` it only says that no rollout is judged there, which needs no packages. As a job of a matrix it runs
    one gate, and to list or merge it needs none.
    """
    named = _named(environ) if gate == "all" else {gate}
    if "canary" in named:
        return "canary"
    oci = read_input("cloud", environ) == "oci"
    if "backup-check" in named:  # its locks hold what the verify gate needs, too
        return "backup-check-oci" if oci else "backup-check"
    if "verify" in named:
        return "oci" if oci else "keyless"
    return "scan"


def _named(environ: Mapping[str, str]) -> set[str]:
    if read_input("task", environ) in ("list", "merge"):
        return set()
    if only := read_input("gate", environ):
        return {only} - {"canary"}
    workspace = Path(environ.get("GITHUB_WORKSPACE") or ".")
    name = read_input("policy", environ) or "aegis.yml"
    try:
        policies = [(workspace / name).read_bytes()]
    except OSError:
        policies = []
    # the first parent of a pull request's merge commit is its base
    policies += [_committed(workspace, f"{rev}:{name}") for rev in ("HEAD^1", read_input("base", environ)) if rev]
    found = {word for policy in policies for word in re.findall(rb"\b(verify|backup-check)[\"']?\s*:", policy)}
    return {word.decode() for word in found}


def _committed(workspace: Path, name: str) -> bytes:
    """A file of a commit; empty where there is none, or no git that tells."""
    argv = ["git", "-C", str(workspace), "cat-file", "blob", name]
    try:
        done = completed(argv, seconds=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""
