"""The tables' owner migrates by a command of its own, as the chart's Job does."""

from __future__ import annotations

import os
import subprocess
import sys

from aegis_multimodal_ai_system.database import open_database


def migrate(**environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-I", "-m", "aegis_multimodal_ai_system.database"],
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def test_the_tables_are_made_and_a_second_time_changes_nothing(database_url: str) -> None:
    for _ in range(2):
        done = migrate(DATABASE_URL=database_url)
        assert (done.returncode, done.stderr) == (0, "")
        assert "has the tables of this version" in done.stdout
    database = open_database(database_url)
    assert list(database.states.all()) == []
    database.close()


def test_without_an_address_it_says_so() -> None:
    done = migrate()
    assert done.returncode == 2
    assert done.stderr.startswith("runtime.setting_invalid: DATABASE_URL is not set")


def test_a_server_that_is_not_there_is_no_success_and_no_secret_is_told() -> None:
    done = migrate(DATABASE_URL="postgresql://owner:hunter2-s3cret@127.0.0.1:1/aegis")
    assert done.returncode == 3
    assert done.stderr.startswith("runtime.states_unavailable: ")
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr
