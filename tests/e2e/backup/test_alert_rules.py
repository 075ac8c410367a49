"""The alert rules under Prometheus' own tool: each fires on its fault, and none on a healthy twin."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from aegis.backup.freshness import look
from aegis.backup.metrics import Checked, exposition
from tests.doubles.shelf import ShelfStore
from tests.support.backup.shelves import NOW, PREFIX, RECORDS, SHOP, back_up, hours, restore
from tests.support.programs.debian import program

RULES = Path(__file__).resolve().parents[3] / "k8s/prometheus/rule-groups.yaml"
MINUTES, HOURS, DAYS = 60, 3600, 86400
STEP = 5 * MINUTES
"""Seconds between two samples: Prometheus takes an older one for lost."""
SAMPLES = 3 * DAYS // STEP
NOW_AND_ON = f"0+{STEP}x{SAMPLES}"
"""A time that is always now. The clock of these tests begins at 0."""
HEALTHY = {
    "last_proven_timestamp_seconds": NOW_AND_ON,
    "last_snapshot_timestamp_seconds": NOW_AND_ON,
    "max_age_seconds": f"{26 * HOURS}x{SAMPLES}",
    "max_proof_age_seconds": f"{2 * DAYS}x{SAMPLES}",
    "check_outcome": f"0x{SAMPLES}",
    "checked_timestamp_seconds": NOW_AND_ON,
}
NEVER_AGAIN = f"0x{SAMPLES}"
"""A time that stays at the beginning."""


def promtool(*arguments: str | Path, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [str(program("prometheus", "promtool")), *map(str, arguments)]
    return subprocess.run(command, input=given, capture_output=True, text=True, timeout=300, check=False)


def series(values: dict[str, str], database: str = "shop") -> list[dict[str, str]]:
    return [
        {"series": f'aegis_backup_{name}{{database="{database}"}}', "values": text} for name, text in values.items()
    ]


def firing(*alerts: tuple[str, str]) -> list[dict[str, Any]]:
    """These alerts, each with its database; empty for none."""
    samples = []
    for name, database in alerts:
        labels = {"alertname": name, "alertstate": "firing", "severity": "critical"} | (
            {"database": database} if database else {}
        )
        text = ", ".join(f'{label}="{value}"' for label, value in labels.items())
        samples.append({"labels": f"ALERTS{{{text}}}", "value": 1})
    return samples


def judged(folder: Path, told: list[dict[str, str]], expected: dict[int, list[dict[str, Any]]]) -> None:
    """Hold the rules against series: exactly these alerts fire at these seconds."""
    test = {
        "interval": f"{STEP}s",
        "input_series": told,
        "promql_expr_test": [
            {"expr": 'ALERTS{alertstate="firing"}', "eval_time": f"{at}s", "exp_samples": samples}
            for at, samples in expected.items()
        ],
    }
    file = folder / "test.json"
    file.write_text(json.dumps({"rule_files": [str(RULES)], "evaluation_interval": f"{STEP}s", "tests": [test]}))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_valid_and_say_what_to_do() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr
    (group,) = [each for each in yaml.safe_load(RULES.read_text())["groups"] if each["name"] == "aegis-backups"]
    for rule in group["rules"]:
        assert rule["labels"] == {"severity": "critical"}
        assert set(rule["annotations"]) == {"runbook_url", "summary", "description"}
        assert "aegis backup" in rule["annotations"]["description"]


def test_each_metric_of_the_rules_is_told_and_promtool_has_nothing_to_say() -> None:
    store = ShelfStore()
    restore(store, back_up(store, NOW - hours(3)), NOW - hours(1))
    shelf = look(store, store, SHOP, prefix=PREFIX, records_prefix=RECORDS, recipients=(), now=NOW)
    text = exposition([Checked(SHOP, shelf)], NOW)
    done = promtool("check", "metrics", given=text)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert all(f"aegis_backup_{name}{{" in text for name in HEALTHY)


def test_nothing_fires_where_all_is_well(tmp_path: Path) -> None:
    judged(tmp_path, series(HEALTHY), {at: [] for at in (0, HOURS, DAYS, 3 * DAYS)})


@pytest.mark.parametrize(
    ("alert", "changes", "quiet", "loud"),
    [
        ("AegisBackupNotProven", {"last_proven_timestamp_seconds": NEVER_AGAIN}, 2 * DAYS, 2 * DAYS + 10 * MINUTES),
        ("AegisBackupOld", {"last_snapshot_timestamp_seconds": NEVER_AGAIN}, 26 * HOURS, 26 * HOURS + 10 * MINUTES),
        ("AegisBackupCheckFails", {"check_outcome": f"1x{SAMPLES}"}, 55 * MINUTES, HOURS),
        ("AegisBackupCheckFails", {"check_outcome": f"3x{SAMPLES}"}, 55 * MINUTES, HOURS),
        ("AegisBackupCheckOld", {"checked_timestamp_seconds": NEVER_AGAIN}, DAYS, DAYS + 10 * MINUTES),
    ],
    ids=["not proven", "old", "fails", "could not verify", "not checked"],
)
def test_each_fires_in_time_and_alone(
    alert: str, changes: dict[str, str], quiet: int, loud: int, tmp_path: Path
) -> None:
    judged(tmp_path, series(HEALTHY | changes), {quiet: [], loud: firing((alert, "shop"))})


def test_a_check_that_fails_for_a_moment_wakes_nobody(tmp_path: Path) -> None:
    judged(tmp_path, series(HEALTHY | {"check_outcome": f"1x6 0x{SAMPLES}"}), {HOURS: [], 2 * HOURS: []})


def test_the_limits_are_the_policys_own(tmp_path: Path) -> None:
    changes = {"last_snapshot_timestamp_seconds": NEVER_AGAIN, "max_age_seconds": f"{HOURS}x{SAMPLES}"}
    other = {"last_snapshot_timestamp_seconds": NEVER_AGAIN}
    told = series(HEALTHY | changes) + series(HEALTHY | other, "billing")
    judged(tmp_path, told, {2 * HOURS: firing(("AegisBackupOld", "shop"))})


def test_metrics_that_never_were_are_an_alarm(tmp_path: Path) -> None:
    judged(
        tmp_path,
        [{"series": "up", "values": f"1x{SAMPLES}"}],
        {10 * MINUTES: [], 20 * MINUTES: firing(("AegisBackupAbsent", ""))},
    )


def test_those_of_one_database_that_are_gone_are_an_alarm_beside_another_that_is_well(tmp_path: Path) -> None:
    gone = {name: f"{text.partition('x')[0]}x{DAYS // STEP}" for name, text in HEALTHY.items()}
    told = series(gone) + series(HEALTHY, "billing")
    judged(tmp_path, told, {DAYS: [], DAYS + 30 * MINUTES: firing(("AegisBackupVanished", "shop"))})


def test_those_of_the_only_one_too(tmp_path: Path) -> None:
    gone = {name: f"{text.partition('x')[0]}x{DAYS // STEP}" for name, text in HEALTHY.items()}
    both = firing(("AegisBackupAbsent", ""), ("AegisBackupVanished", "shop"))
    judged(tmp_path, series(gone), {DAYS + 30 * MINUTES: both})
