"""The verdict of the backup-check gate, whatever happens. Its packages are imported only where the policy names it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from aegis.cli.backup_check.options import BackupCheckOptions
from aegis.cli.gate_run import GateRun
from aegis.core.outcome import PART
from aegis.core.verdict import Verdict

_WORDS: Mapping[str, str] = MappingProxyType(
    {"pass": "PASS", PART: PART.upper(), "fail": "FAIL", "could-not-decide": "COULD NOT VERIFY"}
)
"""What this gate calls its answers."""


def answer(options: BackupCheckOptions, environ: Mapping[str, str]) -> Verdict:
    """The verdict, whatever happens. `environ`: all of it, since a laptop's credentials are there too."""
    words = [] if options.named_only else [f"--mode={options.mode}"]
    words += [f"--{name}={value}" for name, value in _narrowed(options).items() if value is not None]
    run = GateRun.begin("backup-check", options, environ if options.github else {}, words)

    def judge() -> Verdict:
        found = run.look()
        run.named(found.in_force, found.in_force.policy.backup_check)
        # Its packages are there only where the policy names the gate.
        from aegis.cli.backup_check import run as backup_check_run

        return backup_check_run.judged(run, found, options, environ)

    verdict = run.guarded(judge)
    return replace(verdict, decision=_WORDS.get(verdict.decision, verdict.decision))


def _narrowed(options: BackupCheckOptions) -> Mapping[str, str | None]:
    return {"database": options.database, "max-age": options.max_age, "tier": options.tier}
