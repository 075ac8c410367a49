"""One run of the scan gate: repository, base, policy and engine joined."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from msgspec import structs

from aegis.adapters.git import open_repository
from aegis.adapters.github_context import source_from_environment
from aegis.adapters.policy_repository import PolicyRepository
from aegis.adapters.semgrep import SemgrepCore
from aegis.cli.options import ScanOptions
from aegis.cli.surroundings import Event, locate_semgrep, read_event
from aegis.core import base as bases
from aegis.core import outcome
from aegis.core.errors import AegisError, UsageError
from aegis.core.policy import ScanPolicy
from aegis.core.policy_in_force import DEFAULT_FILE, InForce, policy_in_force
from aegis.core.ports.repository import Repository
from aegis.core.tool import running_tool
from aegis.core.verdict import Source, Subject, Verdict
from aegis.gates.scan.gate import Judged, Request, judge


@dataclass(slots=True)
class ScanRun:
    """What is known so far; an error at any point still gives a verdict with it."""

    options: ScanOptions
    environ: Mapping[str, str]
    started: datetime.datetime
    source: Source
    subject: tuple[Subject, ...] = ()
    base: str | None = None

    @classmethod
    def begin(cls, options: ScanOptions, environ: Mapping[str, str]) -> ScanRun:
        """Start the clock. `environ` is empty for a run that no workflow asked for."""
        return cls(options, environ, _now(), source_from_environment(environ, None))

    def judge(self) -> tuple[Verdict, Judged]:
        """Judge the repository. Raises AegisError where there is no answer."""
        event = read_event(self.environ) if self.options.github else Event(None, {})
        self.source = source_from_environment(self.environ, event.payload)
        repository, prefix = open_repository(Path(self.options.path))
        self._tell_subject(repository)
        asked = bases.request(event.name, event.payload, self.environ)
        base = bases.resolve_base(repository, asked, self.options.base)
        self.base = base.commit
        self.source = replace(self.source, base=base.commit)
        fetch = PolicyRepository(self.environ).fetch
        in_force = policy_in_force(repository, base.policy, fetch, self.options.policy)
        policy = self._applied(in_force)
        request = Request(
            # What a baseline has to hold does not depend on the one that is there, and the first one is not there yet.
            policy=structs.replace(policy, baseline=None) if self.options.write_baseline else policy,
            in_force=in_force,
            policy_file=self.options.policy or DEFAULT_FILE,
            base=base,
            today=self.started.date(),
            paths=(prefix,) if prefix else None,
            second_opinion=self.options.second_opinion,
            progress=self.options.progress,
        )
        judged = judge(request, repository, SemgrepCore(locate_semgrep))
        return outcome.conclude(self._run(), judged.outcome, in_force, policy, _now()), judged

    def refuse(self, error: AegisError) -> Verdict:
        """The verdict where there is no answer."""
        return outcome.refuse(self._run(), error, _now())

    def _tell_subject(self, repository: Repository) -> None:
        head = repository.head()
        if head is not None:
            name = self.source.repository or repository.root.name
            self.subject = (Subject(name=name, digest={"gitCommit": head}),)

    def _applied(self, in_force: InForce) -> ScanPolicy:
        """The gate's section with the options applied, which may only tighten it."""
        written = in_force.policy.scan
        if written is None and self.options.named_only:
            raise UsageError(
                "core.policy_missing",
                f"the policy ({in_force.origin}) names no gate",
                expected=f"a section such as `scan:` in {self.options.policy or DEFAULT_FILE}",
                remedy="add the section, or use the gate's own action",
            )
        if written is None:
            return ScanPolicy(strict=self.options.strict)
        if written.strict and self.options.lenient:
            raise UsageError(
                "core.policy_loosened",
                f"the input `strict` is false, and the policy ({in_force.origin}) is strict",
                expected="an input that only tightens the policy",
                remedy="leave the input out, or set `scan.strict: false` in the policy in a reviewed change",
            )
        return written if written.strict or not self.options.strict else structs.replace(written, strict=True)

    def _run(self) -> outcome.Run:
        return outcome.Run(
            gate="scan",
            subject=self.subject,
            source=self.source,
            tool=running_tool(),
            started=self.started,
            reproduce=self._reproduction(),
        )

    def _reproduction(self) -> str:
        """The command that gives the same answer on a laptop."""
        options = self.options
        workspace = self.environ.get("GITHUB_WORKSPACE") or "."
        path = os.path.relpath(options.path, workspace) if options.github else options.path
        words = ["aegis", "all" if options.named_only else "scan", f"./{path}" if path.startswith("-") else path]
        words += ["--strict"] if options.strict else []
        words += ["--second-opinion"] if options.second_opinion else []
        words += [f"--base={self.base}"] if self.base else []
        words += [f"--policy={options.policy}"] if options.policy else []
        checkout = f"git checkout {self.source.commit} && " if self.source.commit else ""
        return checkout + shlex.join(words)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
