"""A1: the runbook's scanner finds no provider SDK in this tree; and finds the one that is put into a copy of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands  # noqa: E402 - probes run without being installed
from acceptance.probe import probing  # noqa: E402
from tests.support.act import commit  # noqa: E402

LINE = ("scripts/scan_cloud_sdk_usage.py", "--strict")
"""Of the runbook, word for word."""
ADAPTER = Path("examples/consumer/src/shop_ml/adapters/s3.py")
"""Calls an SDK, which only the example's own policy allows there."""
PLANTED = Path("src/aegis_multimodal_ai_system/orchestrator/planted.py")
FAULTS = {"sdk-in-src": "a module that imports a provider SDK lies in a copy's runtime package"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory() as temporary:
        tree = ROOT if probe.fault is None else _copy(Path(temporary) / "tree")
        if probe.fault is not None:
            shutil.copy(ROOT / ADAPTER, tree / PLANTED)
            commit(tree, {}, "A module that calls an SDK")
        output = probe.evidence / "verdict"
        done = Commands(probe.evidence).run("scan", [*LINE, "--output", output], cwd=tree)
        verdict = json.loads((output / "verdict.json").read_bytes())
        rules = sorted({finding["rule"] for finding in verdict["findings"]})
        probe.facts |= {
            "line": " ".join(LINE),
            "decision": verdict["decision"],
            "findings": len(verdict["findings"]),
            "rules": rules,
            "files_read": next(each["value"]["read"] for each in verdict["evidence"] if each["name"] == "coverage"),
            "versions": {"aegis": verdict["tool"]["version"]},
        }
        probe.check(
            "no-findings",
            verdict["findings"] == [],
            f"{len(verdict['findings'])} finding(s) in {probe.facts['files_read']} files",
            reason=rules[0] if rules else "",
        )
        probe.check(
            "exit-code",
            (done.returncode, verdict["decision"]) == (0, "pass"),
            f"exit code {done.returncode}, decision {verdict['decision']}",
            reason="probe.scan_not_green",
        )


def _copy(to: Path) -> Path:
    """What git has of this tree, in a repository of its own."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, to / name)
    commit(to, {}, "The tree as it is")
    return to


if __name__ == "__main__":
    main()
