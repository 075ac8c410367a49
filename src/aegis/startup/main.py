"""The entry point of every action and of `make venv`: `python3 -I src/aegis/startup/main.py run GATE | venv`.

`-I` keeps the workspace, PYTHONPATH and the user's site-packages out; so the package's own folder is added by hand.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.append(str(ROOT / "src"))

from aegis.startup import surroundings  # noqa: E402 - the path above must stand first
from aegis.startup.environment import developer_environment  # noqa: E402
from aegis.startup.problem import StartupProblem, announce  # noqa: E402


def main(arguments: list[str]) -> int:
    """Do what the first word says."""
    try:
        return _dispatch(arguments)
    except StartupProblem as problem:
        return announce(problem, os.environ)


def _dispatch(arguments: list[str]) -> int:
    cache = surroundings.cache_folder(os.environ)
    if arguments == ["venv"]:
        print(developer_environment(ROOT, cache))
        return 0
    print("usage: python3 -I src/aegis/startup/main.py venv", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
