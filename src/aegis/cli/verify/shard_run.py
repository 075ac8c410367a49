"""A run of the verify gate that reads one shard, or merges all of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegis.cli.gate_run import Found, GateRun
from aegis.cli.stores import Stores
from aegis.cli.verify.options import SHARD, VerifyOptions
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.verdict import Verdict
from aegis.gates.verify import gate, shards
from aegis.gates.verify.gate import Request


def judged_shard(run: GateRun, found: Found, request: Request, stores: Stores, options: VerifyOptions) -> Verdict:
    """Read one shard. Its verdict is no answer about any artifact, and says so."""
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
        (options.output / SHARD).write_bytes(document)
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {str(options.output / SHARD)!r}: {error.strerror}",
            expected="a folder that can be written",
            remedy="correct `output`",
        ) from error
    only = f"shard {number} of {count} was read, and no artifact was judged; `merge` gives the answer"
    outcome = gate.outcome_of(request, (), stage.findings, not_applicable=only)
    return run.conclude(outcome, found.in_force, request.policy)


def judged_merge(run: GateRun, found: Found, request: Request, stores: Stores, files: tuple[Path, ...]) -> Verdict:
    """The one verdict."""
    documents = _documents(files)
    stage = gate.prepare(request, stores)
    count = shards.count_of(documents)
    plan = shards.plan_of(stage.wanted, count, request.in_force.sha256, local=stage.local)
    gotten = shards.merged(plan, documents)
    answer = gate.finish(request, stage, lambda wanted: {each.place: gotten[each] for each in wanted})
    run.subject = (*run.subject, *answer.subjects)
    return run.conclude(answer.outcome, found.in_force, request.policy)


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
