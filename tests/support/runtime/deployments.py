"""A deployment of the loader in a folder: policy and keys, a bucket, a database, and a log and alerts that listen."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

import yaml

from aegis.audit.event import Event
from aegis.audit.log import AuditLog, Receipt
from aegis.core.errors import CouldNotDecide
from aegis.storage.content_store import ContentStore
from aegis.storage.patience import Patience
from aegis_multimodal_ai_system.database import open_database
from aegis_multimodal_ai_system.fetched import Fetcher
from aegis_multimodal_ai_system.orchestrator_verify_loader import (
    ModelRefused,
    VerifiedModel,
    fetch_and_prepare_model_for_load,
)
from aegis_multimodal_ai_system.runtime import Runtime
from aegis_multimodal_ai_system.settings import Settings
from tests.doubles.objects import Bucket
from tests.support.signing.signing import NOW
from tests.support.signing.verifying import FILES, opener, signed_model


def safetensors(values: bytes) -> bytes:
    """One tensor of bytes, spelled as the library does (github.com/huggingface/safetensors#format)."""
    tensor = {"dtype": "U8", "shape": [len(values)], "data_offsets": [0, len(values)]}
    header = json.dumps({"w": tensor}, separators=(",", ":")).encode()
    header += b" " * (-len(header) % 8)
    return len(header).to_bytes(8, "little") + header + values


MODEL: Mapping[str, bytes] = {
    "config.json": b'{"layers": 3}\n',
    "weights/a.safetensors": safetensors(bytes(range(256)) * 100),
    "weights/b.safetensors": safetensors(b"b" * 40),
}


@dataclass
class Listening:
    """A log that keeps what it is told, or does not."""

    events: list[Event] = field(default_factory=list)
    broken: frozenset[str] = frozenset()
    """Actions that it cannot write."""
    error: Exception = field(
        default_factory=lambda: CouldNotDecide("audit.unavailable", "disk full", expected="room", remedy="make some")
    )
    on_append: Callable[[Event], None] = lambda event: None

    def append(self, event: Event) -> Receipt:
        if event.action in self.broken:
            raise self.error
        self.on_append(event)
        self.events.append(event)
        return Receipt(len(self.events) - 1, b"\0" * 32, str(len(self.events)))

    @property
    def told(self) -> list[tuple[str, str | None]]:
        return [(event.action.removeprefix("model.load."), event.reason) for event in self.events]


@dataclass
class Alerting:
    """Alerts that are kept, or fail."""

    sent: list[Any] = field(default_factory=list)
    error: Exception | None = None

    def send(self, alert: Any) -> tuple[()]:
        self.sent.append(alert)
        if self.error is not None:
            raise self.error
        return ()

    @property
    def reasons(self) -> list[str]:
        return [alert.reason for alert in self.sent]


@lru_cache
def _migrated() -> bytes:
    """A database with this version's tables."""
    with TemporaryDirectory() as folder:
        file = Path(folder) / "aegis.db"
        database = open_database(f"sqlite:///{file}")
        database.migrate()
        database.close()
        with closing(sqlite3.connect(file)) as connection:
            return connection.serialize()


@dataclass
class Deployment:
    """All parts of one, for a test to look at and to break."""

    folder: Path
    bucket: Bucket = field(default_factory=Bucket)
    log: Listening = field(default_factory=Listening)
    alerts: Alerting = field(default_factory=Alerting)
    handoff: str = "sealed"
    kept_bytes: int = 1 << 30
    memory: Callable[[], int] = lambda: 1 << 34
    rules: dict[str, Any] = field(default_factory=dict)
    """Further keys of `verify`."""
    model: dict[str, Any] = field(default_factory=dict)
    """Further keys of the artifact."""

    def __post_init__(self) -> None:
        self.config.mkdir(exist_ok=True)
        self.data.mkdir(mode=0o700, exist_ok=True)
        for name, content in FILES.items():
            (self.config / name).parent.mkdir(exist_ok=True)
            (self.config / name).write_bytes(content)
        self.write_policy()
        if not (self.data / "aegis.db").exists():
            (self.data / "aegis.db").write_bytes(_migrated())
        self.runtime = self.process()

    @property
    def config(self) -> Path:
        return self.folder / "config"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def models(self) -> Path:
        return self.data / "models"

    def write_policy(self, **rules: Any) -> None:
        artifact = {
            "name": "model",
            "kind": "model",
            "source": "s3://staging/m/",
            "signers": [{"key": "keys/0.pub"}],
            **self.model,
        }
        self.rules = {**self.rules, **rules}
        verify = {"aws": {"region": "eu-central-1"}, "artifacts": [artifact], **self.rules}
        (self.config / "aegis.yml").write_text(yaml.safe_dump({"version": 1, "verify": verify}))

    def process(self) -> Runtime:
        """Another process of the same deployment."""
        settings = Settings.from_environment(
            {
                "AEGIS_POLICY": str(self.config / "aegis.yml"),
                "AEGIS_DATA": str(self.data),
                "AEGIS_HANDOFF": self.handoff,
                "AEGIS_KEPT_BYTES": str(self.kept_bytes),
            }
        )
        fetcher = Fetcher(
            kept=ContentStore(self.models, durable=False),
            folder=self.models,
            kept_bytes=self.kept_bytes,
            sealed=self.handoff == "sealed",
            memory=lambda: self.memory(),
            patience=Patience(tries=1),
        )
        return Runtime(
            settings,
            log=cast("AuditLog", self.log),
            database=open_database(settings.database_url),
            alerts=cast("Any", self.alerts),
            fetcher=fetcher,
            open_store=lambda location: opener(self.bucket)(location),
            now=lambda: NOW,
        )

    def upload(self, files: Mapping[str, bytes] = MODEL, **changes: Any) -> Deployment:
        """A signed model."""
        self.bucket.put(signed_model("m/", files, **changes))
        return self

    def load(self, name: str = "model", **more: Any) -> VerifiedModel:
        return fetch_and_prepare_model_for_load(name, runtime=self.runtime, **more)

    def refused(self, name: str = "model", **more: Any) -> ModelRefused:
        """How a load ends that must not give a model."""
        try:
            model = self.load(name, **more)
        except ModelRefused as refused:
            return refused
        model.close()
        raise AssertionError("it was loaded")

    def kept(self) -> list[str]:
        """What stands in the folder of models, but for locks."""
        if not self.models.exists():
            return []
        return sorted(path.name for path in self.models.iterdir() if path.name != ".locks")

    def state(self, name: str = "model") -> str | None:
        state = self.runtime.states.get(name)
        return state.state if state else None

    def metric(self) -> str:
        return self.runtime.metrics.render().decode()


def contents(model: VerifiedModel) -> dict[str, bytes]:
    """Everything that can be read of a model."""
    found = {}
    for name, file in model.files.items():
        with file.open() as opened:
            found[name] = opened.read()
    return found


def digest_of(files: Mapping[str, bytes]) -> dict[str, str]:
    return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
