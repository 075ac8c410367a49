"""One run of the scan gate: repository, base, policy and engine joined."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from aegis.adapters.semgrep import SemgrepCore
from aegis.cli.gate_run import GateRun
from aegis.cli.policy_files import PolicyFiles, files_of_policy
from aegis.cli.scan.options import ScanOptions
from aegis.cli.surroundings import locate_semgrep
from aegis.core.errors import UsageError
from aegis.core.policy import ScanPolicy
from aegis.core.policy_in_force import InForce
from aegis.core.verdict import Verdict
from aegis.gates.scan.gate import Judged, Request, judge


def answer(options: ScanOptions, environ: Mapping[str, str]) -> tuple[Verdict, Judged | None]:
    """The verdict, and what is behind it unless an error stood in the way."""
    words = [*(["--strict"] if options.strict else []), *(["--second-opinion"] if options.second_opinion else [])]
    run = GateRun.begin("scan", options, environ, words)
    answered = run.guarded(lambda: _judge(run, options))
    return (answered, None) if isinstance(answered, Verdict) else answered


def _judge(run: GateRun, options: ScanOptions) -> tuple[Verdict, Judged]:
    found = run.look()
    run.named(found.in_force, found.in_force.policy.scan)
    policy = _applied(found.in_force, options)
    named = tuple(files_of_policy(found.in_force.policy))
    replaced = frozenset(PolicyFiles(found).replaced(path for _, path in named))
    verify = found.in_force.policy.verify
    request = Request(
        # What a baseline has to hold does not depend on the one that is there, and the first one is not there yet.
        policy=structs.replace(policy, baseline=None) if options.write_baseline else policy,
        in_force=found.in_force,
        policy_file=run.policy_file,
        base=found.base,
        today=run.started.date(),
        paths=(found.prefix,) if found.prefix else None,
        second_opinion=options.second_opinion,
        weaker=tuple(dict.fromkeys(f"{key}: {path} is another one" for key, path in named if path in replaced)),
        own_files=frozenset({*(path for _, path in named), *([verify.lock] if verify is not None else [])}),
        progress=options.progress,
    )
    judged = judge(request, found.repository, SemgrepCore(locate_semgrep))
    return run.conclude(judged.outcome, found.in_force, policy), judged


def _applied(in_force: InForce, options: ScanOptions) -> ScanPolicy:
    """The gate's section with the options applied, which may only tighten it."""
    written = in_force.policy.scan
    if written is None:
        return ScanPolicy(strict=options.strict)
    if written.strict and options.lenient:
        raise UsageError(
            "core.policy_loosened",
            f"the input `strict` is false, and the policy ({in_force.origin}) is strict",
            expected="an input that only tightens the policy",
            remedy="leave the input out, or set `scan.strict: false` in the policy in a reviewed change",
        )
    return written if written.strict or not options.strict else structs.replace(written, strict=True)
