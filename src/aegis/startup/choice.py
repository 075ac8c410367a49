"""Which lock a gate runs in: no more packages than it needs, chosen before any of them is there to read the policy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from aegis.startup.tier0 import read_input

GATES = ("scan", "verify", "all")
LOCKS = ("scan", "verify", "keyless", "oci")
"""Those that hold a command line of Aegis."""


def lock_of(gate: str, environ: Mapping[str, str]) -> str:
    """The lock's name.

    The root action looks for `verify:` anywhere in the policy file that is checked out. That is a guess about packages,
    not about rules: too many do no harm, and where the base commit's policy has the section and this one does not, the
    gate misses its packages, which is an error and red.
    """
    if gate == "scan" or (gate == "all" and not _names_verify(environ)):
        return "scan"
    return "oci" if read_input("cloud", environ) == "oci" else "keyless"


def _names_verify(environ: Mapping[str, str]) -> bool:
    file = Path(environ.get("GITHUB_WORKSPACE") or ".") / (read_input("policy", environ) or "aegis.yml")
    try:
        return re.search(rb"\bverify[\"']?\s*:", file.read_bytes()) is not None
    except OSError:
        return False
