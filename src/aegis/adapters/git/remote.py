"""git against a server, with a token: in a header of this one server, never in an argument, an address or a file.

git fetches exactly one commit into a folder that is thrown away. The content is bound to the commit's id by git's own
hashes, so neither a moved branch nor the server can put other content in its place.
"""

from __future__ import annotations

import base64
import os
import re
import subprocess
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from aegis.adapters.process_group import running

TIMEOUT_SECONDS = 60.0
"""For each call of git; one commit without its history takes a second."""
PUBLIC_SERVER = "https://github.com"
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
_SETTINGS = (
    "http.followRedirects=false",  # git repeats the token's header wherever a redirect leads
    "core.hooksPath=/dev/null",
    "core.autocrlf=false",
    "filter.lfs.smudge=",  # a checkout is what the commit holds; nothing more is fetched
    "filter.lfs.process=",
    "filter.lfs.required=false",
)


class GitFailed(Exception):  # noqa: N818 - whoever asked makes an error of his own of it
    """git did not do it; the text says why."""


@dataclass(frozen=True, slots=True)
class GitRemote:
    """A server (`GITHUB_SERVER_URL`), and a token for it, which may be empty."""

    server: str
    token: str = field(repr=False)
    timeout: float = TIMEOUT_SECONDS

    def fetch(self, folder: Path, repository: str, commit: str, *, bare: bool) -> None:
        """One commit without its history, into a new repository in an empty folder. Raises GitFailed."""
        if not _SERVER.fullmatch(self.server):
            raise GitFailed(f"GITHUB_SERVER_URL is {self.server!r}")
        url = f"{self.server.rstrip('/')}/{repository}"
        hashes = "sha256" if len(commit) == 64 else "sha1"
        self.run(folder, "init", "--quiet", *(["--bare"] if bare else []), f"--object-format={hashes}")
        self.run(folder, "fetch", "--quiet", "--depth=1", "--no-tags", url, commit)

    def run(self, folder: Path, *arguments: str) -> bytes:
        """What git says. Raises GitFailed."""
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                ["git", "-C", str(folder), *settings, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,
            )

        with ExitStack() as stack:
            try:
                process = stack.enter_context(running(start))
            except (OSError, ValueError) as error:
                raise GitFailed(f"git could not be started: {type(error).__name__}") from error
            try:
                output, complaint = process.communicate(timeout=self.timeout)
            except subprocess.TimeoutExpired as error:
                raise GitFailed(f"`git {arguments[0]}` gave no answer within {self.timeout:g} s") from error
        if process.returncode != 0:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise GitFailed(last[0][:200])
        return output

    def _environment(self) -> dict[str, str]:
        secure = self.server.startswith("https://")
        environment = {key: os.environ[key] for key in _KEPT if key in os.environ}
        environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C", "HOME": str(Path.home())}
        environment["GIT_ALLOW_PROTOCOL"] = "https:ssh" if secure else "file"
        if self.token and secure:
            # Through the environment: arguments can be read by every process of the machine.
            header = base64.b64encode(f"x-access-token:{self.token}".encode()).decode()
            environment["GIT_CONFIG_COUNT"] = "1"
            environment["GIT_CONFIG_KEY_0"] = f"http.{self.server}/.extraheader"
            environment["GIT_CONFIG_VALUE_0"] = f"Authorization: Basic {header}"
        return environment
