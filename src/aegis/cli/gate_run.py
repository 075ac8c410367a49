"""One run of any gate: repository, base and policy found; whatever happens, there is a verdict."""

from __future__ import annotations

import datetime
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

from aegis.adapters.git.policy import PolicyRepository
from aegis.adapters.git.repository import open_repository
from aegis.adapters.github.context import source_from_environment
from aegis.cli.interruption import Stopped
from aegis.cli.surroundings import Event, read_event
from aegis.core import base as bases
from aegis.core import outcome
from aegis.core.errors import AegisError, UsageError, crashed
from aegis.core.outcome import Outcome
from aegis.core.policy import GateName
from aegis.core.policy_in_force import DEFAULT_FILE, InForce, policy_in_force
from aegis.core.ports.repository import Repository
from aegis.core.tool import running_tool
from aegis.core.verdict import Source, Subject, Verdict

Answer = TypeVar("Answer")


class Asked(Protocol):
    """What every gate is asked for."""

    @property
    def path(self) -> str:
        """A folder of the repository."""
        ...

    @property
    def base(self) -> str | None:
        """The revision to compare with, where one was named."""
        ...

    @property
    def policy(self) -> str | None:
        """The policy file, where one was named."""
        ...

    @property
    def github(self) -> bool:
        """Whether a workflow asks."""
        ...

    @property
    def named_only(self) -> bool:
        """Run only if the policy names the gate."""
        ...


@dataclass(frozen=True, slots=True)
class Found:
    """What stands in the repository."""

    repository: Repository
    prefix: str
    """The folder that was asked about, relative to the root; empty for the root."""
    base: bases.Base
    in_force: InForce
    event: Event


@dataclass(slots=True)
class GateRun:
    """What is known so far; an error at any point still gives a verdict with it."""

    gate: GateName
    asked: Asked
    environ: Mapping[str, str]
    started: datetime.datetime
    source: Source
    words: Sequence[str] = ()
    """The options of this gate that its reproduction needs."""
    below: str = ""
    """The gate's command that was asked for, where it has several, e.g. `judge`."""
    subject: tuple[Subject, ...] = ()
    base: str | None = None

    @classmethod
    def begin(
        cls, gate: GateName, asked: Asked, environ: Mapping[str, str], words: Sequence[str] = (), below: str = ""
    ) -> GateRun:
        """Start the clock. `environ` is empty for a run that no workflow asked for."""
        return cls(gate, asked, environ, _now(), source_from_environment(environ, None), words, below)

    def look(self) -> Found:
        """Find repository, base and policy. Raises AegisError where there is no answer."""
        event = read_event(self.environ) if self.asked.github else Event(None, {})
        self.source = source_from_environment(self.environ, event.payload)
        repository, prefix = open_repository(Path(self.asked.path))
        self._tell_subject(repository)
        base = bases.resolve_base(repository, bases.request(event.name, event.payload, self.environ), self.asked.base)
        self.base = base.commit
        self.source = replace(self.source, base=base.commit)
        fetch = PolicyRepository(self.environ).fetch
        in_force = policy_in_force(repository, base.policy, fetch, self.asked.policy)
        return Found(repository, prefix, base, in_force, event)

    def named(self, in_force: InForce, section: object) -> None:
        """Refuse to be asked for by a policy that does not name the gate."""
        if section is None and self.asked.named_only:
            raise UsageError(
                "core.gate_not_named",
                f"the policy ({in_force.origin}) does not name this gate",
                expected=f"a section such as `{self.gate}:` in {self.policy_file}",
                remedy="add the section, or use the gate's own action",
            )

    @property
    def policy_file(self) -> str:
        """The policy's path in the repository."""
        return self.asked.policy or DEFAULT_FILE

    def conclude(self, found: Outcome, in_force: InForce, section: Any) -> Verdict:
        """The verdict on what the gate found. `section` is its part of the policy as applied."""
        return outcome.conclude(self._run(), found, in_force, section, _now())

    def refuse(self, error: AegisError) -> Verdict:
        """The verdict where there is no answer."""
        return outcome.refuse(self._run(), error, _now())

    def guarded(self, judge: Callable[[], Answer]) -> Answer | Verdict:
        """What `judge` answers, or the verdict on what stood in its way: whatever it is, the answer is no."""
        try:
            return judge()
        except AegisError as error:
            return self.refuse(error)
        except Stopped as stopped:
            return self.refuse(stopped.reason)
        except Exception as error:
            return self.refuse(crashed(error))

    def _tell_subject(self, repository: Repository) -> None:
        head = repository.head()
        if head is not None:
            name = self.source.repository or repository.root.name
            self.subject = (Subject(name=name, digest={"gitCommit": head}),)

    def _run(self) -> outcome.Run:
        return outcome.Run(
            gate=self.gate,
            subject=self.subject,
            source=self.source,
            tool=running_tool(),
            started=self.started,
            reproduce=self.reproduction(),
        )

    def reproduction(self) -> str:
        """The command that gives the same answer on a laptop."""
        workspace = self.environ.get("GITHUB_WORKSPACE") or "."
        path = os.path.relpath(self.asked.path, workspace) if self.asked.github else self.asked.path
        command = "all" if self.asked.named_only else self.gate
        # where there are commands below a gate's, its folder is an option
        optional = command == "verify" or bool(self.below)
        place = [f"--path={path}"] if optional else [f"./{path}" if path.startswith("-") else path]
        words = ["aegis", command, *([self.below] if self.below else []), *place, *self.words]
        base = self.base or self.asked.base  # the commit that it led to, or the name that led nowhere
        words += [f"--base={base}"] if base else []
        words += [f"--policy={self.asked.policy}"] if self.asked.policy else []
        checkout = f"git checkout {self.source.commit} && " if self.source.commit else ""
        return checkout + shlex.join(words)


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
