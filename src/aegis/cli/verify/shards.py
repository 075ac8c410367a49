"""`aegis verify plan`, `--shard i/N` and `merge`: one verification over the jobs of a matrix."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import Any

from aegis.core.errors import UsageError


def add_commands(commands: Any) -> None:
    """Add `plan` and `merge`."""
    from aegis.cli.verify import options as verify_options

    plan = commands.add_parser("plan", help="who would read what, for a matrix of N jobs", allow_abbrev=False)
    plan.add_argument("--shards", metavar="N", type=int, required=True, help="how many jobs")
    verify_options.add_repository_arguments(plan)
    plan.set_defaults(run=run_plan)
    merge = commands.add_parser("merge", help="one verdict from the files of all shards", allow_abbrev=False)
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the shard.json of each shard")
    verify_options.add_repository_arguments(merge)
    merge.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    merge.add_argument("--format", choices=verify_options.FORMATS, default="text", help="what to print (default: text)")
    merge.set_defaults(run=run_merge)


def run_plan(arguments: argparse.Namespace) -> int:
    """Print the plan as JSON; `shards[].shard` is the matrix."""
    from aegis.cli.gate_run import GateRun
    from aegis.cli.verify.options import VerifyOptions
    from aegis.cli.verify.run import request_of
    from aegis.gates.verify import gate, shards

    count: int = arguments.shards
    if not 1 <= count <= shards.MAX_SHARDS:
        raise UsageError(
            "core.wrong_usage",
            f"--shards is {count}",
            expected=f"1 to {shards.MAX_SHARDS} jobs",
            remedy="correct the argument",
        )
    arguments.output = None
    options = VerifyOptions.from_arguments(arguments, os.environ)
    run = GateRun.begin("verify", options, {})
    request, stores = request_of(run, run.look(), options)
    stage = gate.prepare(request, stores)
    plan = shards.plan_of(stage.wanted, count, request.in_force.sha256, local=stage.local)
    matrix = [
        {"shard": f"{number}/{count}", "ranges": len(units), "bytes": size}
        for number, (units, size) in enumerate(zip(plan.shards, plan.sizes, strict=True), 1)
    ]
    sys.stdout.write(json.dumps({"plan": plan.digest, "shards": matrix}, indent=2) + "\n")
    return 0


def run_merge(arguments: argparse.Namespace) -> int:
    """Judge by the digests of all shards."""
    from dataclasses import replace

    from aegis.cli import deliver
    from aegis.cli.verify import answer as verify_answer
    from aegis.cli.verify.options import VerifyOptions
    from aegis.core.verdict import exit_code

    options = replace(VerifyOptions.from_arguments(arguments, os.environ), shards=tuple(arguments.files))
    verdict = verify_answer.answer(options, {})
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)
