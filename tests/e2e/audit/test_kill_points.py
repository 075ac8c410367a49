"""A thousand times, processes that write are killed somewhere: nothing acknowledged is lost, and nothing is alarmed.

In every second case a power cut follows: of what was written after the last entry that was known to be on disk, any
part is missing.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import struct
import tempfile
import time
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from aegis.audit.checkpoint import read_checkpoint
from aegis.audit.disk import DiskLog
from aegis.audit.disk_source import DiskSource
from aegis.audit.entry import decode
from aegis.audit.journal import HEADER_BYTES, BrokenRecord, read_mark, read_record
from aegis.audit.paths import CHECKPOINT
from aegis.audit.prove import read_entry
from aegis.audit.verify import verify_folder
from aegis.core.merkle import hash_leaf
from tests.support.runtime.audit_logs import KEY, ORIGIN, VERIFIER, event

POINTS = 1_000
WORKERS = 4
PER_LOG = 25
"""Kill points of one log, which is then begun anew so that its verification stays short."""
ACK = struct.Struct(">Q32s")


@dataclass
class Tally:
    kills: int = 0
    acknowledged: int = 0
    torn: int = 0
    lost: list[str] = field(default_factory=list)
    alarms: list[str] = field(default_factory=list)


def test_a_thousand_kill_points() -> None:
    running = []
    for worker in range(WORKERS):
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            try:
                os.write(writing, json.dumps(vars(work(worker))).encode())
            except BaseException:
                os.write(writing, json.dumps({"lost": [traceback.format_exc()]}).encode())
            finally:
                os._exit(0)
        os.close(writing)
        running.append((pid, reading))
    total = Tally()
    for pid, reading in running:
        with os.fdopen(reading, "rb") as answer:
            part = Tally(**json.loads(answer.read()))
        os.waitpid(pid, 0)
        total.kills += part.kills
        total.acknowledged += part.acknowledged
        total.torn += part.torn
        total.lost += part.lost
        total.alarms += part.alarms
    print(f"{total.kills} kills, {total.acknowledged} entries acknowledged, {total.torn} torn writes")
    assert (total.lost, total.alarms) == ([], [])
    assert total.kills == POINTS
    # whoever was waited for had one at least, however slow the disk
    assert total.acknowledged >= POINTS // 2


def work(seed: int) -> Tally:
    """One worker's share."""
    chance, tally = random.Random(seed), Tally()
    while tally.kills < POINTS // WORKERS:
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "log"
            DiskLog(folder, ORIGIN, KEY, journal_bytes=1).close()
            known: dict[int, bytes] = {}
            for _ in range(PER_LOG):
                kill_some(folder, chance, known)
                tally.kills += 1
                judge(folder, known, tally)
                if chance.random() < 0.5:
                    cut_power(folder, chance, max(known, default=-1) + 1)
                    judge(folder, known, tally)
            tally.acknowledged += len(known)
            tally.torn += len(list(folder.glob("torn-*")))
    return tally


def kill_some(folder: Path, chance: random.Random, known: dict[int, bytes]) -> None:
    """One or two processes append until they are killed; what they said was acknowledged is in `known`."""
    children = []
    problems = folder.parent / "problems"
    for _ in range(chance.choice([1, 1, 2])):
        reading, writing = os.pipe()
        if (pid := os.fork()) == 0:
            os.close(reading)
            append_for_ever(folder, writing, problems)
        os.close(writing)
        children.append((pid, reading))
    wanted = chance.choice([0, 0, 1, 3, 12])
    said = [os.read(reading, ACK.size * wanted) if wanted else b"" for _, reading in children]
    time.sleep(chance.random() * 0.01)  # the kill's place is left to chance
    for (pid, reading), first in zip(children, said, strict=True):
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        with os.fdopen(reading, "rb") as rest:
            data = first + rest.read()
        for at in range(0, len(data) - ACK.size + 1, ACK.size):
            index, leaf = ACK.unpack_from(data, at)
            known[index] = leaf
    if problems.exists():
        raise AssertionError(f"a process that writes ended by itself:\n{problems.read_text()}")


def append_for_ever(folder: Path, acknowledge: int, problems: Path) -> None:
    try:
        log = DiskLog(folder, ORIGIN, KEY, journal_bytes=1)
        number = 0
        while True:
            receipt = log.append(event(number, details={"note": "x" * (number * 37 % 900)}))
            os.write(acknowledge, ACK.pack(receipt.index, receipt.leaf_hash))
            number += 1
            if number % 50 == 0:
                log.checkpoint()
    except BaseException:
        problems.write_text(traceback.format_exc())
    finally:
        os._exit(1)


def judge(folder: Path, known: dict[int, bytes], tally: Tally) -> None:
    report = verify_folder(folder, VERIFIER)
    if report.result != "intact":
        tally.alarms.append(str(report.findings[0]))
    source = DiskSource(folder, VERIFIER)
    for index, leaf in known.items():
        if index >= report.size:
            tally.lost.append(f"entry {index} of {report.size}")
        elif index > report.size - 30:
            data = read_entry(source, index=index, size=report.size)
            decode(data)
            if hash_leaf(data) != leaf:
                tally.lost.append(f"entry {index} is another one")


def cut_power(folder: Path, chance: random.Random, acknowledged: int) -> None:
    """Take away any part of what no process knew to be on disk."""
    data = bytearray((folder / "journal").read_bytes())
    at, records = HEADER_BYTES, []
    try:
        while (record := read_record(bytes(data), at)) is not None:
            records.append(record)
            at = record.end
    except BrokenRecord:
        pass
    # A checkpoint is written after a wait for the disk, of which the journal's mark says nothing yet.
    published = read_checkpoint((folder / CHECKPOINT).read_bytes()).size
    durable = max([acknowledged, published, read_mark(bytes(data)), *(record.durable for record in records)])
    safe = max([HEADER_BYTES, *(record.end for record in records if record.first + record.count <= durable)])
    end = len(data.rstrip(b"\0"))
    if end <= safe:
        # Nothing was under way: add a write that was.
        data[safe : safe + 300] = chance.randbytes(300)
        end = safe + 300
    start = chance.randrange(safe, end)
    if chance.random() < 0.5:
        data[start:end] = bytes(end - start)
    else:
        data[safe:start] = bytes(start - safe)
    scratch = folder.parent / "cut"
    scratch.write_bytes(data)
    shutil.copyfile(scratch, folder / "journal")
