"""Backups and their proof beside the pipeline that people write: `python benchmarks/backup.py [rounds] [MB]`.

    naive   pg_dump -Fc | upload (boto3);  download | pg_restore --exit-on-error;  count(*) of every table
    ours    aegis backup run (in parallel, and streamed);  aegis backup verify --tier data, proof, full

Each in turn, in several rounds: wall and CPU seconds as medians, and as ratios to naive; peak memory of our own process
and of all that it started; peak of extra disk. CPU counts the source's server, the target's and all programs; drills
have none, since what the sandboxed engine uses is told to nobody. The store is versitygw on loopback; the database is
pgbench's and a table of wide rows with a GIN and two B-tree indexes. The naive target is a server with PostgreSQL's
default settings.
"""

from __future__ import annotations

import io
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:1] = [str(ROOT / "src"), str(ROOT)]  # not this folder, whose jwt.py is not the library

import psycopg  # noqa: E402 - the path comes first
from psycopg import sql  # noqa: E402

from aegis.adapters.objects.s3_writing import WritableS3  # noqa: E402
from aegis.core.policy import Tier  # noqa: E402
from tests.e2e.backup.gateway import CREDENTIALS, Gateway, serving  # noqa: E402
from tests.e2e.verify.versitygw import REGION, client  # noqa: E402
from tests.support.databases.postgres import Server, running  # noqa: E402

MB = 10**6
ROUNDS = 3
SIZE = 1200
TIERS: tuple[Tier, ...] = ("data", "proof", "full")
"""MB of the database, at least."""
DEFAULTS = ("shared_buffers=128MB", "max_wal_size=1GB", "autovacuum=on", "jit=on", "fsync=on", "full_page_writes=on")
"""PostgreSQL's own, in the place of the tests' small ones."""
WIDE = """
CREATE TABLE IF NOT EXISTS events (id bigserial PRIMARY KEY, at timestamptz, kind text, body jsonb, note text,
    payload bytea);
INSERT INTO events (at, kind, body, note, payload)
    SELECT timestamptz '2026-01-01' + i * interval '1 s', (ARRAY['view', 'cart', 'paid'])[1 + i % 3],
        jsonb_build_object('user', i % 50000, 'path', '/shop/' || md5((i % 1000)::text), 'n', i),
        repeat(md5(i::text), 8), decode(repeat(md5((-i)::text), 12), 'hex')
    FROM generate_series({}, {}) AS i
"""
INDEXES = """
CREATE INDEX events_body ON events USING gin (body);
CREATE INDEX events_at ON events (at);
CREATE INDEX events_kind ON events (kind, at);
"""
WIDE_ROW = 1000
"""Bytes of one, with its indexes."""


@dataclass
class Cost:
    """Of one run."""

    wall: float
    cpu: float
    own: int = 0
    """Bytes: the most memory of the first process."""
    all: int = 0
    """Bytes: the most memory of it and its children together, shared pages counted once each (PSS)."""
    disk: int = 0
    """Bytes: the most that was on disk in its folder for temporary files."""
    said: Any = None


# --- what runs in processes of their own ------------------------------------------------------------------------------


def child(what: str, address: str, key: str) -> None:
    """One end of a pipe, or one of ours. Secrets come in the environment."""
    if what in ("upload", "download"):
        s3 = client("s3", address, CREDENTIALS)
        from boto3.s3.transfer import S3Transfer

        transfer = S3Transfer(s3)._manager
        if what == "upload":
            transfer.upload(sys.stdin.buffer, "models", key).result()
        else:
            transfer.download("models", key, NoSeek(sys.stdout.buffer)).result()
            sys.stdout.buffer.flush()
        return
    store = WritableS3("models", REGION, lambda: CREDENTIALS, endpoint=address)
    said: dict[str, Any]
    if what in ("run", "stream"):
        from aegis.backup.layout import RECORDS
        from aegis.cli.backup.stores import Place, Places
        from aegis.cli.backup.taking import Wishes, back_up
        from aegis.core.policy import BackedUp, BackupCheckPolicy

        policy = BackupCheckPolicy(store="s3://models/")
        wishes = Wishes(url=os.environ.pop("DATABASE_URL"), stream=what == "stream", jobs=2)
        places = Places(Place(store, key), Place(store, f"{key}{RECORDS}"))
        taken = back_up(policy, BackedUp(name="bench"), places, wishes, os.environ)
        said = {"folder": taken.folder, "size": taken.size}
    else:
        from aegis.cli.backup.drill import drill

        tier = next(each for each in TIERS if each == what)
        found = drill(store, key, tier=tier, jobs=2, engine=Path(os.environ["ENGINE"]))
        if found.outcome != "PASS":
            raise SystemExit(f"{found.outcome}: {found.problem}")
        said = {"seconds": {phase: round(seconds, 2) for phase, seconds in found.seconds.items()}}
    told = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text("ascii"))
    print(json.dumps({**said, "own": int(told[1]) * 1024 if told else 0}))


class NoSeek(io.RawIOBase):
    """A pipe, for a library that else takes it for a file."""

    def __init__(self, to: Any) -> None:
        self._to = to

    def write(self, data: Any) -> int:
        self._to.write(data)
        return len(data)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False


# --- the measuring ----------------------------------------------------------------------------------------------------


@dataclass
class Bench:
    """What all runs share."""

    source: Server
    target: Server
    gateway: Gateway
    folder: Path
    """For temporary files."""
    costs: defaultdict[str, list[Cost]] = field(default_factory=lambda: defaultdict(list))

    def measure(self, name: str, do: Callable[[dict[str, str]], Any], *servers: Server) -> Any:
        """Run it, with a folder of its own; what it said."""
        with tempfile.TemporaryDirectory(dir=self.folder) as temporary:
            surroundings = {
                **os.environ,
                "PATH": f"{self.source.bin}:{os.environ['PATH']}",
                "TMPDIR": temporary,
                "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}",
                "ENGINE": str(self.source.bin),
            }
            before, watch = self._cpu(servers), Watch(Path(temporary))
            began = time.perf_counter()
            with watch:
                said = do(surroundings)
            cost = Cost(time.perf_counter() - began, self._cpu(servers) - before, all=watch.memory, disk=watch.disk)
        cost.said = json.loads(said) if said else {}
        cost.own = cost.said.get("own", 0)
        self.costs[name].append(cost)
        print(f"  {name:16} {cost.wall:7.1f} s wall {cost.cpu:7.1f} s CPU  {cost.said.get('seconds', '')}", flush=True)
        return cost.said

    @staticmethod
    def _cpu(servers: tuple[Server, ...]) -> float:
        """Of our children that ended, and of the servers with all of their sessions that ended."""
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        total = used.ru_utime + used.ru_stime
        for server in servers:
            assert server._process is not None
            fields = Path(f"/proc/{server._process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return total


class Watch:
    """Looks at the memory of all children and at a folder's size, some times a second."""

    def __init__(self, folder: Path) -> None:
        self.memory = self.disk = 0
        self._folder = folder
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> None:
        self._before = set(below(os.getpid()))
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.25):
            self.memory = max(self.memory, sum(map(pss, set(below(os.getpid())) - self._before)))
            self.disk = max(self.disk, used(self._folder))


def below(pid: int) -> Iterator[int]:
    """All processes that it has started and that are there yet."""
    try:
        told = " ".join(file.read_text("ascii") for file in Path(f"/proc/{pid}/task").glob("*/children"))
    except OSError:
        return
    for each in map(int, told.split()):
        yield each
        yield from below(each)


def pss(pid: int) -> int:
    try:
        found = re.search(r"Pss:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text("ascii"))
    except OSError:
        return 0
    return int(found[1]) * 1024 if found else 0


def used(folder: Path) -> int:
    """Bytes that it takes on the disk."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.lstat(f"{root}/{name}").st_blocks * 512
            except OSError:
                continue
    return total


def piped(first: list[str], second: list[str], environ: dict[str, str]) -> None:
    """`first | second`, with pipefail."""
    with subprocess.Popen(first, stdout=subprocess.PIPE, env=environ) as one:
        two = subprocess.run(second, stdin=one.stdout, env=environ, check=False)
        assert one.stdout is not None
        one.stdout.close()
    if one.returncode or two.returncode:
        raise SystemExit(f"{first[0]} | {second[0]}: {one.returncode}, {two.returncode}")


def ours(what: str, address: str, key: str, environ: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, __file__, "child", what, address, key], env=environ, stdout=subprocess.PIPE, text=True,
        check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"{what}: exit code {done.returncode}")
    return done.stdout


def round_of(bench: Bench, number: int) -> int:
    """One of each; the size of the backup."""
    address, url = bench.gateway.address, bench.source.url("bench")
    end = [sys.executable, __file__, "child"]
    naive = f"naive/{number}"

    def dump(environ: dict[str, str]) -> None:
        command = [str(bench.source.bin / "pg_dump"), "-Fc", bench.source.socket_url("bench")]
        piped(command, [*end, "upload", address, naive], environ)

    def back(environ: dict[str, str]) -> None:
        name = bench.target.new_database("template0")
        command = [str(bench.target.bin / "pg_restore"), "--exit-on-error", "-d", bench.target.socket_url(name)]
        piped([*end, "download", address, naive], command, environ)
        with psycopg.connect(bench.target.socket_url(name)) as connection:
            for (table,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
            ).fetchall():
                connection.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
        names.append(name)

    names: list[str] = []
    bench.measure("naive backup", dump, bench.source)
    secret = {"DATABASE_URL": url}
    bench.measure("stream", lambda e: ours("stream", address, f"s{number}/", {**e, **secret}), bench.source)
    taken = bench.measure("run", lambda e: ours("run", address, f"r{number}/", {**e, **secret}), bench.source)
    bench.measure("naive restore", back, bench.target)
    bench.target.drop_database(names[0])
    for tier in TIERS:
        bench.measure(tier, partial(ours, tier, address, taken["folder"]))
    for one in bench.gateway.s3.list_object_versions(Bucket="models").get("Versions", []):
        bench.gateway.s3.delete_object(Bucket="models", Key=one["Key"], VersionId=one["VersionId"])
    return int(taken["size"])


def fill(server: Server, megabytes: int) -> int:
    """pgbench's tables and as much of wide rows; the size of the database."""
    with psycopg.connect(server.socket_url(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE bench TEMPLATE template0")
    scale = max(1, megabytes // 2 // 15)
    subprocess.run(
        [server.bin / "pgbench", "--quiet", "-i", "-s", str(scale), server.socket_url("bench")], check=True,
        stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    rows = megabytes // 2 * MB // WIDE_ROW
    with psycopg.connect(server.socket_url("bench"), autocommit=True) as connection:
        for start in range(1, rows, 100_000):
            connection.execute(WIDE.format(start, min(rows, start + 99_999)).encode())
        connection.execute(INDEXES)
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")
        (size,) = connection.execute("SELECT pg_database_size('bench')").fetchone() or (0,)
    return int(size)


@contextmanager
def workplace() -> Iterator[Path]:
    """The path of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as folder:
        yield Path(folder)


def told(bench: Bench, size: int, stored: int) -> None:
    """The table."""
    middle = {
        name: (statistics.median(each.wall for each in found), statistics.median(each.cpu for each in found))
        for name, found in bench.costs.items()
    }
    base = {"run": "naive backup", "stream": "naive backup"}
    print(f"\ndatabase {size / MB:.0f} MB, backup {stored / MB:.0f} MB; medians of {len(bench.costs['run'])} rounds")
    print(f"{'':16}{'wall s':>8}{'CPU s':>8}{'wall x':>8}{'CPU x':>8}{'own MB':>8}{'all MB':>8}{'disk MB':>9}")
    for name, (wall, cpu) in middle.items():
        to = middle[base.get(name, "naive restore" if name != "naive backup" else name)]
        most = [max(getattr(each, what) for each in bench.costs[name]) / MB for what in ("own", "all", "disk")]
        # the sandboxed engine is no child of ours, so nobody tells us what it has used
        used_cpu = f"{'-':>8}" if name in TIERS else f"{cpu:8.1f}"
        cpu_ratio = f"{'-':>8}" if name in TIERS else f"{cpu / to[1]:8.2f}"
        print(f"{name:16}{wall:8.1f}{used_cpu}{wall / to[0]:8.2f}{cpu_ratio}{most[0]:8.0f}{most[1]:8.0f}{most[2]:9.0f}")
    naive = sum(middle[name][0] for name in ("naive backup", "naive restore"))
    for tier in TIERS:
        print(f"whole, {tier}: {(middle['run'][0] + middle[tier][0]) / naive:.2f} of naive's wall")


def main(rounds: int, megabytes: int) -> None:
    with (
        workplace() as folder,
        running(settings=("shared_buffers=256MB", "max_wal_size=4GB")) as source,
        running(settings=DEFAULTS) as target,
        serving(folder) as gateway,
    ):
        size = fill(source, megabytes)
        bench = Bench(source, target, gateway, folder)
        stored = 0
        for number in range(rounds):
            print(f"round {number + 1}, load {os.getloadavg()[0]:.1f}", flush=True)
            stored = round_of(bench, number)
        told(bench, size, stored)


if __name__ == "__main__":
    if sys.argv[1:2] == ["child"]:
        child(*sys.argv[2:])
    else:
        main(*(int(given) for given in [*sys.argv[1:], *map(str, (ROUNDS, SIZE)[len(sys.argv) - 1 :])]))
