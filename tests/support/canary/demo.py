"""The scene of the demo about a rollout: what a Prometheus saw of a worse version, through the judge that would act."""

from __future__ import annotations

import time
from pathlib import Path

from tests.support.backup.shop_backups import aegis

ROOT = Path(__file__).resolve().parents[3]
FOLDER = ROOT / "examples" / "canary"
_PASS, _FAIL = 0, 1


def replay_rollout() -> bool:
    """Play it, and say whether everything was as it must be."""
    print(
        "\n=== A rollout of the shop: recorded by a real Prometheus from processes whose failures were made up ===\n"
        "  No cluster ran and nothing was rolled back here: the samples go through the real judge once more."
    )
    start = time.monotonic()
    policy = f"--policy={FOLDER / 'aegis.yml'}"
    good = _aegis(_FAIL, "abort", policy, f"--recorded={FOLDER / 'degraded.jsonl'}")
    good &= _aegis(_PASS, "promote", policy, "--ratio=1", "--requests=1000", "--share=20")
    print(f"  after {time.monotonic() - start:.0f} s")
    return good


def _aegis(wanted: int, decision: str, *words: str) -> bool:
    shown = " ".join(word.replace(f"{ROOT}/", "") for word in words)
    print(f"  $ aegis canary simulate {shown}")
    done = aegis("canary", "simulate", *words, cwd=ROOT, environ={}, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        print(f"  | {line}")
    return done.returncode == wanted and f"\n{decision} after " in done.stdout
