"""`record_audit_event`: durable in the log that the settings name, from threads and forked processes, or not done."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from aegis.adapters.postgres.audit_log import PostgresLog
from aegis.audit.disk import DiskLog
from aegis.audit.entry import decode
from aegis.audit.event import Resource
from aegis.audit.keys import load_or_create_key, verifier_of
from aegis.audit.prove import read_entry
from aegis.audit.verify import verify_log
from aegis.core.errors import CouldNotDecide, Refused
from aegis_multimodal_ai_system import runtime
from aegis_multimodal_ai_system.orchestrator.audit_helper import (
    default_log,
    log_folder,
    open_log,
    process_actor,
    record_audit_event,
)
from aegis_multimodal_ai_system.settings import Settings
from tests.integration.database.logs import ACTOR
from tests.support.databases.postgres import Server

MODEL = Resource(kind="model", name="classifier", sha256="aa" * 32, version="1.2")


@pytest.fixture(params=["disk", "postgresql"])
def settings(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Those of the process; the database has no tables yet."""
    monkeypatch.setenv("AEGIS_DATA", str(tmp_path / "data"))
    for name in ("AEGIS_AUDIT", "AEGIS_AUDIT_KEY", "AEGIS_AUDIT_ORIGIN", "AEGIS_SERVICE", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(runtime, "_default", None)
    if request.param == "disk":
        yield Settings.from_environment()
    else:
        server: Server = request.getfixturevalue("postgres")
        name = server.new_database()
        monkeypatch.setenv("DATABASE_URL", server.url(name))
        yield Settings.from_environment()
        close()
        server.drop_database(name)
        return
    close()


def close() -> None:
    if runtime._default is not None:
        runtime._default.close()


def record(name: str = "classifier") -> int:
    return record_audit_event(
        "model.load.verified", actor=ACTOR, resource=Resource(kind="model", name=name), outcome="success"
    ).index


def test_all_that_is_said_is_in_the_entry(settings: Settings) -> None:
    receipt = record_audit_event(
        "model.load.refused",
        actor=process_actor(settings),
        resource=MODEL,
        outcome="refused",
        reason="verify.signature_missing",
        details={"bytes": 12, "cached": False},
        correlation_id="request-1",
    )
    log = default_log()
    log.checkpoint()
    entry = decode(read_entry(log, index=receipt.index, size=1))
    assert (receipt.index, entry.id) == (0, receipt.id)
    assert (entry.event.action, entry.event.outcome, entry.event.reason) == (
        *("model.load.refused", "refused", "verify.signature_missing"),
    )
    assert (entry.event.resource, entry.event.correlation_id) == (MODEL, "request-1")
    assert dict(entry.event.details) == {"bytes": 12, "cached": False}
    assert (entry.event.actor.id, entry.event.actor.kind, entry.event.actor.issuer) == (
        *("process:aegis", "process", "local"),
    )
    assert entry.event.actor.attributes["pid"] == str(os.getpid())


def test_threads_open_one_log(settings: Settings) -> None:
    start = Barrier(8)

    def write(number: int) -> int:
        start.wait()
        return record(f"thread-{number}")

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(8))) == list(range(8))
    log = default_log()
    assert log is default_log()
    assert log is runtime.default_runtime().log, "the loader's too"
    log.checkpoint()
    verifier = verifier_of(load_or_create_key(settings.audit_key), settings.audit_origin)
    assert verify_log(log, verifier).size == 8


def test_a_forked_process_writes_to_the_same_log(settings: Settings) -> None:
    assert record() == 0
    child = os.fork()
    if child == 0:
        code = 1
        try:
            record("child")
            code = 0
        finally:
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert record() == 2


def test_a_log_that_is_given_is_taken(settings: Settings, tmp_path: Path) -> None:
    key = load_or_create_key(tmp_path / "other.key")
    with DiskLog(tmp_path / "other", "other.example/log", key) as other:
        receipt = record_audit_event("model.revoked", actor=ACTOR, resource=MODEL, outcome="success", log=other)
        assert receipt.index == 0
    assert runtime._default is None


def test_a_key_that_was_named_is_not_made(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A secret that is not mounted would begin a log that nobody has the verifier key of."""
    key = tmp_path / "mounted" / "audit.key"
    monkeypatch.setenv("AEGIS_AUDIT_KEY", str(key))
    with pytest.raises(CouldNotDecide, match=r"audit\.key: No such file") as missing:
        record()
    assert missing.value.code == "audit.unavailable"
    assert not key.parent.exists()
    load_or_create_key(key)
    assert record() == 0


def test_what_cannot_be_recorded_is_told(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(Refused) as refused:
        record("x" * 5000)
    assert refused.value.code == "audit.event_invalid"
    monkeypatch.setattr(runtime, "_default", None)
    monkeypatch.setenv("AEGIS_AUDIT_KEY", str(tmp_path))
    with pytest.raises(CouldNotDecide) as no_key:
        record()
    assert no_key.value.code == "audit.unavailable"
    monkeypatch.delenv("AEGIS_AUDIT_KEY")
    if settings.audit == "disk":
        (tmp_path / "file").touch()
        monkeypatch.setenv("AEGIS_DATA", str(tmp_path / "file"))
    else:
        monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2secret@127.0.0.1:1/none")
    with pytest.raises(CouldNotDecide) as down:
        record()
    assert down.value.code == "audit.unavailable"
    assert "hunter2secret" not in str(down.value) + repr(down.value.__cause__)


def test_the_folder_is_in_the_data(settings: Settings) -> None:
    log = open_log(settings)
    verifier = verifier_of(load_or_create_key(settings.audit_key), settings.audit_origin)
    assert verify_log(log, verifier).result == "intact"
    assert log.origin == "aegis.local/audit"
    assert log_folder(settings) == settings.data / "audit"
    assert log_folder(settings).is_dir() == (settings.audit == "disk")
    assert isinstance(log, PostgresLog | DiskLog)
    log.close()
