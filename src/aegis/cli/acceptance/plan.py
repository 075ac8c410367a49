"""`aegis acceptance --mode plan`: what would be run, and what is missing for it."""

from __future__ import annotations

import argparse
import os
import shlex
from collections.abc import Iterator

from aegis.acceptance.catalogue import MODES, Criterion, Mode
from aegis.cli.acceptance.asked import Asked, asked_for
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.report.escape import terminal


def show(arguments: argparse.Namespace) -> int:
    """Print the plan. Its exit code is that of no answer: nothing was looked at."""
    if arguments.plant or arguments.resume or arguments.output:
        raise UsageError(
            "core.wrong_usage",
            "--mode plan with --plant, --resume or --output",
            expected="--only, --config and --path: a plan runs nothing and writes nothing",
            remedy="leave the argument out",
        )
    asked = asked_for(arguments, staging=True, without=None)
    for criterion in asked.criteria:
        for line in _lines(criterion, asked):
            print(terminal(line))
    print("acceptance.planned_only: nothing was run, so nothing is accepted")
    return CouldNotDecide.exit_code


def _lines(criterion: Criterion, asked: Asked) -> Iterator[str]:
    yield f"{criterion.id}  {criterion.title}"
    for mode in MODES:
        yield from _of_mode(criterion, mode, asked)


def _of_mode(criterion: Criterion, mode: Mode, asked: Asked) -> Iterator[str]:
    probe = criterion.probe(mode)
    if probe is None:
        yield f"    {mode}: none"
        return
    yield f"    {mode}: {shlex.join(probe.run)} (at most {probe.timeout} s a run)"
    for fault in probe.faults:
        yield f"        must be seen: {fault.name}: {fault.plants} -> {' or '.join(fault.reasons)}"
    for part in probe.simulated:
        yield f"        simulated: {part}"
    for want in asked.missing(probe, os.environ):
        yield f"        missing: {want}"
