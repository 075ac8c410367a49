"""What a durable entry costs, and how fast a log is verified: `python benchmarks/audit.py`.

    python benchmarks/audit.py [--seconds S] [--rounds N] [--events N] [--folder DIR]

Appends are measured in turn, round by round, on the same disk, since neighbours change what a disk can do within a
second: raw `write` and `fdatasync` of as many bytes, this log with one writer, 32 threads and 8 processes, pymerkle's
SQLite tree, and auditchain's JSONL log, which does not wait for the disk (an environment of its own, made from PyPI).
The ratios are medians of the rounds. Verification is of a log of a million events, in processes of its own whose peak
memory is added up.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from aegis.audit.checkpoint import note_of, sign_head  # noqa: E402 - the paths above must stand first
from aegis.audit.disk import DiskLog  # noqa: E402
from aegis.audit.folder import sync_folder  # noqa: E402
from aegis.audit.growth import Growth  # noqa: E402
from aegis.audit.journal import journal_header  # noqa: E402
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, entry, event, put  # noqa: E402

AUDITCHAIN = "auditchain==0.3.0"
THREADS, PROCESSES = 32, 8
VERIFY = """
import json, os, resource, sys, time
sys.path[:0] = [{src!r}]
from pathlib import Path
from aegis.audit.keys import parse_vkey
from aegis.audit.verify import verify_folder

if __name__ == "__main__":
    began = time.perf_counter()
    report = verify_folder(Path(sys.argv[1]), parse_vkey(sys.argv[2]), jobs=int(sys.argv[3]))
    seconds = time.perf_counter() - began
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    print(json.dumps([report.result, report.size, seconds, sum(os.times()[:4]), own, children]))
"""
AUDITCHAIN_RUN = """
import asyncio, sys, time
from auditchain import AuditLog, JsonlBackend

async def main(folder, seconds):
    async with AuditLog(JsonlBackend(folder + "/log.jsonl")) as log:
        done, began = 0, time.perf_counter()
        while (spent := time.perf_counter() - began) < seconds:
            pad = {"sha256": "ab" * 32, "pad": "x" * 300}
            await log.append("github:1:2", "model.load.verified", "org/model", metadata=pad)
            done += 1
        print(done / spent)

asyncio.run(main(sys.argv[1], float(sys.argv[2])))
"""

Rate = Callable[[Path, float], float]
"""Entries a second, in a new folder, for so many seconds."""


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=1.5, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--events", type=int, default=1_000_000, help="of the log that is verified")
    parser.add_argument("--folder", type=Path, help="on the disk to measure; the default is the temporary folder")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as place:
        appends(Path(place), options.seconds, options.rounds)
        verification(Path(place), options.events)
    return 0


def appends(place: Path, seconds: float, rounds: int) -> None:
    """Each way in turn; entries a second, and beside the raw rate of the same round."""
    ways: dict[str, Rate] = {
        "raw write+fdatasync": raw, "one writer": one_writer, f"{THREADS} threads": threads,
        f"{PROCESSES} processes": processes, "pymerkle SQLite": pymerkle,
    }  # fmt: skip
    peer = auditchain(place)
    if peer is not None:
        ways["auditchain JSONL"] = peer
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds):
        for name, way in ways.items():
            folder = place / f"{number}-{name.replace(' ', '-').replace('+', '-')}"
            folder.mkdir()
            rates[name].append(way(folder, seconds))
            shutil.rmtree(folder)
    print(f"{'durable appends':22}{'entries/s':>12}{'beside raw':>12}   (medians of {rounds} rounds)")
    for name, found in rates.items():
        ratio = statistics.median(one / base for one, base in zip(found, rates["raw write+fdatasync"], strict=True))
        print(f"{name:22}{statistics.median(found):>12,.0f}{ratio:>12.2f}")


def raw(folder: Path, seconds: float) -> float:
    """As many bytes as an entry has, appended to a file."""
    data = entry(0)
    descriptor = os.open(folder / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    sync_folder(str(folder))

    def append() -> None:
        os.write(descriptor, data)
        os.fdatasync(descriptor)

    rate = counted(append, seconds)
    os.close(descriptor)
    return rate


def one_writer(folder: Path, seconds: float) -> float:
    """One thread."""
    with DiskLog(folder / "log", ORIGIN, KEY) as log:
        return counted(lambda: log.append(event()), seconds)


def threads(folder: Path, seconds: float) -> float:
    """Threads of one process."""
    with DiskLog(folder / "log", ORIGIN, KEY) as log:
        counts, end = [0] * THREADS, time.perf_counter() + seconds

        def work(number: int) -> None:
            while time.perf_counter() < end:
                log.append(event())
                counts[number] += 1

        began = time.perf_counter()
        running = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in running:
            thread.start()
        for thread in running:
            thread.join()
        return sum(counts) / (time.perf_counter() - began)


def processes(folder: Path, seconds: float) -> float:
    """Processes that have the log open before the clock starts."""
    DiskLog(folder / "log", ORIGIN, KEY).close()
    ready, go, told = os.pipe(), os.pipe(), os.pipe()
    children = []
    for _ in range(PROCESSES):
        if (pid := os.fork()) == 0:
            os.close(go[1])
            mine = DiskLog(folder / "log", ORIGIN, KEY)
            mine.append(event())
            os.write(ready[1], b".")
            os.read(go[0], 1)
            rate = counted(functools.partial(mine.append, event()), seconds)
            os.write(told[1], f"{rate:20.3f}".encode())
            os._exit(0)
        children.append(pid)
    for _ in children:
        os.read(ready[0], 1)
    os.close(go[1])
    total = sum(float(os.read(told[0], 20)) for _ in children)
    for pid in children:
        os.waitpid(pid, 0)
    for descriptor in (*ready, go[0], *told):
        os.close(descriptor)
    return total


def pymerkle(folder: Path, seconds: float) -> float:
    """Its tree in SQLite, which commits each entry."""
    from pymerkle import SqliteTree

    data = entry(0)
    tree = SqliteTree(str(folder / "tree.db"), algorithm="sha256")
    rate = counted(lambda: tree.append_entry(data), seconds)
    tree.con.close()
    return rate


def auditchain(place: Path) -> Rate | None:
    """The peer's log, by its own Python; None, with a word why, where it cannot be had."""
    home = place / "auditchain"
    made = subprocess.run([sys.executable, "-m", "venv", str(home)], capture_output=True, text=True, check=False)
    if made.returncode == 0:
        install = [str(home / "bin/pip"), "install", "-q", AUDITCHAIN]
        made = subprocess.run(install, capture_output=True, text=True, check=False, timeout=300)
    if made.returncode:
        print(f"auditchain is left out: `pip install {AUDITCHAIN}` failed: {made.stderr.strip()[-200:]}")
        return None

    def rate(folder: Path, seconds: float) -> float:
        ran = subprocess.run(
            [str(home / "bin/python"), "-c", AUDITCHAIN_RUN, str(folder), str(seconds)],
            capture_output=True, text=True, check=True, timeout=seconds + 60,
        )  # fmt: skip
        return float(ran.stdout)

    return rate


def counted(act: Callable[[], object], seconds: float) -> float:
    """How often a second this can be done."""
    done, began = 0, time.perf_counter()
    while (spent := time.perf_counter() - began) < seconds:
        act()
        done += 1
    return done / spent


def verification(place: Path, count: int) -> None:
    """A log of so many events, verified by one process and by two."""
    folder = place / "verified"
    growth, kept = Growth(), [entry(number) for number in range(4_096)]
    began = time.perf_counter()
    for number in range(count):
        growth.add(kept[number * 4_096 // count])
        if not number % 16_384:
            write(folder, growth)
    write(folder, growth)
    root = growth.tree.root()
    put(folder, "checkpoint", note_of(VERIFIER, count, root, sign_head(KEY, ORIGIN, count, root)))
    put(folder, "journal", journal_header(count, KEY.mac).ljust(4096, b"\0"))
    print(f"\n{count:,} events written without waiting for the disk in {time.perf_counter() - began:.1f} s")
    code = place / "verify.py"
    code.write_text(VERIFY.format(src=str(ROOT / "src")))
    for jobs in (1, 2):
        ran = subprocess.run(
            [sys.executable, str(code), str(folder), str(VERIFIER), str(jobs)],
            capture_output=True, text=True, check=True, timeout=600,
        )  # fmt: skip
        result, size, seconds, cpu, own, children = json.loads(ran.stdout)
        memory = (own + children * (jobs if jobs > 1 else 0)) / 1024
        rate = f"{size / seconds:,.0f}/s, {cpu / size * 1e6:.1f} us of CPU each"
        print(f"verified by {jobs}: {result}, {size:,} events in {seconds:.2f} s, {rate}, {memory:.0f} MiB")


def write(folder: Path, growth: Growth) -> None:
    """What has become full."""
    for path, data in growth.resources():
        put(folder, path, data)
    growth.written()


if __name__ == "__main__":
    sys.exit(main())
