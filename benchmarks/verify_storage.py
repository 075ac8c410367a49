"""How fast, and in how much memory, artifacts are read and hashed: `python benchmarks/verify_storage.py [name…]`.

hash: folders against the limit of one SHA-256 stream. memory: peak of a process at 2 GiB, at 10 GiB and at 10⁴ files.
clients: the S3 adapter beside obstore and boto3, over loopback. download: download + verify over download alone, at
500 MB/s and without a limit. cache: a hit for 200 files.

CPU seconds are user and system, the least of several runs: other work on the machine lengthens the wall clock more.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

from aegis.adapters.objects.local import LocalStore  # noqa: E402 - the path comes first
from aegis.adapters.objects.s3 import S3Store  # noqa: E402
from aegis.core.ports.credentials import AwsCredentials  # noqa: E402
from aegis.core.ports.objects import ObjectInfo, ObjectStore  # noqa: E402
from aegis.storage.content_store import ContentStore  # noqa: E402
from aegis.storage.hashing import HashingSink, Sink  # noqa: E402
from aegis.storage.transfer import read_all  # noqa: E402
from aegis.storage.verified_cache import Question, VerifiedCache, snapshot  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
RUNS = 3
LIMIT = 500e6
"""Bytes a second: a fast network."""


def measured(do: Callable[[], object]) -> tuple[float, float]:
    """Wall and CPU seconds of a call in this process, the least of several runs each."""
    walls, cpus = [], []
    for _ in range(RUNS):
        before, begun = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
        do()
        walls.append(time.perf_counter() - begun)
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(walls), min(cpus)


def hash_all(store: ObjectStore, infos: Sequence[ObjectInfo], workers: int = 2) -> None:
    """What the gate does when it keeps nothing."""

    @contextmanager
    def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
        hashing = HashingSink()
        yield [hashing]
        assert hashing.size == info.size, info

    read_all(store, infos, sinks, workers=workers)


def stream_limit() -> float:
    """Bytes a CPU second of SHA-256 alone, in memory."""
    block = bytes(256 * 1024)

    def run() -> None:
        digest = hashlib.sha256()
        for _ in range(GIB // len(block)):
            digest.update(block)

    return GIB / measured(run)[1]


def bench_hash(folder: Path) -> None:
    """Page cache → hash."""
    limit = stream_limit()
    print(f"one SHA-256 stream in memory: {limit / 1e6:.0f} MB per CPU second")
    for number in range(2):
        with (folder / f"{number}.bin").open("wb") as file:
            for _ in range(GIB // MIB):
                file.write(os.urandom(MIB))
    store = LocalStore(folder)
    one, two = store.list("")
    wall, cpu = measured(lambda: hash_all(store, [one]))
    print(f"1 GiB in one file: {GIB / cpu / 1e6:.0f} MB per CPU second, {GIB / cpu / limit:.2f} of the limit")
    both, both_cpu = measured(lambda: hash_all(store, [one, two]))
    print(
        f"2 of 1 GiB on two cores: {2 * wall / both:.2f} times as fast as one after the other,"
        f" {both_cpu / cpu / 2 - 1:+.0%} CPU"
    )


def bench_memory(folder: Path) -> None:
    """Peak of a fresh process."""
    for size in (2, 10):
        with (folder / f"{size}.bin").open("wb") as file:
            file.truncate(size * GIB)
    many = folder / "many"
    many.mkdir()
    for number in range(10_000):
        (many / f"{number:05}.bin").write_bytes(b"x" * 100)
    for name, prefix in (
        ("import only", ""),
        ("2 GiB", "2.bin"),
        ("10 GiB (sparse)", "10.bin"),
        ("10⁴ files", "many/"),
    ):
        code = (
            "import sys, resource; from pathlib import Path; sys.path[:0] = sys.argv[3:]\n"
            "from benchmarks.verify_storage import LocalStore, hash_all\n"
            "folder, prefix = sys.argv[1:3]; store = LocalStore(Path(folder))\n"
            "infos = store.list(prefix) if prefix.endswith('/') else [store.head(prefix)] if prefix else []\n"
            "hash_all(store, infos)\n"
            "print(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
        )
        argv = [sys.executable, "-c", code, str(folder), prefix, str(ROOT), str(ROOT / "src")]
        peak = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
        print(f"{name}: {int(peak) // 1024} MB at most")


@contextmanager
def raw_server(size: int, rate: float | None = None) -> Iterator[str]:
    """A process that answers any request with `size` bytes, at most `rate` bytes a second."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        child = os.fork()
        if child == 0:
            while True:
                connection, _ = listener.accept()
                threading.Thread(target=_answer, args=(connection, size, rate), daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            os.kill(child, 9)
            os.waitpid(child, 0)


def _answer(connection: socket.socket, size: int, rate: float | None) -> None:
    block = bytes(MIB)
    head = (
        b'HTTP/1.1 200 OK\r\nContent-Length: %d\r\nETag: "x"\r\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n'
        % size
    )
    with contextlib.suppress(OSError), connection:
        while b"\r\n\r\n" in (request := connection.recv(65536)) and request:
            connection.sendall(head)
            begun = time.perf_counter()
            for sent in range(0, size, MIB):
                connection.sendall(block)
                if rate is not None:
                    time.sleep(max(0.0, (sent + MIB) / rate - (time.perf_counter() - begun)))


def s3(address: str) -> S3Store:
    """The bucket of the raw server."""
    return S3Store("models", "eu-central-1", lambda: AwsCredentials("A", "s", "t"), endpoint=address)


def plain(store: ObjectStore, info: ObjectInfo, path: Path) -> None:
    """Download, and nothing else."""
    with path.open("wb", buffering=0) as file:
        for chunk in store.read(info):
            file.write(chunk)
    path.unlink()


def verified(store: ObjectStore, infos: Sequence[ObjectInfo], root: Path) -> None:
    """Download into the store of verified artifacts, hashed on the way; both are removed again."""
    with ContentStore(root).stage() as staging:

        @contextmanager
        def sinks(info: ObjectInfo) -> Iterator[Sequence[Sink]]:
            with staging.create(info.key) as file:
                yield [HashingSink(), file]

        read_all(store, infos, sinks)


def bench_clients(folder: Path) -> None:
    """Who moves bytes from a socket with least work."""
    import boto3
    import obstore
    from obstore.store import S3Store as Obstore

    with raw_server(GIB) as address:
        info = ObjectInfo("k", GIB, None, '"x"')

        def ours() -> None:
            for _ in s3(address).read(info):
                pass

        def by_obstore() -> None:
            store = Obstore(
                "models",
                endpoint=address,
                region="eu-central-1",
                client_options={"allow_http": True},
                access_key_id="A",
                secret_access_key="s",
            )
            for _ in obstore.get(store, "k").stream(256 * 1024):
                pass

        def by_boto3() -> None:
            client = boto3.client(
                "s3", endpoint_url=address, region_name="eu-central-1", aws_access_key_id="A", aws_secret_access_key="s"
            )
            for _ in client.get_object(Bucket="models", Key="k")["Body"].iter_chunks(256 * 1024):
                pass

        for name, do in (("this adapter", ours), ("obstore", by_obstore), ("boto3", by_boto3)):
            wall, cpu = measured(do)
            print(f"{name}: {cpu:.2f} CPU s and {wall:.2f} s of wall per GiB")
    for name, code in (
        ("this adapter", "import aegis.adapters.objects.s3"),
        ("obstore", "import obstore.store"),
        ("boto3", "import boto3; boto3.client('s3', region_name='x')"),
    ):
        cpu, peak = fresh(code)
        print(f"{name}: {cpu * 1000:.0f} ms of CPU and {peak} MB until it is ready")


def fresh(code: str) -> tuple[float, int]:
    """CPU seconds and peak memory (MB) of a new interpreter, the least of several."""
    report = "\nimport resource; u = resource.getrusage(0); print(u.ru_utime + u.ru_stime)"
    # Unlike ru_maxrss, it begins anew with the program.
    report += "\nprint(open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    told = [
        subprocess.run([sys.executable, "-c", code + report], env=env, capture_output=True, text=True, check=True)
        for _ in range(RUNS)
    ]
    return min((float(cpu), int(peak) // 1024) for cpu, peak in (one.stdout.split() for one in told))


def bench_download(folder: Path) -> None:
    """What verifying costs beside downloading, on a RAM disk where there is one."""
    for rate in (LIMIT, None):
        with raw_server(GIB, rate) as address:
            print(f"{rate / 1e6:.0f} MB/s:" if rate else "no limit:", _download(s3(address), folder))


def _download(store: ObjectStore, folder: Path) -> str:
    info = ObjectInfo("k", GIB, None, '"x"')
    wall, cpu = measured(lambda: plain(store, info, folder / "plain"))
    more, more_cpu = measured(lambda: verified(store, [info], folder / "store"))
    streamed, _ = measured(lambda: hash_all(store, [info]))
    return (
        f"download {wall:.2f} s; download + verify {more:.2f} s = {more / wall:.2f} times, {more_cpu - cpu:+.2f} CPU s;"
        f" verify without keeping {streamed:.2f} s = {streamed / wall:.2f} times"
    )


def bench_cache(folder: Path) -> None:
    """A hit for 200 files."""
    model = folder / "model"
    model.mkdir()
    for number in range(200):
        (model / f"{number}.bin").write_bytes(b"x")
    cache, question = VerifiedCache(folder / "cache"), Question("p", "k", "t", "r")
    assert cache.remember(model, question, snapshot(model))
    wall, _ = measured(lambda: [cache.holds(model, question) for _ in range(100)])
    print(f"a hit for 200 files: {wall * 10:.2f} ms")


BENCHES = {
    "hash": bench_hash,
    "memory": bench_memory,
    "clients": bench_clients,
    "download": bench_download,
    "cache": bench_cache,
}


def main() -> None:
    """Run those that are named, or all."""
    memory = Path("/dev/shm")
    for name in sys.argv[1:] or BENCHES:
        print(f"--- {name}")
        folder = Path(tempfile.mkdtemp(prefix="aegis-bench-", dir=memory if memory.is_dir() else None))
        try:
            BENCHES[name](folder)
        finally:
            subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
