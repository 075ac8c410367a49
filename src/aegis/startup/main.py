"""The entry point of every action and of `make venv`.

    python3 -I src/aegis/startup/main.py run scan|all
    python3 -I src/aegis/startup/main.py venv

`-I` keeps the workspace, PYTHONPATH and the user's site-packages out; so the package's own folder is added by hand.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "src"))

from aegis.startup import supervise, surroundings, tier0  # noqa: E402 - the path above must stand first
from aegis.startup.environment import developer_environment, environment  # noqa: E402
from aegis.startup.problem import MISCONFIGURED, StartupProblem, announce, notice  # noqa: E402

LOCK_OF = {"scan": "scan", "all": "scan"}
"""The environment in which each action's gate runs."""


def main(arguments: list[str]) -> int:
    """Do what the words say; whatever goes wrong is told and red."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupted)
    try:
        return _dispatch(arguments)
    except StartupProblem as problem:
        return announce(problem, os.environ)
    except Exception as error:  # Python would end with 1, which reads as "the policy is not met"
        return announce(_crashed(error), os.environ)


def _dispatch(arguments: list[str]) -> int:
    cache = surroundings.cache_folder(os.environ)
    if arguments == ["venv"]:
        tier0.check_python()
        print(developer_environment(ROOT, cache))
        return 0
    if len(arguments) == 2 and arguments[0] == "run" and arguments[1] in LOCK_OF:
        return _run(arguments[1], cache)
    print("usage: main.py run scan|all\n       main.py venv", file=sys.stderr)
    return MISCONFIGURED


def _run(gate: str, cache: Path) -> int:
    facts = tier0.check(gate, os.environ)
    if facts.read_only:
        notice(
            "GitHub gives a run for a fork or for Dependabot a read-only token and no secrets: "
            "findings stand in the annotations and the summary, and nothing is uploaded.",
            os.environ,
        )
    place = environment(LOCK_OF[gate], ROOT, cache)
    return supervise.run(gate, place, cache, os.environ)


def _interrupted(number: int, _frame: FrameType | None) -> NoReturn:
    raise StartupProblem(
        "core.interrupted",
        f"Stopped by {signal.Signals(number).name} before the gate had started.",
        expected="time to finish",
        remedy="Run it again.",
    )


def _crashed(error: Exception) -> StartupProblem:
    return StartupProblem(
        "core.crashed",
        f"The start-up failed: {type(error).__name__}: {error}",
        expected="a disk that can be written and a complete copy of the action",
        remedy="Run it again; report it with the job's log if it happens twice.",
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
