"""Verdicts of weeks gone by, as the gates would have written them."""

from __future__ import annotations

import datetime
from dataclasses import replace
from pathlib import Path
from typing import Any

from aegis.core.verdict import Evidence, Verdict
from aegis.report import json_report
from tests.support.verdicts import verdicts

NOW = datetime.datetime(2026, 11, 26, 12, 0, tzinfo=datetime.UTC)


def stamp(moment: datetime.datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def ago(**span: float) -> datetime.datetime:
    """A moment before `NOW`, e.g. `ago(days=3)`."""
    return NOW - datetime.timedelta(**span)


def past(moment: datetime.datetime, *, run: int | None = 7, gate: str = "scan", **changes: Any) -> Verdict:
    """A passing verdict that ended then, in a run of that number (None: on a laptop)."""
    whole = verdicts.verdict(
        gate=gate, started=stamp(moment - datetime.timedelta(seconds=9)), finished=stamp(moment), **changes
    )
    url = f"https://github.com/octo/widgets/actions/runs/{run}" if run is not None else None
    return replace(whole, source=replace(whole.source, run_url=url)) if "source" not in changes else whole


def failed(moment: datetime.datetime, **changes: Any) -> Verdict:
    """One that does not pass."""
    return past(
        moment, result="fail", reason="core.findings", decision="fail", findings=(verdicts.finding(),), **changes
    )


def database(name: str = "orders", *, age: float | None = 7200.0, **changes: Any) -> dict[str, Any]:
    """Evidence of one database; its last proof was so many seconds old."""
    proof = {
        "backup": "2026-11-20T000000Z-1",
        "manifest_sha256": "ab" * 32,
        "age": age,
        "tier": "full",
        "equality": "rows",
        "smoke": [{"name": "orders", "ok": True}],
        "rto": 42.5,
        "seconds": {"find": 0.5, "download": 2.0, "engine": 1.0, "restore": 39.0},
        "engine": "17.2",
        "isolated": True,
        "run_url": None,
    }
    return {
        "name": name,
        "outcome": "PASS",
        "rpo_limit": 86_400,
        "proof_limit": 604_800,
        "rto_limit": 3_600,
        "tier_wanted": "full",
        "rpo": 1_800.0,
        "proof": proof if age is not None else None,
        "trend": None,
        "drill": None,
        "not_run": [],
        **changes,
    }


def of_backups(moment: datetime.datetime, *databases: dict[str, Any], **changes: Any) -> Verdict:
    evidence = (Evidence(name="databases", value=list(databases)),)
    return past(moment, gate="backup-check", evidence=evidence, **changes)


def artifact(name: str = "ranking", **changes: Any) -> dict[str, Any]:
    """Evidence of one model that the verify gate let pass."""
    return {
        "name": name,
        "kind": "model",
        "source": "s3://models/ranking/",
        "sha256": "ab" * 32,
        "content": "cd" * 32,
        "objects": 3,
        "size": 4_096,
        "signed_by": [
            {
                "signer": "release (https://token.actions.githubusercontent.com)",
                "method": "keyless",
                "key": "ef" * 32,
                "format": "bundle",
                "identity": "https://github.com/octo/models/.github/workflows/sign.yml@refs/heads/main",
                "issuer": "https://token.actions.githubusercontent.com",
                "signed_at": "2026-11-20T00:00:00Z",
                "log": None,
                "notices": [],
            }
        ],
        "release": "3",
        "notices": [],
        "reused": None,
        "read": "2026-11-25T00:00:00Z",
        "record": "",
        **changes,
    }


def of_models(moment: datetime.datetime, *artifacts: dict[str, Any], **changes: Any) -> Verdict:
    return past(moment, gate="verify", evidence=(Evidence(name="artifacts", value=list(artifacts)),), **changes)


def of_rollout(moment: datetime.datetime, *, looks: int = 30, **changes: Any) -> Verdict:
    """One that was rolled back."""
    canary = {
        "decision": "abort",
        "rollout": "shop/web 5",
        "seconds": 900.0,
        "deadline": 3_600.0,
        "harm": 20_000.0,
        "aborts_at": 100.0,
        "good": 0.01,
        "promotes_at": 20.0,
        "p_value": 1e-4,
        "culprits": [["errors", "worse than stable"]],
    }
    seen = [{"seconds": 30.0 * number, "harm": 0.15 * number, "good": -0.05 * number} for number in range(looks)]
    evidence = (Evidence(name="canary", value=canary), Evidence(name="looks", value=seen))
    told = {"result": "fail", "reason": "canary.worse", "decision": "abort", "findings": (verdicts.finding(),)}
    return past(moment, gate="canary", evidence=evidence, **{**told, **changes})


def suppression(expires: str, **changes: str) -> dict[str, Any]:
    """One of a scan policy, as the verdict has it."""
    return {
        "rule": "scan.runtime",
        "path": "src/old.py",
        "owner": "@octo/platform",
        "reason": "moves next quarter",
        "expires": expires,
        "fingerprint": None,
        **changes,
    }


def weeks() -> list[Verdict]:
    """What a repository leaves in a few weeks: every gate, red and green."""
    scans = [
        (failed if number % 4 == 3 else past)(ago(hours=20 * number + 1), run=100 + number) for number in range(20)
    ]
    with_exceptions = replace(
        scans[0],
        waivers=(replace(verdicts.waiver(), expires="2026-12-02"),),
        policy=replace(scans[0].policy, effective={"strict": True, "suppressions": [suppression("2026-12-24")]}),
    )
    points = [{"finished": stamp(ago(days=day)), "rto": 30.0 + day % 5, "size": 1 << 20} for day in range(12, 0, -1)]
    trend = {
        "tier": "full",
        "points": points,
        "formula": "RTO",
        "growth_per_day": 0,
        "rto_in_90_days": 40.0,
        "rto_at": [],
    }
    return [
        with_exceptions,
        *scans[1:],
        of_backups(ago(hours=3), database(trend=trend), database("users", age=None, outcome="FAIL"), run=201),
        of_models(ago(days=10), artifact(), artifact("summary", sha256="cd" * 32), run=202),
        of_rollout(ago(days=2), run=203),
    ]


def put(folder: Path, *written: Verdict) -> None:
    """Each in a folder of its own below this one."""
    for number, verdict in enumerate(written):
        place = folder / f"{verdict.gate}-{number}"
        place.mkdir(parents=True)
        (place / "verdict.json").write_bytes(json_report.render(verdict))
