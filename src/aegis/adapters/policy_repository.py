"""An organisation's policy from its own repository, by commit.

git fetches exactly that commit into a repository that is thrown away. The content is bound to the commit's id by git's
own hashes, so neither a moved branch nor the server can put another policy in its place.
"""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.core.policy import Extends

TIMEOUT_SECONDS = 60.0
"""For each call of git; one commit without its history takes a second."""
_SERVER = re.compile(r"https://[A-Za-z0-9.-]+(?::[0-9]{1,5})?|file:///[^\s]*")
_KEPT = (
    "PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "GIT_SSL_CAINFO",
    "HTTPS_PROXY",
    "https_proxy",
    "NO_PROXY",
    "no_proxy",
)
_SAME_SERVER = ("-c", "http.followRedirects=false")
"""git repeats the token's header wherever a redirect leads."""


class PolicyRepository:
    """Fetches policies from the server that the workflow runs on."""

    def __init__(self, environ: Mapping[str, str], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """Read the server (`GITHUB_SERVER_URL`) and the action's token, which a private repository needs."""
        self._server = environ.get("GITHUB_SERVER_URL") or "https://github.com"
        self._token = environ.get("AEGIS_INPUT_GITHUB_TOKEN", "")
        self._timeout = timeout_seconds

    def fetch(self, extends: Extends) -> bytes:
        """The bytes of the policy. Raises CouldNotDecide `core.extends_unresolved`."""
        if not _SERVER.fullmatch(self._server):
            raise _unresolved(extends, f"GITHUB_SERVER_URL is {self._server!r}")
        url = f"{self._server.rstrip('/')}/{extends.repository}"
        hashes = "sha256" if len(extends.commit) == 64 else "sha1"
        with tempfile.TemporaryDirectory(prefix="aegis-policy-") as folder:
            self._git(extends, folder, "init", "--quiet", "--bare", f"--object-format={hashes}")
            self._git(extends, folder, "fetch", "--quiet", "--depth=1", "--no-tags", url, extends.commit)
            return self._git(extends, folder, "cat-file", "blob", f"{extends.commit}:{extends.path}")

    def _git(self, extends: Extends, folder: str, *arguments: str) -> bytes:
        try:
            # A session of its own, so that the program that talks to the server ends with git.
            process = subprocess.Popen(
                ["git", "-C", folder, *_SAME_SERVER, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            raise _unresolved(extends, f"git could not be started: {type(error).__name__}") from error
        try:
            output, complaint = process.communicate(timeout=self._timeout)
        except subprocess.TimeoutExpired as error:
            raise _unresolved(extends, f"`git {arguments[0]}` gave no answer within {self._timeout:g} s") from error
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        if process.returncode != 0:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise _unresolved(extends, last[0][:200])
        return output

    def _environment(self) -> dict[str, str]:
        secure = self._server.startswith("https://")
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "HOME": str(Path.home())}
        environment["GIT_ALLOW_PROTOCOL"] = "https:ssh" if secure else "file"
        if self._token and secure:
            # Through the environment: arguments can be read by every process of the machine.
            header = base64.b64encode(f"x-access-token:{self._token}".encode()).decode()
            environment["GIT_CONFIG_COUNT"] = "1"
            environment["GIT_CONFIG_KEY_0"] = f"http.{self._server}/.extraheader"
            environment["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {header}"
        return environment


def _unresolved(extends: Extends, problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.extends_unresolved",
        f"{extends.repository}@{extends.commit}:{extends.path}: {problem}",
        expected="a policy file at that commit",
        remedy="correct `extends`; a private repository needs a github-token that may read it",
    )
