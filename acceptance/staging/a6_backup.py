"""A6 in staging: the runbook's scripts take a backup into the store, and bring it back into the staging database.

This one writes: a backup, and the staging database, which is overwritten. The fault: an address under which no backup
lies, so that nothing is restored from it.
"""

from __future__ import annotations

import datetime
import json
import os
import re
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import Tools, section, staging_of  # noqa: E402
from aegis.acceptance.staging import Backup  # noqa: E402

BACKUP, RESTORE = ROOT / "scripts/backup/backup_db.py", ROOT / "scripts/backup/restore_db.py"
FAULTS = {"no-such-backup": "an address in the store under which nobody has put a backup"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe:
        tools, backup = Tools(probe), section(staging_of(probe).backup, "backup")
        address = _taken(probe, tools, backup)
        if address and _present(probe, tools, backup):
            _restored(probe, tools, backup, address)


def _taken(probe: Probe, tools: Tools, backup: Backup) -> str:
    """The address of a new backup; with the fault, one that is none."""
    if probe.fault == "no-such-backup":
        return f"{backup.store.rstrip('/')}/no-such-backup/"
    environ = {"AEGIS_DATABASE_URL": os.environ[backup.database_variable]}
    done = tools.run("backup", [sys.executable, BACKUP, "--format=json"], cwd=Path(backup.policy), environ=environ)
    probe.check(
        "backup-taken", done.returncode == 0, f"backup_db.py ended with exit code {done.returncode}",
        reason=_reason(done.stderr),
    )  # fmt: skip
    if done.returncode != 0:
        return ""
    told = json.loads(done.stdout)
    probe.facts["backup"] = {name: told[name] for name in ("backup", "address", "objects", "size", "rows")}
    address: str = told["address"]
    in_store = address.startswith(backup.store)
    probe.check("address-in-the-store", in_store, address, reason="probe.artifact_missing")
    return address if in_store else ""


def _present(probe: Probe, tools: Tools, backup: Backup) -> bool:
    """Freshness and presence, by the gate; of an address that is none, the restore tells."""
    if probe.fault is not None:
        return True
    output = probe.evidence / "verdict"
    done = tools.aegis("check", "backup-check", ".", "--output", output, cwd=Path(backup.policy))
    verdict = json.loads((output / "verdict.json").read_bytes())
    rules = sorted({finding["rule"] for finding in verdict["findings"]})
    return probe.check(
        "artifacts-in-the-store",
        done.returncode == 0 and verdict["result"] == "pass",
        f"{verdict['decision']} ({verdict['reason']}) {', '.join(rules)}".strip(),
        reason=rules[0] if rules else verdict["reason"],
    )


def _restored(probe: Probe, tools: Tools, backup: Backup, address: str) -> None:
    environ = {"AEGIS_DATABASE_URL": os.environ[backup.staging_variable]}
    began = time.monotonic()
    words: list[str | Path] = [sys.executable, RESTORE, address, "--force", "--format=json"]
    done = tools.run("restore", words, cwd=Path(backup.policy), environ=environ)
    if done.returncode == 0:
        finished = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        size = probe.facts["backup"]["size"]
        seconds = round(time.monotonic() - began, 2)
        probe.facts["restores"] = [{"finished": finished, "seconds": seconds, "bytes": size}]
    # the restore asks the policy's smoke questions and compares with the manifest before it ends well
    probe.check(
        "restored-into-staging", done.returncode == 0, f"restore_db.py ended with exit code {done.returncode}",
        reason=_reason(done.stderr),
    )  # fmt: skip


def _reason(told: str) -> str:
    found = re.search(r"^aegis: ([a-z_]+\.[a-z_]+):", told, re.MULTILINE)
    return found[1] if found else "probe.command_failed"


if __name__ == "__main__":
    main()
