"""A proof that is ended in each of its phases: no answer, no record, and nothing of the database left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.backup.shop import shop
from tests.support.backup.way import PASS, Shelf, programs
from tests.support.databases.postgres import Server, binaries, running

ROOT = Path(__file__).resolve().parents[3]
MARK = "299792"
"""Seconds of a sleep that nobody else sleeps."""
STOPS: Mapping[str, dict[str, str]] = {
    "engine": {"initdb": f"exec sleep {MARK}"},
    "restore": {"pg_restore": f'case "$*" in *--list*|*file=*) exec "$real" "$@"; esac; exec sleep {MARK}'},
    "smoke": {},
}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running() as started:
        yield started


@pytest.fixture(scope="module")
def shelf(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    made = Shelf(tmp_path_factory.mktemp("stopped") / "store")
    made.take(server, shop(server))
    return made


@pytest.fixture
def temporary() -> Iterator[Path]:
    """A folder with a short name, since sockets lie in it."""
    with tempfile.TemporaryDirectory(prefix="aegis-", dir="/tmp") as folder:
        yield Path(folder)


def below(pid: int) -> Iterator[int]:
    """All processes that it has started, in namespaces too."""
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):
            for child in map(int, file.read_text("ascii").split()):
                yield child
                yield from below(child)


def at_work(pid: int, mark: bytes) -> bool:
    try:
        return mark in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def awaited(condition: Callable[[], object]) -> None:
    end = time.monotonic() + 300
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
@pytest.mark.parametrize("phase", STOPS)
def test_nothing_is_left(shelf: Shelf, tmp_path: Path, temporary: Path, phase: str, number: signal.Signals) -> None:
    question = f'      smoke: [{{name: slow, sql: "SELECT pg_sleep({MARK}) IS NULL"}}]\n'
    policy = shelf.of("database", question if phase == "smoke" else "").written()
    engine = programs(tmp_path / "engine", binaries(), **STOPS[phase])
    mark = b"restored [local] SELECT" if phase == "smoke" else f"sleep\0{MARK}".encode()
    before = sorted(shelf.folder.rglob("*"))
    with subprocess.Popen(
        [sys.executable, "-m", "tests.support.databases.patient_aegis",
         "backup", "verify", "--policy", policy, "--engine", engine],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={
            "PATH": os.environ["PATH"], "HOME": str(tmp_path), "TMPDIR": str(temporary),
            "PYTHONPATH": str(ROOT / "src"),
        },
    ) as process:  # fmt: skip
        awaited(lambda: process.poll() is not None or any(at_work(pid, mark) for pid in below(process.pid)))
        started = list(below(process.pid))
        process.send_signal(number)
        out, err = process.communicate(timeout=300)
    assert process.returncode == (-9 if number == signal.SIGKILL else 3), err
    assert "Traceback" not in err
    assert out == ""
    # who is killed cleans up nothing; the sandbox does it for him, a moment later
    awaited(lambda: not any(at_work(pid, mark) for pid in started))
    awaited(lambda: not list(temporary.iterdir()))
    assert sorted(shelf.folder.rglob("*")) == before


def test_the_healthy_twin(shelf: Shelf) -> None:
    assert shelf.drill() == PASS
