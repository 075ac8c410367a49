"""What the probes of staging share: the configuration, programs that are run, the service that is asked."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe  # noqa: E402 - probes run without being installed
from aegis.acceptance.staging import Api, Staging, parse_staging  # noqa: E402

PATIENCE = 600
"""Seconds for one program; the engine ends the whole probe."""
ANSWER_LIMIT = 4 << 20
"""Bytes of an answer of the service."""
Section = TypeVar("Section")


def staging_of(probe: Probe) -> Staging:
    """The configuration that the engine handed over."""
    if probe.config is None:
        raise RuntimeError("no --config: this probe looks at real endpoints only")
    return parse_staging(probe.config.read_bytes(), file=str(probe.config))


def section(found: Section | None, name: str) -> Section:
    """A part of it that the probe needs; the catalogue makes the engine look for it before."""
    if found is None:
        raise RuntimeError(f"the configuration has no {name}")
    return found


@dataclass(slots=True)
class Tools:
    """Programs that are run as an operator would, and what they said, as evidence."""

    probe: Probe
    count: int = 0

    def run(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        cwd: Path = ROOT,
        environ: Mapping[str, str] | None = None,
        stdin: str = "",
    ) -> subprocess.CompletedProcess[str]:
        """One program to its end, whatever that is."""
        words = [str(word) for word in command]
        done = subprocess.run(
            words, cwd=cwd, env={**os.environ, **(environ or {})}, input=stdin, capture_output=True, text=True,
            errors="replace", timeout=PATIENCE, check=False,
        )  # fmt: skip
        self.keep(name, f"$ {shlex.join(words)}\n{done.stdout}{done.stderr}exit code {done.returncode}\n")
        return done

    def json(self, name: str, command: Sequence[str | Path]) -> Any:
        """What a program that only reads prints as JSON. Raises RuntimeError where it does not."""
        done = self.run(name, command)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} ended with exit code {done.returncode}: {done.stderr[-500:]}")
        return json.loads(done.stdout)

    def aegis(
        self, name: str, *words: str | Path, cwd: Path = ROOT, more: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """`aegis …` of this tree. `more`: variables."""
        path = os.pathsep.join(filter(None, (str(ROOT / "src"), os.environ.get("PYTHONPATH"))))
        return self.run(
            name, [sys.executable, "-m", "aegis", *words], cwd=cwd, environ={**(more or {}), "PYTHONPATH": path}
        )

    def keep(self, name: str, text: str) -> None:
        """A numbered file of evidence."""
        self.count += 1
        (self.probe.evidence / f"{self.count:02}-{name}.txt").write_text(text, "utf-8")


@dataclass(frozen=True, slots=True)
class Answer:
    """What the service answered."""

    status: int
    body: Any
    """Parsed where it is JSON."""

    @property
    def code(self) -> str:
        """The reason code of a problem document; empty for anything else."""
        code = self.body.get("code") if isinstance(self.body, dict) else None
        return code if isinstance(code, str) and re.fullmatch(r"[a-z_]+\.[a-z_]+", code) else ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A token goes to the address that the configuration names, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        """Leave the answer as it is."""
        return


def ask(api: Api, method: str, path: str, *, token: str | None, body: Any = None, correlation: str = "") -> Answer:
    """One request. Raises OSError where nobody answers."""
    headers = {"Accept": "application/json"}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    if correlation:
        headers["X-Request-Id"] = correlation
    data = None
    if body is not None:
        data, headers["Content-Type"] = json.dumps(body).encode(), "application/json"
    request = urllib.request.Request(f"{api.url.rstrip('/')}{path}", data, headers, method=method)  # noqa: S310 - see Https
    opener = urllib.request.build_opener(_NoRedirect)
    try:
        with opener.open(request, timeout=PATIENCE) as answer:
            return Answer(answer.status, _parsed(answer.read(ANSWER_LIMIT)))
    except urllib.error.HTTPError as refused:
        with refused:
            return Answer(refused.code, _parsed(refused.read(ANSWER_LIMIT)))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return content.decode("utf-8", "replace")


def token_of(api: Api) -> str:
    """The token, by the variable that the configuration names."""
    return os.environ[api.token_variable]


def entries_of(api: Api, correlation: str) -> list[dict[str, Any]]:
    """The audit entries of a request of ours, each with its index, from the end of the log back to 1,024 entries."""
    size = ask(api, "GET", "/v1/audit/entries?limit=1", token=token_of(api)).body["size"]
    found, start = [], max(0, size - 1024)
    while start is not None:
        page = ask(api, "GET", f"/v1/audit/entries?start={start}&limit=256", token=token_of(api)).body
        found += [each for each in page["entries"] if each["entry"]["correlation_id"] == correlation]
        start = page["next"]
    return found
