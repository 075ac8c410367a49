"""What the local probes stand on: their commands hide secrets, and the catalogue plants the faults that they know."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from acceptance.local.a7_api import Store
from acceptance.local.commands import ROOT, Commands, reason_in
from aegis.acceptance.catalogue import LoadedCatalogue, parse_catalogue

SECRET = "hunter2-and-more"


@pytest.fixture(scope="module")
def catalogue() -> LoadedCatalogue:
    name = "acceptance/catalogue.yml"
    return parse_catalogue((ROOT / name).read_bytes(), file=name)


def test_a_secret_of_the_probe_stands_in_no_evidence(tmp_path: Path) -> None:
    commands = Commands(tmp_path, [SECRET])
    said = "import sys; print(sys.argv[1]); print(sys.argv[1], file=sys.stderr)"
    done = commands.run("told", [sys.executable, "-c", said, SECRET])
    assert SECRET in done.stdout
    text = (tmp_path / "01-told.txt").read_text()
    assert text.count("***") == 3
    assert SECRET not in text


def test_a_command_sees_nothing_else_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    done = Commands(tmp_path).run("told", [sys.executable, "-c", "import os; print(sorted(os.environ))"])
    assert "PATH" in done.stdout
    assert "AWS_SECRET_ACCESS_KEY" not in done.stdout


@pytest.mark.parametrize(
    ("told", "reason"),
    [
        ("aegis: backup_check.object_damaged: the object is …", "backup_check.object_damaged"),
        ("aegis: verify.unsigned: then backup_check.object_damaged", "backup_check.object_damaged"),
        ("Killed", "probe.command_failed"),
    ],
    ids=["code", "rooms", "none"],
)
def test_the_reason_is_the_commands_own(told: str, reason: str) -> None:
    assert reason_in(told, "backup_check") == reason


def test_a_field_of_a_secret_becomes_a_key() -> None:
    data = [
        {"secretKey": "audit.key", "remoteRef": {"key": "aegis/audit", "property": "pem"}},
        {"secretKey": "whole", "remoteRef": {"key": "aegis/audit"}},
    ]
    document = {"spec": {"target": {"name": "aegis-audit"}, "data": data}}
    store = Store({"aegis/audit": '{"pem": "a key"}'})
    assert store.synced([document]) == {"aegis-audit": {"audit.key": "a key", "whole": '{"pem": "a key"}'}}


def test_the_catalogue_plants_every_fault_of_every_probe(catalogue: LoadedCatalogue) -> None:
    for criterion in catalogue.criteria:
        probe = criterion.probe("local")
        assert probe is not None
        (script,) = [word for word in probe.run if word.endswith(".py")]
        module = importlib.import_module(script.removesuffix(".py").replace("/", "."))
        assert {fault.name for fault in probe.faults} == set(module.FAULTS), criterion.id
