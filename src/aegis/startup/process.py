"""One way to run an installer: bounded in time, and its last words kept for the error."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from aegis.startup.children import completed
from aegis.startup.problem import StartupProblem

LIMIT_SECONDS = 600
"""A whole install; the largest lock downloads about 80 MB."""
_ONE_OF_MANY = re.compile(r"\s*(?:Expected\s+or\s+|sha256:)[0-9a-f]{64}\s*")


def run(argv: Sequence[str | Path], env: Mapping[str, str], *, what: str) -> str:
    """Run it and give back its output; a failure is told with the end of what it said."""
    remedy = "Run the job again; an index named by `index-url` must serve the very files whose hashes the lock names."
    words = [str(word) for word in argv]
    try:
        done = completed(words, env=dict(env), seconds=LIMIT_SECONDS)
    except subprocess.TimeoutExpired as late:
        problem = f"{what} took longer than {LIMIT_SECONDS} s and was ended."
        raise StartupProblem("core.install_failed", problem, expected="an answer in time", remedy=remedy) from late
    except OSError as refused:
        problem = f"{what} could not be started: {refused}."
        raise StartupProblem(
            "core.install_failed", problem, expected="a program that starts", remedy=remedy
        ) from refused
    if done.returncode != 0:
        said = (done.stderr or done.stdout).decode("utf-8", "replace")
        problem = f"{what} failed with exit code {done.returncode}:\n{last_words(said)}"
        raise StartupProblem("core.install_failed", problem, expected="exit code 0", remedy=remedy)
    return done.stdout.decode("utf-8", "replace")


def last_words(text: str, lines: int = 12) -> str:
    """The end of an output, without the credentials that a URL in it may hold."""
    # a mismatch is told with every hash of the lock, which would push what matters out of sight
    telling = [line for line in text.strip().splitlines() if not _ONE_OF_MANY.fullmatch(line)]
    return re.sub(r"://[^/@\s]+@", "://***@", "\n".join(telling[-lines:]))
