"""What can go wrong, said so that a person can act on it.

AegisError
├── Refused          exit 1: looked at, and it is not what the policy asks for
├── UsageError       exit 2: wrong arguments, a wrong policy file
└── CouldNotDecide   exit 3: a missing tool, a broken file, a network fault

Each error carries a stable code of the registry (`aegis.core.codes`), the value that was wrong, what was expected,
and what to do next. Library exceptions are chained with `raise … from`, never shown.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import ClassVar

EXTRAS: Mapping[str, str] = {
    "alembic": "runtime",
    "botocore": "keyless",
    "cryptography": "keyless",
    "github": "scaffold",
    "h11": "runtime",
    "jinja2": "scaffold",
    "kubernetes": "canary",
    "numpy": "canary",
    "obstore": "runtime",
    "oci": "oci",
    "prometheus_client": "runtime",
    "psycopg": "backup-check",
    "pyrage": "backup-check",
    "requests": "keyless",
    "rfc3161_client": "keyless",
    "rfc8785": "runtime",
    "rich": "terminal",
    "safetensors": "runtime",
    "sigstore": "keyless",
    "sigstore_models": "keyless",
    "sqlalchemy": "runtime",
    "starlette": "runtime",
    "urllib3": "keyless",
    "uvicorn": "runtime",
}
"""The extra that brings each import package; of several, that of the command which needs it first."""


class AegisError(Exception):
    """The base of every error that a user may see."""

    exit_code: ClassVar[int] = 3

    def __init__(
        self, code: str, problem: str, *, expected: str, remedy: str, place: tuple[str, int, int] | None = None
    ) -> None:
        """Say what was wrong (with the value), what was expected, and what to do next.

        `place`: path, line and column (from 1) of what was wrong in a file of the repository.
        """
        super().__init__(problem)
        self.code = code
        self.problem = problem
        self.expected = expected
        self.remedy = remedy
        self.place = place

    @property
    def unplaced(self) -> str:
        """The problem without its place, for what shows the place in a field of its own."""
        return self.problem if self.place is None else self.problem.removeprefix("{}:{}:{}: ".format(*self.place))

    def __str__(self) -> str:
        """One paragraph for people."""
        return f"{self.problem}\n  expected: {self.expected}\n  next: {self.remedy}"


class Refused(AegisError):  # noqa: N818 - it is the answer's name, as CouldNotDecide is
    """What was looked at is not what the policy asks for: a wrong signature, a missing file, an old version."""

    exit_code = 1


class UsageError(AegisError):
    """The arguments or the policy file are wrong: nothing was judged."""

    exit_code = 2


class CouldNotDecide(AegisError):  # noqa: N818 - it is the answer's name in every report, not only an exception
    """The question could not be answered: which means no."""

    exit_code = 3


def crashed(error: BaseException) -> CouldNotDecide:
    """A defect of ours, by the place where it shows. The exception's own text may hold anything, so it is left out.

    Of a package that is not installed, its name: an environment may be made for another gate.
    """
    if isinstance(error, ModuleNotFoundError) and error.name:
        extra = EXTRAS.get(error.name.partition(".")[0])
        wanted = f"aegis-gates[{extra}]" if extra else "aegis-gates"
        return CouldNotDecide(
            "core.package_missing",
            f"the package {error.name!r} is not installed for {sys.executable}",
            expected=f"the packages of {wanted}",
            remedy=f"pip install '{wanted}', or in a checkout `make venv` and .venv/bin/python",
        )
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    # every command imports this, and `pathlib` would cost it several milliseconds
    file = os.path.basename(frame.tb_frame.f_code.co_filename) if frame is not None else ""  # noqa: PTH119
    place = f" at {file}:{frame.tb_lineno}" if frame is not None else ""
    return CouldNotDecide(
        "core.crashed",
        f"{type(error).__name__}{place}",
        expected="an answer",
        remedy="run it again with the command in the last line; report it with this message if it fails again",
    )
