"""A4 in staging: the service loads what is signed, refuses what is not, and both are in its audit log, with a proof."""

from __future__ import annotations

import base64
import json
import secrets
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from acceptance.probe import Probe, probing  # noqa: E402 - probes run without being installed
from acceptance.staging.tools import ask, entries_of, section, staging_of, token_of  # noqa: E402
from aegis.acceptance.staging import Api  # noqa: E402
from aegis.audit.checkpoint import read_checkpoint  # noqa: E402
from aegis.core.merkle import root_of_leaf  # noqa: E402

FAULTS = {"verified-for-unverified": "the service is asked for a signed model where it must refuse one"}


def main() -> None:
    """Run it."""
    with probing(FAULTS) as probe:
        api = section(staging_of(probe).api, "api")
        unverified = api.verified if probe.fault == "verified-for-unverified" else api.unverified
        run = secrets.token_hex(8)
        good = ask(
            api, "POST", f"/v1/models/{api.verified}/prepare", token=token_of(api), correlation=f"acceptance-{run}-good"
        )
        probe.check(
            "verified-model-loads", good.status == 200, f"{api.verified}: {good.status} {good.code}".strip(),
            reason=good.code or "probe.model_not_loaded",
        )  # fmt: skip
        bad = ask(
            api, "POST", f"/v1/models/{unverified}/prepare", token=token_of(api), correlation=f"acceptance-{run}-bad"
        )
        probe.check(
            "unverified-model-refused", bad.status == 422, f"{unverified}: {bad.status} {bad.code}".strip(),
            reason="probe.unverified_model_loaded",
        )  # fmt: skip
        probe.facts["refused_with"] = bad.code
        for name in ("good", "bad"):
            _recorded(probe, api, name, f"acceptance-{run}-{name}")


def _recorded(probe: Probe, api: Api, name: str, correlation: str) -> None:
    """An entry of this very request, and the path from it to the root of the signed checkpoint."""
    found = entries_of(api, correlation)
    probe.check(
        f"recorded-{name}", bool(found), f"{len(found)} entries of the request {correlation}",
        reason="probe.audit_entry_missing",
    )  # fmt: skip
    if not found:
        return
    proven = ask(api, "GET", f"/v1/audit/entries/{found[-1]['index']}", token=token_of(api)).body
    (probe.evidence / f"entry-{name}.json").write_text(json.dumps(proven, indent=1), "utf-8")
    probe.check(
        f"proven-{name}", _holds(proven), f"entry {proven['index']} of {proven['size']}", reason="audit.proof_invalid"
    )


def _holds(proven: dict[str, Any]) -> bool:
    """RFC 9162 2.1.3.2. Whose key signed the checkpoint, `aegis audit verify` says to who has it."""
    hashes = [base64.b64decode(each) for each in proven["proof"]]
    leaf = base64.b64decode(proven["leaf_hash"])
    root = root_of_leaf(leaf, index=proven["index"], size=proven["size"], hashes=hashes)
    head = read_checkpoint(proven["checkpoint"].encode())
    return (head.size, head.root) == (proven["size"], root)


if __name__ == "__main__":
    main()
