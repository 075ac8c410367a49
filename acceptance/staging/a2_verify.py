"""A2 in staging: this job's own OIDC token buys credentials, and what lies in the staging store verifies by them.

The fault: the same repository, whose policy asks for another signer. Nothing is written to the store.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import Tools, section, staging_of  # noqa: E402

FAULTS = {"other-signer": "a policy that asks for a key that has signed nothing"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe, tempfile.TemporaryDirectory() as temporary:
        tools, verify = Tools(probe), section(staging_of(probe).verify, "verify")
        folder = Path(verify.path).resolve()
        if probe.fault == "other-signer":
            folder = _asking_for_another(tools, folder, Path(temporary) / "clone")
        done = tools.aegis("verify", "verify", "--github", more=_inputs(folder, probe.evidence / "verdict"))
        verdict = json.loads((probe.evidence / "verdict" / "verdict.json").read_bytes())
        _judge(probe, verdict, done.returncode)


def _inputs(folder: Path, output: Path) -> dict[str, str]:
    """As the action's inputs: only as a step of a workflow does the gate buy credentials by the job's token."""
    inputs = {
        "PATH": str(folder),
        "OUTPUT": str(output),
        "UPLOAD": "never",
        "AWS_ROLE_TO_ASSUME": os.environ.get("AWS_ROLE_TO_ASSUME", ""),
        "AWS_REGION": os.environ.get("AWS_REGION", ""),
        "COSIGN_PUB_KEY": os.environ.get("COSIGN_PUB_KEY", ""),
    }
    # of no event: what is judged is the repository with its own policy, not a change of it
    without = ("GITHUB_EVENT_NAME", "GITHUB_EVENT_PATH", "GITHUB_SHA", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    return {**{f"AEGIS_INPUT_{name}": value for name, value in inputs.items()}, **dict.fromkeys(without, "")}


def _judge(probe: Probe, verdict: dict[str, Any], code: int) -> None:
    evidence = {each["name"]: each["value"] for each in verdict["evidence"]}
    probe.facts |= {"decision": verdict["decision"], "evidence": sorted(evidence)}
    rules = sorted({finding["rule"] for finding in verdict["findings"]})
    # not applicable is a pass of the gate, and none here: something must have been verified
    probe.check(
        "artifacts-verified",
        code == 0 and (verdict["result"], verdict["reason"]) == ("pass", "core.passed"),
        f"{verdict['decision']} ({verdict['reason']}) {', '.join(rules)}".strip(),
        reason=rules[0] if rules else verdict["reason"],
    )


def _asking_for_another(tools: Tools, folder: Path, clone: Path) -> Path:
    """A clone whose policy names a fresh key wherever it named a signer."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    done = tools.run("clone", ["git", "clone", "--quiet", "--no-local", folder, clone])
    if done.returncode != 0:
        raise RuntimeError(f"git clone: {done.stderr[-500:]}")
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    (clone / "other.pub").write_bytes(public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    policy = yaml.safe_load((clone / "aegis.yml").read_bytes())
    policy["verify"]["signers"] = [{"key": "other.pub"}]
    for artifact in policy["verify"].get("artifacts", []):
        artifact.update({"signers": [{"key": "other.pub"}], "threshold": 1})
        if artifact.get("release") is not None:
            artifact["release"]["signers"] = [{"key": "other.pub"}]
    (clone / "aegis.yml").write_text(yaml.safe_dump(policy), "utf-8")
    who = ["-c", "user.name=acceptance", "-c", "user.email=acceptance@example.invalid", "-c", "commit.gpgsign=false"]
    for words in (["add", "--all"], ["commit", "--quiet", "--message=another signer"]):
        if tools.run("commit", ["git", *who, "-C", clone, *words]).returncode != 0:
            raise RuntimeError("the clone could not be changed")
    return clone


if __name__ == "__main__":
    main()
