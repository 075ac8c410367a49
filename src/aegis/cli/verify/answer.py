"""The verdict of the verify gate, whatever happens. Its packages are imported only where the policy names the gate."""

from __future__ import annotations

from collections.abc import Mapping

from aegis.cli.gate_run import GateRun
from aegis.cli.verify.options import VerifyOptions
from aegis.core.verdict import Verdict


def answer(options: VerifyOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict, whatever happens. `environ` is empty for a run that no workflow asked for."""
    words = [f"--shard={options.shard}"] if options.shard else []
    run = GateRun.begin("verify", options, environ, words)

    def judge() -> Verdict:
        found = run.look()
        run.named(found.in_force, found.in_force.policy.verify)
        # Its packages are there only where the policy names the gate.
        from aegis.cli.verify import run as verify_run

        return verify_run.judged(run, found, options)

    return run.guarded(judge)
