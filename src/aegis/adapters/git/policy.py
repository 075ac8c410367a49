"""An organisation's policy from its own repository, by commit."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path

from aegis.adapters.git.remote import PUBLIC_SERVER, TIMEOUT_SECONDS, GitFailed, GitRemote
from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Extends


class PolicyRepository:
    """Fetches policies from the server that the workflow runs on."""

    def __init__(self, environ: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Read the server (`GITHUB_SERVER_URL`) and the action's token, which a private repository needs."""
        server = environ.get("GITHUB_SERVER_URL") or PUBLIC_SERVER
        self._remote = GitRemote(server, environ.get("AEGIS_INPUT_GITHUB_TOKEN", ""), timeout_seconds)

    def fetch(self, extends: Extends) -> bytes:
        """The bytes of the policy. Raises CouldNotDecide `core.extends_unresolved`."""
        with tempfile.TemporaryDirectory(prefix="aegis-policy-") as name:
            folder = Path(name)
            try:
                self._remote.fetch(folder, extends.repository, extends.commit, bare=True)
                return self._remote.run(folder, "cat-file", "blob", f"{extends.commit}:{extends.path}")
            except GitFailed as error:
                raise _unresolved(extends, str(error)) from error


def _unresolved(extends: Extends, problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.extends_unresolved",
        f"{extends.repository}@{extends.commit}:{extends.path}: {problem}",
        expected="a policy file at that commit",
        remedy="correct `extends`; a private repository needs a github-token that may read it",
    )
