"""A4: the orchestrator gets a model that is signed and none that was changed, and all of it stands in the audit log."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Final

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.local.commands import Commands, reason_in  # noqa: E402 - probes run without being installed
from acceptance.local.receiver import Receiver, receiving  # noqa: E402
from acceptance.probe import Probe, probing  # noqa: E402
from aegis.audit.event import Resource  # noqa: E402
from aegis_multimodal_ai_system.orchestrator.audit_helper import record_audit_event  # noqa: E402
from aegis_multimodal_ai_system.orchestrator_verify_loader import (  # noqa: E402
    ModelRefused,
    fetch_and_prepare_model_for_load,
)
from aegis_multimodal_ai_system.runtime import Runtime, default_runtime  # noqa: E402
from tests.support.runtime.service import config_folder  # noqa: E402

GOOD, FORGED = "shop", "forged"
NOTED: Final = "model.quarantined"
"""What the orchestrator records itself, beside what the loader records."""
FAULTS = {
    "loader-trusts": "an orchestrator that loads what lies in the store and asks nobody",
    "model-tampered": "the model that must load was changed after it was signed",
    "audit-rewritten": "somebody changed one entry in the audit log's files",
}
Load = Callable[[str], dict[str, bytes]]
"""The files of a model. Raises ModelRefused."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """Of one orchestrator."""

    config: Path
    data: Path
    alerts: Receiver

    def verified(self, name: str) -> dict[str, bytes]:
        """By the runbook's function."""
        with fetch_and_prepare_model_for_load(name) as model:
            found = {}
            for path, file in model.files.items():
                with file.open() as opened:
                    found[path] = opened.read()
            return found

    def trusted(self, name: str) -> dict[str, bytes]:
        """The planted fault: whatever lies there."""
        folder = self.config / "models" / name
        files = (file for file in folder.rglob("*") if file.is_file() and file.name != "model.sig")
        return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}


def main() -> None:
    """Run it."""
    with (
        probing(FAULTS) as probe,
        tempfile.TemporaryDirectory() as temporary,
        receiving() as alerts,
    ):
        config, data = Path(temporary) / "config", Path(temporary) / "data"
        for folder in (config, data):
            folder.mkdir(mode=0o700)
        config_folder(config)
        environ = {"AEGIS_POLICY": str(config / "aegis.yml"), "AEGIS_DATA": str(data)}
        os.environ |= {**environ, "AEGIS_ALERT_WEBHOOK": alerts.url}
        if probe.fault == "model-tampered":
            (config / "models" / GOOD / "config.json").write_text('{"name": "CHANGED"}')
        deployment = Deployment(config, data, alerts)
        commands = Commands(probe.evidence)
        load = deployment.trusted if probe.fault == "loader-trusts" else deployment.verified
        if _loads(probe, load) and _refuses(probe, load, deployment):
            _recorded(probe, commands, deployment, environ)


def _loads(probe: Probe, load: Load) -> bool:
    """What is signed, with the bytes that were signed."""
    code, size = "core.passed", 0
    try:
        size = sum(map(len, load(GOOD).values()))
    except ModelRefused as refused:
        code = refused.code
    probe.facts["loaded_bytes"] = size
    return probe.check("verified-model-loads", code == "core.passed", f"{GOOD}: {code}, {size} bytes", reason=code)


def _refuses(probe: Probe, load: Load, deployment: Deployment) -> bool:
    """What was changed; it is unverified from then on, counted and alerted."""
    code = ""
    try:
        load(FORGED)
    except ModelRefused as refused:
        code = refused.code
    probe.facts["refusal"] = code
    if not probe.check(
        "changed-model-refused",
        code == "verify.file_differs",
        f"{FORGED}, changed after signing: {code or 'it was loaded'}",
        reason="probe.unverified_model_loaded",
    ):
        return False
    runtime = default_runtime()
    state = runtime.states.get(FORGED)
    probe.check(
        "marked-unverified",
        state is not None and (state.state, state.reason) == ("unverified", code),
        f"state {state.state if state else 'none'}",
        reason="probe.not_marked_unverified",
    )
    return _alerted(probe, runtime, deployment, code)


def _alerted(probe: Probe, runtime: Runtime, deployment: Deployment, code: str) -> bool:
    metrics = runtime.metrics.render().decode()
    (probe.evidence / "metrics.txt").write_text(metrics)
    line = f'aegis_model_verification_failures_total{{model="{FORGED}",reason="{code}",version="none"}} 1.0'
    probe.check("counted-for-the-alert", line in metrics, line, reason="probe.refusal_not_counted")
    told = [(alert["model"], alert["reason"]) for alert in deployment.alerts.alerts]
    (probe.evidence / "alerts.json").write_text(json.dumps(deployment.alerts.alerts, indent=1))
    return probe.check(
        "alert-sent", told == [(FORGED, code)], f"the webhook was told of {told}", reason="probe.alert_not_sent"
    )


def _recorded(probe: Probe, commands: Commands, deployment: Deployment, environ: dict[str, str]) -> None:
    """The loader's entries and the orchestrator's own; the refusal's is proven to be in the log."""
    receipt = record_audit_event(
        NOTED,
        actor=default_runtime().actor,
        resource=Resource(kind="model", name=FORGED),
        outcome="success",
        reason="its weights are not what was signed",
    )
    if probe.fault == "audit-rewritten":
        _rewrite(deployment.data / "audit")
    verified = commands.aegis("audit-verify", "audit", "verify", environ=environ)
    if not _held(probe, "log-verifies", verified):
        return
    export = commands.aegis("audit-export", "audit", "export", environ=environ)
    entries = [json.loads(line) for line in export.stdout.splitlines()]
    found = {(entry["action"], entry["resource"]["name"], entry["reason"]): at for at, entry in enumerate(entries)}
    refused = found.get(("model.load.refused", FORGED, "verify.file_differs"))
    loaded = any(action == "model.load.verified" and name == GOOD for action, name, _ in found)
    probe.facts["audit_entries"] = len(entries)
    noted = any(action == NOTED and name == FORGED for action, name, _ in found)
    if not probe.check(
        "entries-exist",
        loaded and refused is not None and noted and receipt.index == len(entries) - 1,
        f"{len(entries)} entries: {sorted({entry['action'] for entry in entries})}",
        reason="probe.audit_entry_missing",
    ):
        return
    proof, entry = probe.evidence / "refusal.tlog-proof", probe.evidence / "refusal.json"
    made = commands.aegis(
        "audit-prove", "audit", "prove", str(refused), "--output", proof, "--entry", entry, environ=environ
    )
    if made.returncode == 0:
        made = commands.aegis("audit-proof", "audit", "verify", "--proof", proof, "--entry", entry, environ=environ)
    _held(probe, "refusal-is-proven", made)


def _held(probe: Probe, name: str, done: CompletedProcess[str]) -> bool:
    """Whether the command ended well."""
    told = done.stdout + done.stderr
    return probe.check(name, done.returncode == 0, told.strip().splitlines()[0][:300], reason=reason_in(told, "audit"))


def _rewrite(folder: Path) -> None:
    """Another model's name, of the same length, in the entry of the refusal."""
    for file in folder.rglob("*"):
        if file.is_file() and b"model.load.refused" in (content := file.read_bytes()):
            file.chmod(0o600)
            file.write_bytes(content.replace(b"forged", b"forgot"))


if __name__ == "__main__":
    main()
