"""A process of the same user writes wherever it can while models are given out: what is loaded is what was signed.

It rewrites, cuts, replaces and renames what is kept and what is being staged, and it writes through /proc into the
loader's own memory files. Sealed memory is hashed after it was sealed, so that it may spoil a load, never its bytes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aegis_multimodal_ai_system.orchestrator_verify_loader import ModelRefused
from tests.support.runtime.deployments import Deployment, contents, safetensors

TRIES = 1000
MODEL = {
    "config.json": b'{"layers": 3}\n',
    "a.safetensors": safetensors(bytes(range(256)) * 1000),
    "b.safetensors": safetensors(b"b" * 40_000),
}

WRITER = """
import os, random, sys
models, pid, outside = sys.argv[1:]
rng = random.Random(7)

def folders():
    for name in os.listdir(models):
        if name != ".locks":
            yield os.path.join(models, name)

def in_place(path):
    os.chmod(path, 0o600)
    file = os.open(path, os.O_RDWR)
    os.pwrite(file, b"EVIL" * 4, rng.randrange(0, 40000))
    os.close(file)

def cut(path):
    os.chmod(path, 0o600)
    os.truncate(path, rng.randrange(0, 100))

def replace(path):
    new = path + ".new"
    with open(new, "wb") as file:
        file.write(b"EVIL" * 1000)
    os.replace(new, path)

def link(path):
    os.unlink(path)
    os.symlink(outside, path)

def disk():
    for folder in folders():
        os.chmod(folder, 0o700)
        if rng.random() < 0.1:
            os.rename(folder, folder + ".away")
            os.rename(folder + ".away", folder)
            continue
        names = os.listdir(folder)
        rng.choice([in_place, in_place, cut, replace, link])(os.path.join(folder, rng.choice(names)))

def memory():
    count = 0
    for name in os.listdir(f"/proc/{pid}/fd"):
        path = f"/proc/{pid}/fd/{name}"
        try:
            if "memfd:aegis" in os.readlink(path):
                file = os.open(path, os.O_RDWR)
                try:
                    os.pwrite(file, b"EVIL" * 4, rng.randrange(0, 40000))
                    count += 1
                finally:
                    os.close(file)
        except OSError:
            pass
    return count

print("ready", flush=True)
written = {"disk": 0, "memory": 0}
os.set_blocking(0, False)
while True:
    # mostly in memory: what is staged and kept has to live long enough to be given out at times
    if rng.random() < 0.05:
        try:
            disk()
            written["disk"] += 1
        except (OSError, IndexError):  # it is gone, or empty
            pass
    written["memory"] += memory()
    try:
        if os.read(0, 1) == b"":
            break
    except BlockingIOError:
        pass
print(written["disk"], written["memory"], flush=True)
"""


@contextmanager
def writer(it: Deployment) -> Iterator[list[int]]:
    """The counts of what it wrote, once it has ended."""
    outside = it.models.with_name("outside")
    outside.write_bytes(MODEL["a.safetensors"])
    argv = [sys.executable, "-c", WRITER, str(it.models), str(os.getpid()), str(outside)]
    counts: list[int] = []
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield counts
        finally:
            process.stdin.close()
            counts += map(int, process.stdout.readline().split())


def test_no_byte_that_was_not_signed_is_loaded(tmp_path: Path) -> None:
    it = Deployment(tmp_path).upload(MODEL)
    it.bucket.chunk = 16_384
    it.load().close()
    outcomes: Counter[str] = Counter()
    with writer(it) as written:
        for _ in range(TRIES):
            try:
                with it.load() as model:
                    assert contents(model) == MODEL
                    assert contents(model) == MODEL, "it changed while it was open"
                outcomes["loaded"] += 1
            except ModelRefused as refused:
                outcomes[refused.code] += 1
    disk, memory = written
    assert sum(outcomes.values()) == TRIES
    assert outcomes["core.crashed"] == 0
    assert outcomes["loaded"] > 0, outcomes
    assert disk > 100, "the writer wrote nothing"
    assert memory > 0, "the writer reached no memory before it was sealed"
    assert "runtime.kept_copy_changed" in it.alerts.reasons
    print(dict(outcomes), disk, memory)
