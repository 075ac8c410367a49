"""What this service refuses by itself, in one place: the reasons `runtime.api_*`."""

from __future__ import annotations

from aegis.core.codes import CODES
from aegis.core.errors import AegisError, CouldNotDecide, Refused


def refused(code: str, problem: str, *, expected: str) -> Refused:
    """The caller's request is not one that is answered."""
    return Refused(code, problem, expected=expected, remedy=CODES[code].remedy)


def undecided(code: str, problem: str, *, expected: str) -> AegisError:
    """The service cannot answer now."""
    return CouldNotDecide(code, problem, expected=expected, remedy=CODES[code].remedy)


def malformed(problem: str, *, expected: str) -> Refused:
    """A header, parameter or path that can be understood in two ways."""
    return refused("runtime.api_request_malformed", problem, expected=expected)
