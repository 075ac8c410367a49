"""What a command takes from its surroundings: the workflow's inputs and event on GitHub, arguments elsewhere."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aegis
from aegis.core.errors import CouldNotDecide
from aegis.startup.surroundings import cache_folder

ROOT = Path(__file__).resolve().parents[3]
"""The source tree that this runs from: where the locks are."""


@dataclass(frozen=True, slots=True)
class Event:
    """The event that a workflow runs for; empty on a laptop."""

    name: str | None
    payload: Any


def read_event(environ: Mapping[str, str]) -> Event:
    """The workflow's event. Raises CouldNotDecide where it is announced and cannot be read."""
    file = environ.get("GITHUB_EVENT_PATH", "")
    if not file:
        return Event(environ.get("GITHUB_EVENT_NAME") or None, {})
    try:
        return Event(environ.get("GITHUB_EVENT_NAME") or None, json.loads(Path(file).read_bytes()))
    except (OSError, ValueError, RecursionError) as error:
        raise CouldNotDecide(
            "core.wrong_usage",
            f"the event's payload at {file!r} cannot be read: {type(error).__name__}",
            expected="the JSON file that GitHub's runner wrote",
            remedy="run it as a step of a workflow",
        ) from error


def read_input(name: str, environ: Mapping[str, str]) -> str:
    """An input of the action, as its action.yml maps it; empty where it was left out."""
    return environ.get(f"AEGIS_INPUT_{name.upper().replace('-', '_')}", "")


def locate_semgrep() -> Path:
    """The pinned semgrep-core: the one that was named, else one installed by hash into the user's cache."""
    # Most changes need no engine: what finds and installs it is imported here.
    import shutil

    from aegis.startup.environment import semgrep_core
    from aegis.startup.problem import StartupProblem

    if named := os.environ.get("AEGIS_SEMGREP_CORE"):
        found = shutil.which(named)
        if found is None:
            raise CouldNotDecide(
                "scan.engine_missing",
                f"AEGIS_SEMGREP_CORE names {named!r}, which cannot be run",
                expected="the path of a semgrep-core binary",
                remedy="correct the variable, or unset it to have the pinned version installed",
            )
        return Path(found)
    if not (ROOT / "locks" / "semgrep.txt").is_file():
        return _installed_semgrep()
    try:
        return semgrep_core(ROOT, cache_folder(os.environ))
    except StartupProblem as problem:
        raise CouldNotDecide(
            "scan.engine_missing", problem.problem, expected=problem.expected, remedy=problem.remedy
        ) from problem


def _installed_semgrep() -> Path:
    """The binary of the semgrep that stands beside an installed Aegis, which has no locks to install one from."""
    # By its place: a search along Python's path could end in the repository that is scanned.
    program = Path(aegis.__file__).resolve().parents[1] / "semgrep" / "bin" / "semgrep-core"
    if program.is_file():
        return program
    raise CouldNotDecide(
        "scan.engine_missing",
        "semgrep is not installed beside Aegis",
        expected="the extra `semgrep`, or the path of a semgrep-core binary in AEGIS_SEMGREP_CORE",
        remedy="pip install 'aegis-gates[semgrep]'",
    )
