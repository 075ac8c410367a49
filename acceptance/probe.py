"""What every probe of `aegis acceptance` shares: its arguments, and the one answer that it writes last.

A probe looks at one criterion and says what it saw, check by check. `--fault NAME` plants one of the faults that it
names, and the same checks must see it. The engine (`aegis.acceptance`) believes nothing else: an exception here leaves
no answer behind, which is no pass and no proof either.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCHEMA = "urn:aegis-gates:schema:probe:v1"
PASS, FAIL, UNDECIDED = 0, 1, 3
"""Exit codes."""


@dataclass(slots=True)
class Probe:
    """One run of a probe."""

    evidence: Path
    """Where files go that others may look at later; no secrets."""
    fault: str | None = None
    """The fault that is planted; None looks at the real thing."""
    config: Path | None = None
    """The staging configuration; None in local mode."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Numbers and names for the report."""
    checks: list[dict[str, str]] = field(default_factory=list)

    def check(self, name: str, good: bool, detail: str, *, reason: str) -> bool:
        """Record what was looked at: `detail` says what was seen, `reason` is the code if it is not good."""
        if any(known["name"] == name for known in self.checks):
            raise ValueError(f"the check {name} was recorded before")
        told = {"name": name, "result": "pass" if good else "fail", "detail": detail}
        self.checks.append(told if good else {**told, "reason": reason})
        _tell(f"{'✓' if good else '✗'} {name}: {detail}")
        return good

    def answer(self) -> int:
        """Write `probe.json` and give back the exit code."""
        if not self.checks:
            raise ValueError("nothing was checked")
        reasons = [check["reason"] for check in self.checks if "reason" in check]
        document = {
            "schema": SCHEMA,
            "result": "fail" if reasons else "pass",
            "reason": reasons[0] if reasons else "core.passed",
            "checks": self.checks,
            "facts": self.facts,
        }
        draft = self.evidence / "probe.json.draft"
        draft.write_text(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n", "utf-8")
        os.replace(draft, self.evidence / "probe.json")  # noqa: PTH105 - a reader finds the whole of it, or nothing
        return FAIL if reasons else PASS


@contextmanager
def probing(faults: Mapping[str, str], arguments: Sequence[str] | None = None) -> Iterator[Probe]:
    """Run a probe as a program: arguments in, `probe.json` and the exit code out.

    `faults`: name to what is planted. Whatever the block raises ends the program with exit code 3 and no answer.
    """
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--evidence", metavar="DIR", type=Path, required=True)
    parser.add_argument("--fault", choices=sorted(faults))
    parser.add_argument("--config", metavar="FILE", type=Path)
    given = parser.parse_args(arguments)
    probe = Probe(given.evidence.absolute(), given.fault, given.config)
    if probe.fault is not None:
        _tell(f"planted: {faults[probe.fault]}")
    # so that the block ends the servers that it has started
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        yield probe
        code = probe.answer()
    except Exception:
        traceback.print_exc()
        code = UNDECIDED
    sys.exit(code)


def _tell(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
