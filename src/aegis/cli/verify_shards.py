"""`aegis verify plan`, `--shard i/N` and `merge`: one verification over the jobs of a matrix."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aegis.core.errors import CouldNotDecide, UsageError

if TYPE_CHECKING:
    from aegis.cli.gate_run import Found, GateRun
    from aegis.cli.stores import Stores
    from aegis.cli.verify_options import VerifyOptions
    from aegis.core.verdict import Verdict
    from aegis.gates.verify.gate import Request

FILE = "shard.json"


def add_commands(commands: Any) -> None:
    """Add `plan` and `merge`."""
    from aegis.cli import verify

    plan = commands.add_parser("plan", help="who would read what, for a matrix of N jobs", allow_abbrev=False)
    plan.add_argument("--shards", metavar="N", type=int, required=True, help="how many jobs")
    verify.add_repository_arguments(plan)
    plan.set_defaults(run=run_plan)
    merge = commands.add_parser("merge", help="one verdict from the files of all shards", allow_abbrev=False)
    merge.add_argument("files", nargs="+", type=Path, metavar="FILE", help="the shard.json of each shard")
    verify.add_repository_arguments(merge)
    merge.add_argument("--output", metavar="DIR", type=Path, help="write the verdict in all its forms to DIR")
    merge.add_argument("--format", choices=verify.FORMATS, default="text", help="what to print (default: text)")
    merge.set_defaults(run=run_merge)


def run_plan(arguments: argparse.Namespace) -> int:
    """Print the plan as JSON; `shards[].shard` is the matrix."""
    from aegis.cli.gate_run import GateRun
    from aegis.cli.verify_options import VerifyOptions
    from aegis.cli.verify_run import request_of
    from aegis.gates.verify import gate, shards

    arguments.output = None
    options = VerifyOptions.from_arguments(arguments, os.environ)
    run = GateRun.begin("verify", options, {})
    request, stores = request_of(run, run.look(), options)
    _, count = shards.parse_shard(f"1/{arguments.shards}")
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

    from aegis.cli import deliver, verify
    from aegis.cli.verify_options import VerifyOptions
    from aegis.core.verdict import exit_code

    options = replace(VerifyOptions.from_arguments(arguments, os.environ), shards=tuple(arguments.files))
    verdict = verify.answer(options, {})
    if options.output is not None:
        deliver.to_folder(verdict, options.output)
    deliver.to_terminal(verdict, arguments.format)
    return exit_code(verdict)


def judged_shard(run: GateRun, found: Found, request: Request, stores: Stores, options: VerifyOptions) -> Verdict:
    """Read one shard. Its verdict is no answer about any artifact, and says so."""
    from aegis.gates.verify import gate, shards

    number, count = shards.parse_shard(options.shard or "")
    if options.output is None:
        raise UsageError(
            "core.wrong_usage",
            "a shard without --output",
            expected="a folder for shard.json, which the merge needs",
            remedy="add --output DIR",
        )
    stage = gate.prepare(request, stores)
    plan = shards.plan_of(stage.wanted, count, request.in_force.sha256, local=stage.local)
    document = shards.read_shard(plan, number)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
        (options.output / FILE).write_bytes(document)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {str(options.output / FILE)!r}: {error.strerror}",
            expected="a folder that can be written",
            remedy="correct `output`",
        ) from error
    only = f"shard {number} of {count} was read, and no artifact was judged; `merge` gives the answer"
    outcome = gate.outcome_of(request, (), stage.findings, not_applicable=only)
    return run.conclude(outcome, found.in_force, request.policy)


def judged_merge(run: GateRun, found: Found, request: Request, stores: Stores, files: tuple[Path, ...]) -> Verdict:
    """The one verdict."""
    from aegis.gates.verify import gate, shards

    documents = _documents(files)
    stage = gate.prepare(request, stores)
    count = shards.count_of(documents)
    plan = shards.plan_of(stage.wanted, count, request.in_force.sha256, local=stage.local)
    gotten = shards.merged(plan, documents)
    answer = gate.finish(request, stage, lambda wanted: {each.place: gotten[each] for each in wanted})
    run.subject = (*run.subject, *answer.subjects)
    return run.conclude(answer.outcome, found.in_force, request.policy)


def shard_files(folder: Path) -> tuple[Path, ...]:
    """Every shard's file below a folder into which artifacts were downloaded."""
    return tuple(sorted(folder.rglob(FILE)))


def _documents(files: tuple[Path, ...]) -> Sequence[tuple[str, bytes]]:
    try:
        documents = [(str(file), file.read_bytes()) for file in files]
    except OSError as error:
        raise CouldNotDecide(
            "verify.shard_invalid",
            f"{error.filename!r} cannot be read: {error.strerror}",
            expected="the shard.json of each shard",
            remedy="download the outputs of all shards first",
        ) from error
    if not documents:
        raise CouldNotDecide(
            "verify.shard_invalid",
            "there is no shard.json",
            expected="the shard.json of each shard",
            remedy="download the outputs of all shards first",
        )
    return documents
