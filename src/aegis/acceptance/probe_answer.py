"""What a probe said: the bytes of `probe.json` in, a checked answer out.

Everything that could make silence or nonsense look like an answer is refused: unknown members, a result that its checks
do not bear out, an exit code that says something else.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta, Struct

from aegis.acceptance.catalogue import Name, Reason
from aegis.core import typed
from aegis.core.errors import CouldNotDecide, Refused
from aegis.signatures import strict_json

SCHEMA_ID: Final = "urn:aegis-gates:schema:probe:v1"
FILE: Final = "probe.json"
PASSED: Final = "core.passed"
MAX_BYTES: Final = 1 << 20
EXIT: Final = {"pass": 0, "fail": 1}
"""The exit code that goes with each result."""


class Check(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing that a probe looked at."""

    name: Name
    result: Literal["pass", "fail"]
    detail: Annotated[str, Meta(min_length=1, max_length=4000)]
    """What was seen, for people."""
    reason: Reason | None = None
    """Where it failed: why."""


class ProbeAnswer(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`probe.json`."""

    schema: Literal["urn:aegis-gates:schema:probe:v1"]
    result: Literal["pass", "fail"]
    reason: Reason
    """`core.passed`, or that of the first check that failed."""
    checks: Annotated[tuple[Check, ...], Meta(min_length=1, max_length=500)]
    facts: dict[str, Any]
    """Numbers and names for the report."""

    @property
    def failed(self) -> frozenset[str]:
        """Names of the checks that failed."""
        return frozenset(check.name for check in self.checks if check.result == "fail")

    @property
    def passed(self) -> frozenset[str]:
        """Names of the checks that passed."""
        return frozenset(check.name for check in self.checks if check.result == "pass")


def parse_answer(data: bytes, exit_code: int) -> ProbeAnswer:
    """The answer of a probe that ended with this exit code. Raises CouldNotDecide `acceptance.probe_broken`."""
    try:
        answer = typed.convert(strict_json.parse(data, what=FILE, limit=MAX_BYTES), ProbeAnswer)
    except Refused as refused:
        raise broken(refused.problem) from refused
    except msgspec.ValidationError as error:
        raise broken(f"{FILE} is none: {error}") from error
    names = [check.name for check in answer.checks]
    if len(set(names)) < len(names):
        raise broken(f"{FILE} has a check twice")
    reasons = [check.reason for check in answer.checks if check.result == "fail"]
    if None in reasons or any(check.reason for check in answer.checks if check.result == "pass"):
        raise broken(f"{FILE} has a check whose result and reason do not fit")
    if (answer.result, answer.reason) != (("fail", reasons[0]) if reasons else ("pass", PASSED)):
        raise broken(f"{FILE} says {answer.result} ({answer.reason}), which its checks do not")
    if EXIT[answer.result] != exit_code:
        raise broken(f"{FILE} says {answer.result}, and the exit code is {exit_code}")
    return answer


def broken(problem: str) -> CouldNotDecide:
    """The error for a probe that gave no answer."""
    return CouldNotDecide(
        "acceptance.probe_broken",
        problem,
        expected=f"a whole {FILE}, and exit code 0 for pass or 1 for fail",
        remedy="look at output.txt beside it, and run the recorded command by hand",
    )
