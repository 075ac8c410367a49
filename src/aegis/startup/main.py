"""The entry point of every action and of `make venv`.

    python3 -I src/aegis/startup/main.py run scan|verify|canary|backup-check|all
    python3 -I src/aegis/startup/main.py tool LOCK COMMAND …
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
from aegis.startup.choice import GATES, LOCKS, lock_of  # noqa: E402
from aegis.startup.environment import developer_environment, environment, python_of  # noqa: E402
from aegis.startup.problem import MISCONFIGURED, StartupProblem, announce, notice  # noqa: E402

USAGE = f"""\
usage: main.py run {"|".join(GATES)}
       main.py tool {"|".join(LOCKS)} COMMAND ...
       main.py venv"""


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
    if len(arguments) == 2 and arguments[0] == "run" and arguments[1] in GATES:
        return _run(arguments[1], cache)
    if len(arguments) > 2 and arguments[0] == "tool" and arguments[1] in LOCKS:
        tier0.check_python()
        _become(arguments[1], cache, *arguments[2:])
    print(USAGE, file=sys.stderr)
    return MISCONFIGURED


def _run(gate: str, cache: Path) -> int:
    facts = tier0.check(gate, os.environ)
    if facts.read_only:
        notice(
            "GitHub gives a run for a fork or for Dependabot a read-only token and no secrets: "
            "findings stand in the annotations and the summary, and nothing is uploaded.",
            os.environ,
        )
    lock = lock_of(gate, os.environ)
    if gate == "all" and tier0.read_input("task", os.environ) == "list":
        # it judges nothing, so no verdict has to back its exit code; the merge finds out itself what had to be judged
        _become(lock, cache, "all", "--list", "--github")
    return supervise.run(gate, environment(lock, ROOT, cache), cache, os.environ)


def _become(lock: str, cache: Path, *words: str) -> NoReturn:
    """Let the command line take this process's place: signals and exit code are its own."""
    python = python_of(environment(lock, ROOT, cache))
    launcher = str(Path(__file__).with_name("launch.py"))
    env = surroundings.for_gates(os.environ)
    os.execve(python, [str(python), "-I", "-X", "utf8", launcher, *words], env)  # noqa: S606


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
