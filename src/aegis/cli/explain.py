"""`--explain CODE`: what a reason code means and what to do."""

from __future__ import annotations

import difflib
import sys

from aegis.core.codes import CODES
from aegis.core.errors import UsageError


def run(rule: str) -> int:
    """Print one entry of the registry. A bare class of use (`runtime`) means its scan rule."""
    code = CODES.get(rule) or CODES.get(f"scan.{rule.replace('-', '_')}")
    if code is None:
        near = difflib.get_close_matches(rule, CODES, n=1, cutoff=0.6)
        raise UsageError(
            "core.wrong_usage",
            f"there is no reason code {rule!r}",
            expected="a reason code such as scan.runtime",
            remedy=f"did you mean {near[0]}?" if near else "see docs/reasons.md",
        )
    sys.stdout.write(f"{code.id}: {code.title}\n\nwhy:    {code.why}\nremedy: {code.remedy}\n")
    return 0
