"""semgrep's analysis binary as the engine port.

`semgrep-core` is run directly: the Python front end costs two seconds of CPU a call, applies an ignore list of its own
and waits for a version check (https://github.com/semgrep/semgrep/issues/10799). The binary's command line is no
stable interface, so its version is pinned exactly and checked in every answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from aegis.adapters.process_group import running
from aegis.core.errors import CouldNotDecide
from aegis.core.ports.engine import EngineReport, Match, Target

VERSION = "1.182.0"
TIMEOUT_SECONDS = 300
"""For a whole run. A repository of 2,000 files takes seconds."""
FILE_TIMEOUT_SECONDS = 10
MEMORY_LIMIT_MIB = 2000
_SUFFIXES = {"python": ".py", "typescript": ".ts", "go": ".go", "java": ".java", "kotlin": ".kt"}


class SemgrepCore:
    """One semgrep-core binary. It is located when it is first needed, since most changes never need it."""

    version = VERSION

    def __init__(self, locate: Callable[[], Path], timeout_seconds: float = TIMEOUT_SECONDS) -> None:
        """`locate` gives the binary's path; it may install it and may raise CouldNotDecide."""
        self._locate = locate
        self._timeout = timeout_seconds

    def run(self, rules: Sequence[Mapping[str, Any]], targets: Sequence[Target]) -> EngineReport:
        """Match `rules` on `targets` in one process."""
        if not targets:
            return EngineReport((), {})
        binary = self._locate()
        with tempfile.TemporaryDirectory(prefix="aegis-semgrep-") as folder:
            paths = _write_inputs(Path(folder), rules, targets)
            output = self._call(binary, Path(folder))
            return _read_answer(output, paths)

    def _call(self, binary: Path, folder: Path) -> bytes:
        command = [
            str(binary), "-rules", str(folder / "rules.json"), "-targets", str(folder / "targets.json"),
            "-json_nodots", "-j", "1", "-fast", "-timeout", str(FILE_TIMEOUT_SECONDS),
            "-max_memory", str(MEMORY_LIMIT_MIB),
        ]  # fmt: skip
        environment = {"PATH": os.defpath, "HOME": str(folder), "TMPDIR": str(folder)}

        def start() -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command, cwd=folder, env=environment, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

        with ExitStack() as stack:
            try:
                process = stack.enter_context(running(start))
            except OSError as error:
                raise CouldNotDecide(
                    "scan.engine_missing",
                    f"{binary} cannot be run: {error.strerror}",
                    expected=f"the semgrep-core binary of semgrep {VERSION}",
                    remedy="unset AEGIS_SEMGREP_CORE, or point it at that binary",
                ) from error
            try:
                output, complaint = process.communicate(timeout=self._timeout)
            except subprocess.TimeoutExpired as error:
                raise _failed(f"no answer within {self._timeout:g} s") from error
        if process.returncode != 0:
            last = complaint.decode("utf-8", "replace").strip().splitlines()[-1:] or ["no message"]
            raise _failed(f"exit status {process.returncode}: {last[0][:200]}")
        return output


def _failed(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "scan.engine_failed",
        f"semgrep-core: {problem}",
        expected=f"one JSON answer of version {VERSION} about every target",
        remedy="run it again; if it fails again, report it with this message",
    )


def _write_inputs(folder: Path, rules: Sequence[Mapping[str, Any]], targets: Sequence[Target]) -> dict[str, Target]:
    """Write rules and targets; give the written paths back by target."""
    (folder / "rules.json").write_text(json.dumps({"rules": list(rules)}))
    paths: dict[str, Target] = {}
    listed = []
    for number, target in enumerate(targets):
        # A name of our own: what the repository calls the file must not reach a command line or a path.
        file = folder / f"{number}{_SUFFIXES[target.language]}"
        file.write_bytes(target.text)
        paths[str(file)] = target
        place = {"fpath": str(file), "ppath": f"/{file.name}"}
        listed.append(["CodeTarget", {"path": place, "analyzer": target.language, "products": ["sast"]}])
    (folder / "targets.json").write_text(json.dumps(["Targets", listed]))
    return paths


def _read_answer(output: bytes, paths: Mapping[str, Target]) -> EngineReport:
    try:
        answer = json.loads(output)
        if answer["version"] != VERSION:
            raise _failed(f"version {answer['version']!r}")
        matches = tuple(_match(result, paths) for result in answer["results"])
        problems = {_blamed(error, paths): str(error.get("message", "not read"))[:300] for error in answer["errors"]}
        scanned = set(answer["paths"]["scanned"])
        skipped = answer["skipped_rules"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise _failed(f"an answer that is not its JSON ({len(output)} bytes)") from error
    if skipped:
        raise _failed(f"{len(skipped)} rules skipped")
    unread = {target.name: "not scanned" for path, target in paths.items() if path not in scanned}
    return EngineReport(matches, unread | problems)


def _match(result: Mapping[str, Any], paths: Mapping[str, Target]) -> Match:
    bound = result["extra"].get("metavars", {}).get("$X", {}).get("abstract_content")
    start = result["start"]
    # A Go match starts at the `import` keyword of its group; its end is where it stands.
    target = paths[result["path"]]
    line = result["end"]["line"] if target.language == "go" else start["line"]
    return Match(result["check_id"], target.name, line, start["col"], bound)


def _blamed(error: Mapping[str, Any], paths: Mapping[str, Target]) -> str:
    """The target that an error is about. An error about no target is about the whole answer."""
    location = error.get("location") or {}
    path = str(location.get("path")) if isinstance(location, dict) else ""
    if path not in paths:
        raise _failed(str(error.get("message", "an error without a place"))[:200])
    return paths[path].name
