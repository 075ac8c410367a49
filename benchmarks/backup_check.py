"""How long a check of many backups takes, and what it asks of the store: `python benchmarks/backup_check.py [number…]`.

The store is versitygw on loopback; each backup has two objects and a manifest, and every fifth one the record of a
restore. `check` is `aegis backup check` as a process of its own, from its start to its exit code; `look` is the same
without starting Python, once more with 25 ms before each answer, as a store in the same region takes. `boto3 ls` lists
every object below the prefix, which is how scripts find the newest backup. Seconds are the median of runs in turn; CPU
seconds of the process, the least, since other work on the machine lengthens the wall clock more.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from aegis.adapters.objects.s3_writing import WritableS3  # noqa: E402 - the path comes first
from aegis.adapters.objects.store_http import Reply  # noqa: E402
from aegis.backup.freshness import look  # noqa: E402
from tests.doubles.shelf import ShelfStore  # noqa: E402
from tests.e2e.backup.gateway import CREDENTIALS, Gateway, serving  # noqa: E402
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET  # noqa: E402
from tests.support.backup.shelves import FAILED, PREFIX, RECORDS, SHOP, back_up, restore  # noqa: E402

RUNS = 5
ROUND_TRIP = 0.025
"""Seconds."""
GOAL = 2.0
"""Seconds for a thousand backups."""


class Counting(WritableS3):
    """Counts what is asked, each after a pause."""

    def __init__(self, gateway: Gateway, pause: float = 0.0) -> None:
        super().__init__("models", REGION, lambda: CREDENTIALS, endpoint=gateway.address)
        self.asked: Counter[str] = Counter()
        self.pause = pause

    def _ask(self, method: str, key: str, query: Any, *more: Any, **options: Any) -> AbstractContextManager[Reply]:
        names = dict(query)
        kind = "LIST of folders" if "delimiter" in names else "LIST of objects" if not key else method
        self.asked[kind] += 1
        time.sleep(self.pause)
        return super()._ask(method, key, query, *more, **options)


def fill(gateway: Gateway, number: int, now: datetime) -> None:
    """So many backups, the newest of which was proven."""
    made = ShelfStore()
    for age in range(number):
        backup = back_up(made, now - timedelta(hours=3 + 24 * age))
        if age % 5 == 0:
            restore(made, backup, now - timedelta(hours=2 + 24 * age), **(FAILED if age % 10 else {}))
    with ThreadPoolExecutor(8) as threads:
        list(
            threads.map(
                lambda key: gateway.s3.put_object(Bucket="models", Key=key, Body=made.versions[key][-1][1]),
                made.names(),
            )
        )


def looked(store: Counting, now: datetime) -> None:
    shelf = look(store, store, SHOP, prefix=PREFIX, records_prefix=RECORDS, recipients=(), now=now)
    assert not shelf.problems, shelf.problems


def listed(gateway: Gateway) -> None:
    pages = gateway.s3.get_paginator("list_objects_v2").paginate(Bucket="models", Prefix=f"{PREFIX}shop/")
    keys = [one["Key"] for page in pages for one in page["Contents"]]
    assert max(key for key in keys if key.endswith("manifest.json"))


def checked(folder: Path) -> float:
    """Run it; its CPU seconds."""
    environ = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT / "src"),
        "AWS_ACCESS_KEY_ID": ROOT_KEY,
        "AWS_SECRET_ACCESS_KEY": ROOT_SECRET,
    }
    command = [sys.executable, "-m", "aegis", "backup", "check"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(command, cwd=folder, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def measure(number: int) -> bool:
    """Print the table of so many backups; whether the goal is met."""
    now = datetime.now(UTC)
    with tempfile.TemporaryDirectory() as scratch, serving(Path(scratch)) as gateway:
        fill(gateway, number, now)
        (Path(scratch) / "aegis.yml").write_text(
            f"version: 1\nbackup-check:\n  store: s3://models/{PREFIX}\n  databases:\n    - name: {SHOP.name}\n"
            f"  aws: {{region: {REGION}, s3-endpoint: '{gateway.address}'}}\n"
        )
        near, far = Counting(gateway), Counting(gateway, ROUND_TRIP)
        cpu: list[float] = []
        ways: dict[str, Callable[[], None]] = {
            "check": lambda: cpu.append(checked(Path(scratch))),
            "look": lambda: looked(near, now),
            f"look, {ROUND_TRIP * 1000:.0f} ms away": lambda: looked(far, now),
            "boto3 ls": lambda: listed(gateway),
        }
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        looked(near, now)
        print(f"{number} backups: {', '.join(f'{count} {kind}' for kind, count in sorted(near.asked.items()))}")
        for _ in range(RUNS):
            for name, way in ways.items():
                begun = time.perf_counter()
                way()
                seconds[name].append(time.perf_counter() - begun)
        for name, found in seconds.items():
            print(f"  {name:<20} {statistics.median(found):6.2f} s")
        print(f"  {'check, CPU':<20} {min(cpu):6.2f} s")
        return statistics.median(seconds["check"]) <= GOAL


if __name__ == "__main__":
    met = [measure(int(number)) for number in sys.argv[1:] or ("10", "1000")]
    print("goal: a check of 1000 backups in", GOAL, "s:", "met" if met[-1] else "missed")
