"""The metrics of a check in the hands of what takes them: a real Pushgateway, and a real node_exporter."""

from __future__ import annotations

import os
import time
import urllib.request
from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from aegis.cli.main import main
from tests.doubles.shelf import ShelfStore
from tests.e2e.verify.versitygw import free_port, running
from tests.support.backup.shelves import back_up, hours, restore
from tests.support.programs.debian import program

DATABASES = ("shop", "billing")
EACH = {
    "last_proven_timestamp_seconds",
    "last_snapshot_timestamp_seconds",
    "size_bytes",
    "restore_seconds",
    "max_age_seconds",
    "max_proof_age_seconds",
    "check_outcome",
    "checked_timestamp_seconds",
}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A policy and a folder with a proven backup of each of two databases."""
    store, now = ShelfStore(), datetime.now(UTC)
    for name in DATABASES:
        restore(store, back_up(store, now - hours(3), name=name), now - hours(2), name=name)
    for key in store.names():
        file = tmp_path / "store" / key.removeprefix("prod/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(store.versions[key][-1][1])
    names = ", ".join(f"{{name: {name}}}" for name in DATABASES)
    (tmp_path / "aegis.yml").write_text(f"version: 1\nbackup-check:\n  store: ./store/\n  databases: [{names}]\n")
    monkeypatch.chdir(tmp_path)
    for name in ("GITHUB_ACTIONS", "AEGIS_POLICY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def scraped(address: str) -> dict[tuple[str, str], float]:
    """Our metrics by name and database, as Prometheus would read them."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"{address}/metrics", timeout=120) as answer:
        text = answer.read().decode()
    return {
        (sample.name.removeprefix("aegis_backup_"), sample.labels["database"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("aegis_backup_")
    }


def test_a_pushgateway_keeps_each_database_and_replaces_it_alone(site: Path, tmp_path: Path) -> None:
    port = free_port()
    arguments = [
        str(program("prometheus-pushgateway", "prometheus-pushgateway")),
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running("pushgateway", tmp_path, arguments, port, {"PATH": os.environ["PATH"]}) as address:
        assert main(["backup", "check", f"--pushgateway={address}"]) == 0
        first = scraped(address)
        assert set(first) == {(name, database) for name in EACH for database in DATABASES}
        for file in (site / "store/shop").rglob("dump/0"):
            file.unlink()
        assert main(["backup", "check", "--database=shop", f"--pushgateway={address}"]) == 1
        second = scraped(address)
    assert set(second) == set(first)
    assert second["check_outcome", "shop"] == 1
    assert {key: value for key, value in second.items() if key[1] == "billing"} == {
        key: value for key, value in first.items() if key[1] == "billing"
    }


def test_a_node_exporter_reads_the_file(site: Path, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "textfiles").mkdir()
    assert main(["backup", "check", f"--metrics={tmp_path / 'textfiles' / 'aegis.prom'}"]) == 0
    arguments = [
        str(program("prometheus-node-exporter", "prometheus-node-exporter")),
        "--collector.disable-defaults",
        "--collector.textfile",
        f"--collector.textfile.directory={tmp_path / 'textfiles'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with running("exporter", tmp_path, arguments, port, {"PATH": os.environ["PATH"]}) as address:
        found = scraped(address)
    assert set(found) == {(name, database) for name in EACH for database in DATABASES}
    assert found["check_outcome", "shop"] == 0
    assert found["last_proven_timestamp_seconds", "shop"] <= time.time() - 2 * 3600
