"""A deployment for the API's own tests: real metrics, a real SQLite database, a real log on disk, a loader that obeys.

Each refuses what the real one refuses, and can be told to fail.
"""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from aegis.audit.disk import DiskLog
from aegis.audit.event import Event
from aegis.audit.keys import load_or_create_key
from aegis.audit.log import Receipt
from aegis.core.actor import Actor
from aegis.core.errors import AegisError, CouldNotDecide, Refused
from aegis_multimodal_ai_system.database import Database, ModelStates, open_database
from aegis_multimodal_ai_system.metrics import Metrics
from aegis_multimodal_ai_system.refusal import ModelRefused
from aegis_multimodal_ai_system.verified_model import VerifiedFile, VerifiedModel

NAMES = ("shop", "fraud")


def down(code: str) -> CouldNotDecide:
    return CouldNotDecide(code, "it does not answer", expected="an answer", remedy="wait")


@dataclass
class Log:
    """A real log on disk, made with its first use, which can be told to fail."""

    folder: Path
    events: list[Event] = field(default_factory=list)
    """What was recorded."""
    broken_after: int | None = None
    """How many entries it takes until it fails."""

    @cached_property
    def real(self) -> DiskLog:
        return DiskLog(self.folder / "audit", self.origin, load_or_create_key(self.folder / "audit.key"))

    @property
    def origin(self) -> str:
        return "example.com/audit"

    def append(self, event: Event) -> Receipt:
        self.check()
        receipt = self.real.append(event)
        self.events.append(event)
        return receipt

    def check(self) -> None:
        if self.broken_after is not None and len(self.events) >= self.broken_after:
            raise down("audit.unavailable")

    def checkpoint(self) -> bytes:
        self.check()
        return self.real.checkpoint()

    def read(self, path: str) -> bytes | None:
        return self.real.read(path)


@dataclass
class BrokenDatabase:
    """Whose every call fails."""

    calls: int = 0

    @property
    def states(self) -> Any:
        return self

    def __getattr__(self, name: str) -> Callable[..., object]:
        if name.startswith("__"):
            raise AttributeError(name)
        return self._fail

    def _fail(self, *given: object) -> object:
        self.calls += 1
        raise down("runtime.states_unavailable")


@dataclass
class Loader:
    """Stands in for `fetch_and_prepare_model_for_load`."""

    refusals: Mapping[str, AegisError] = field(default_factory=dict)
    """By model."""
    hold: threading.Event | None = None
    """Loads wait for this."""
    started: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    calls: list[tuple[str, Actor | None, str | None]] = field(default_factory=list)
    given: list[VerifiedModel] = field(default_factory=list)

    def __call__(
        self,
        model_name: str,
        *,
        actor: Actor | None = None,
        correlation_id: str | None = None,
        runtime: Any = None,
    ) -> VerifiedModel:
        self.calls.append((model_name, actor, correlation_id))
        self.started.release()
        if self.hold is not None:
            assert self.hold.wait(60)
        if model_name in self.refusals:
            raise ModelRefused(model_name, self.refusals[model_name])
        descriptor = os.open("/dev/null", os.O_RDONLY)
        file = VerifiedFile("weights.safetensors", 12, descriptor)
        model = VerifiedModel(
            name=model_name,
            digest="ab" * 32,
            version="1.2.0",
            signer="key",
            files={file.name: file},
            result=None,  # type: ignore[arg-type]
        )
        self.given.append(model)
        return model


@dataclass
class Deployment:
    """As much of a `Runtime` as the API uses."""

    database: Database
    metrics: Metrics
    log: Log
    policy_error: AegisError | None = None
    missing_database: Path | None = None
    """None: it stands."""

    @property
    def states(self) -> ModelStates:
        return self.database.states

    def check_policy(self) -> None:
        if self.policy_error is not None:
            raise self.policy_error

    @property
    def models(self) -> tuple[str, ...]:
        self.check_policy()
        return NAMES

    @property
    def recorded(self) -> list[tuple[str, str, str]]:
        """Action, outcome and actor of each event."""
        return [(event.action, event.outcome, event.actor.id) for event in self.log.events]


def deployment(folder: Path) -> Deployment:
    """A new one, with its database in a folder."""
    (folder / "aegis.db").write_bytes(_migrated())
    database = open_database(f"sqlite:///{folder}/aegis.db")
    return Deployment(database, Metrics(NAMES), Log(folder))


@cache
def _migrated() -> bytes:
    """A new database: the migrations take longer than a test."""
    with tempfile.TemporaryDirectory() as folder:
        database = open_database(f"sqlite:///{folder}/aegis.db")
        database.migrate()
        database.close()
        return Path(folder, "aegis.db").read_bytes()


def refusal(code: str = "verify.signature_invalid") -> Refused:
    return Refused(code, "the signature does not hold", expected="a signature", remedy="sign it")
