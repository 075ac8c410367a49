"""A1: the runbook's scanner finds no provider SDK in this tree; and finds the one that is put into a copy of it."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands  # noqa: E402 - probes run without being installed
from acceptance.local.trees import copied  # noqa: E402
from acceptance.probe import probing  # noqa: E402
from tests.support.actions.act import commit  # noqa: E402

LINE = ("scripts/scan_cloud_sdk_usage.py", "--strict")
"""Of the runbook, word for word."""
ADAPTER = Path("examples/consumer/src/shop_ml/adapters/s3.py")
"""Calls an SDK, which only the example's own policy allows there."""
PLANTED = Path("src/aegis_multimodal_ai_system/orchestrator/planted.py")
FAULTS = {"sdk-in-src": "a module that imports a provider SDK lies in a copy's runtime package"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory() as temporary:
        tree = ROOT if probe.fault is None else copied(Path(temporary) / "tree")
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


if __name__ == "__main__":
    main()
