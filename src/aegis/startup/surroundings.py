"""The consumer's variables that may and may not come along."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

INSTALL_KEEPS = frozenset(
    {
        "PATH",
        "HOME",
        "TMPDIR",
        "RUNNER_TEMP",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUESTS_CA_BUNDLE",
        # without these two no process that opens a socket starts on Windows
        "SYSTEMROOT",
        "LOCALAPPDATA",
    }
)
"""What an installer needs to reach an index and a disk. No token is among them."""

SECRETS = frozenset({"AEGIS_DATABASE_URL", "AEGIS_AGE_IDENTITY", "AEGIS_KUBECONFIG", "AEGIS_STATE_KEY"})
"""What a job hands to a gate by `env:`; inputs are for what may be seen."""
_FOREIGN_PREFIXES = ("UV_", "PIP_", "PYTHON", "SEMGREP_", "PG")
"""Settings that the consumer made for its own tools. libpq's (PGHOSTADDR, PGOPTIONS, …) would lead the password of a
database's address to another server: https://www.postgresql.org/docs/current/libpq-envars.html"""


def for_installers(environ: Mapping[str, str]) -> dict[str, str]:
    """The surroundings of pip and uv: as if the consumer's job had set nothing."""
    kept = {name: value for name, value in environ.items() if name in INSTALL_KEEPS or name.upper().endswith("_PROXY")}
    index = environ.get("AEGIS_INPUT_INDEX_URL", "")
    kept["PIP_CONFIG_FILE"] = os.devnull
    if index:
        # in the environment and not in the arguments: an index URL may hold a password, and `ps` shows arguments
        kept["PIP_INDEX_URL"] = kept["UV_DEFAULT_INDEX"] = index
    return kept


def for_gates(environ: Mapping[str, str]) -> dict[str, str]:
    """The surroundings of a gate: the job's, without what would bend its tools or itself."""
    return {name: value for name, value in environ.items() if not _bends(name.upper())}


def _bends(name: str) -> bool:
    if name.startswith("AEGIS_"):
        # the inputs of action.yml were checked; a developer's switches have no place in a job
        return not name.startswith("AEGIS_INPUT_") and name not in SECRETS
    return name == "VIRTUAL_ENV" or name.startswith(_FOREIGN_PREFIXES)


def cache_folder(environ: Mapping[str, str]) -> Path:
    """Where environments stand: the job's temporary folder on a runner, the user's cache elsewhere."""
    runner = environ.get("RUNNER_TEMP")
    if runner:
        return Path(runner) / "aegis"
    user = environ.get("XDG_CACHE_HOME")
    return (Path(user) if user else Path.home() / ".cache") / "aegis"
