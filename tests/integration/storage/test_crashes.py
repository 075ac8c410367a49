"""Whatever ends a run, at whatever moment: at the destination is a whole artifact or none."""

from __future__ import annotations

import hashlib
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aegis.core.errors import CouldNotDecide
from aegis.storage.content_store import ContentStore

ROOT = Path(__file__).resolve().parents[3]
SIZE = 300_000
FILES = 12
DIGEST = "cd" * 32
PUBLISH = f"""
import sys
from pathlib import Path
from aegis.storage.content_store import ContentStore

sys.stdout.write("begun\\n")
sys.stdout.flush()
while True:
    with ContentStore(Path(sys.argv[1])).stage() as staging:
        for number in range({FILES}):
            with staging.create(f"folder/{{number}}.bin") as sink:
                for _ in range(3):
                    sink.write(bytes([number]) * {SIZE // 3})
        staging.publish({DIGEST!r})
    if len(sys.argv) > 2:
        break
    import os, shutil
    place = Path(sys.argv[1], "sha256-{DIGEST}")
    for folder in (place, place / "folder"):
        folder.chmod(0o700)
    # What was published is taken away in one step too, so that it can be published again.
    place.rename(Path(sys.argv[1], ".staging-old"))
    shutil.rmtree(Path(sys.argv[1], ".staging-old"))
"""

WRITE = f"""
import signal, sys, time
from pathlib import Path
from aegis.storage.content_store import ContentStore

signal.signal(signal.SIGINT, signal.default_int_handler)  # who starts tests in the background may have it ignored
with ContentStore(Path(sys.argv[1])).stage() as staging:
    with staging.create("folder/0.bin") as sink:
        sink.write(bytes({SIZE}))
        sys.stdout.write("written\\n")
        sys.stdout.flush()
        while True:
            time.sleep(0.1)  # a signal that comes just before one long sleep would end with it
"""


def is_whole(place: Path) -> bool:
    return {path.name: hashlib.sha256(path.read_bytes()).digest() for path in place.glob("folder/*")} == {
        f"{number}.bin": hashlib.sha256(bytes([number]) * SIZE).digest() for number in range(FILES)
    }


def child(root: Path, *more: str, limit: int | None = None, program: str = PUBLISH) -> subprocess.Popen[str]:
    def prepare() -> None:
        if limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    return subprocess.Popen(
        [sys.executable, "-c", program, str(root), *more],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "src")},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


def test_a_child_that_is_killed_at_any_moment_leaves_a_whole_artifact_or_none(tmp_path: Path) -> None:
    chance = random.Random(7)
    root, found = tmp_path / "store", []
    for _ in range(25):
        with child(root) as running:
            assert running.stdout is not None
            running.stdout.readline()
            time.sleep(chance.uniform(0, 0.06))
            running.send_signal(signal.SIGKILL)
            running.wait()
        place = root / f"sha256-{DIGEST}"
        found.append(place.exists())
        assert not place.exists() or is_whole(place)
        if place.exists():
            place.rename(root / ".staging-old")
    # The next run removes what the killed ones have left.
    with ContentStore(root).stage():
        assert len(list(root.iterdir())) == 1
    assert list(root.iterdir()) == []
    assert not all(found)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    root = tmp_path / "store"
    with child(root, "once", limit=SIZE - 1) as running:
        _, errors = running.communicate(timeout=300)
    assert running.returncode == 1
    assert "File too large" in errors
    assert list(root.iterdir()) == []


def test_a_full_disk_has_its_code(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with (
            pytest.raises(CouldNotDecide) as caught,
            ContentStore(tmp_path / "store").stage() as staging,
            staging.create("a") as sink,
        ):
            sink.write(bytes(2000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.code == "verify.disk_failed"
    assert list((tmp_path / "store").iterdir()) == []


def test_a_child_that_is_told_to_stop_while_it_writes_leaves_nothing(tmp_path: Path) -> None:
    """By an exception in its main thread, as the command line is."""
    root = tmp_path / "store"
    with child(root, program=WRITE) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "written\n"
        assert len(list(root.iterdir())) == 1
        running.send_signal(signal.SIGINT)
        running.wait(timeout=300)
    assert list(root.iterdir()) == []
