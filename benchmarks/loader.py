"""What a verified load costs beside a bare download: `python benchmarks/loader.py [large] [small] [import]`.

large: 1 GiB, in one file and in four, beside a raw obstore download (to disk and to nowhere), boto3 with a hash, and a
bare SHA-256 pass. small: 200 files of 64 KiB beside obstore, sync and async. import: until the loader can be called.

Everything over loopback from versitygw, where its binary is cached (tests/e2e/tools), each in turn in one run; wall
seconds, the least of several runs. A load is whole: policy, signature, audit log (durable), states, formats, hand-out.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "src"), str(ROOT)]

import boto3  # noqa: E402 - the path comes first
import obstore  # noqa: E402
import yaml  # noqa: E402
from obstore.store import S3Store as Obstore  # noqa: E402

from aegis_multimodal_ai_system.orchestrator_verify_loader import (  # noqa: E402
    VerifiedModel,
    fetch_and_prepare_model_for_load,
)
from aegis_multimodal_ai_system.runtime import Runtime  # noqa: E402
from tests.e2e.verify.versitygw import REGION, ROOT_KEY, ROOT_SECRET, free_port, running  # noqa: E402
from tests.support.runtime.deployments import safetensors  # noqa: E402
from tests.support.signing.signing import pem  # noqa: E402
from tests.support.signing.verifying import KEYS, model_signature  # noqa: E402

MIB, GIB = 1 << 20, 1 << 30
RUNS = 3
CHUNK = 256 * 1024
TOOLS = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aegis-tests/go"


@contextmanager
def gateway(folder: Path) -> Iterator[str]:
    """versitygw with one bucket."""
    found = sorted(TOOLS.glob("versitygw-*/**/versitygw")) + sorted(TOOLS.glob("versitygw-*"))
    program = next((path for path in found if path.is_file()), None)
    if program is None:
        raise SystemExit(f"there is no versitygw below {TOOLS}: `make test-e2e` builds it")
    port = free_port()
    (folder / "objects").mkdir()
    environ = {"PATH": os.environ["PATH"], "ROOT_ACCESS_KEY": ROOT_KEY, "ROOT_SECRET_KEY": ROOT_SECRET}
    arguments = [str(program), "--port", f"127.0.0.1:{port}", "posix", str(folder / "objects")]
    with running("s3", folder, arguments, port, environ) as address:
        yield address


class Bench:
    """A bucket with a signed model, and everybody who can fetch it."""

    def __init__(self, folder: Path, address: str, files: Mapping[str, bytes]) -> None:
        self.folder, self.files = folder, files
        self.size = sum(map(len, files.values()))
        os.environ.update(AWS_ACCESS_KEY_ID=ROOT_KEY, AWS_SECRET_ACCESS_KEY=ROOT_SECRET, AWS_REGION=REGION)
        self.boto: Any = boto3.client("s3", endpoint_url=address, region_name=REGION)
        self.boto.create_bucket(Bucket="models")
        for name, content in {**files, "model.sig": model_signature(files)}.items():
            self.boto.put_object(Bucket="models", Key=f"m/{name}", Body=content)
        options: Any = {"allow_http": True}
        self.store = Obstore("models", endpoint=address, region=REGION, client_options=options)
        artifact = {"name": "m", "kind": "model", "source": "s3://models/m/", "signers": [{"key": "key.pub"}]}
        verify = {"aws": {"region": REGION, "s3-endpoint": address}, "artifacts": [artifact]}
        (folder / "aegis.yml").write_text(yaml.safe_dump({"version": 1, "verify": verify}))
        (folder / "key.pub").write_text(pem(KEYS[0]))

    def runtime(self, handoff: str, kept_bytes: int = 100 * GIB) -> Runtime:
        """A deployment with a log and a database of its own."""
        data = self.folder / f"data-{handoff}-{kept_bytes}"
        environ = {"AEGIS_POLICY": str(self.folder / "aegis.yml"), "AEGIS_DATA": str(data), "AEGIS_HANDOFF": handoff}
        return Runtime.from_environment({**environ, "AEGIS_KEPT_BYTES": str(kept_bytes)})

    def load(self, runtime: Runtime, *, kept: bool = False) -> float:
        """Seconds of one load, from the store or from what is kept."""
        if not kept:
            for each in runtime.fetcher.kept.kept():
                runtime.fetcher.kept.remove(each.digest)
        begun = time.perf_counter()
        with fetch_and_prepare_model_for_load("m", runtime=runtime) as model:
            seconds = time.perf_counter() - begun
            self.check(model)
        return seconds

    def check(self, model: VerifiedModel) -> None:
        """It is the model, all of it."""
        assert {name: file.size for name, file in model.files.items()} == {n: len(c) for n, c in self.files.items()}

    def raw(self, *, to_disk: bool) -> None:
        """obstore alone, one stream after another."""
        for number, name in enumerate(self.files):
            stream = obstore.get(self.store, f"m/{name}").stream(CHUNK)
            if not to_disk:
                for _ in stream:
                    pass
                continue
            with (self.folder / f"raw-{number}").open("wb", buffering=0) as file:
                for chunk in stream:
                    file.write(chunk)
            (self.folder / f"raw-{number}").unlink()

    def raw_async(self) -> None:
        """obstore alone, all at once, into memory."""

        async def one(name: str) -> int:
            got = await obstore.get_async(self.store, f"m/{name}")
            return len(await got.bytes_async())

        async def all_of_them() -> int:
            return sum(await asyncio.gather(*map(one, self.files)))

        assert asyncio.run(all_of_them()) == self.size

    def boto_hash(self) -> None:
        """boto3 and a hash, to disk."""
        for number, name in enumerate(self.files):
            digest = hashlib.sha256()
            with (self.folder / f"boto-{number}").open("wb", buffering=0) as file:
                for chunk in self.boto.get_object(Bucket="models", Key=f"m/{name}")["Body"].iter_chunks(CHUNK):
                    digest.update(chunk)
                    file.write(chunk)
            (self.folder / f"boto-{number}").unlink()

    def sha256(self) -> None:
        """A bare pass over what is in memory already."""
        for content in self.files.values():
            hashlib.sha256(content)


def timed(do: Callable[[], object]) -> float:
    begun = time.perf_counter()
    do()
    return time.perf_counter() - begun


def in_turn(candidates: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """The least of several runs of each, all in turn, so that a busy machine is busy for all."""
    best = dict.fromkeys(candidates, float("inf"))
    for _ in range(RUNS):
        for name, run in candidates.items():
            best[name] = min(best[name], run())
    return best


def tell(best: Mapping[str, float], size: int, against: float) -> None:
    for name, seconds in best.items():
        print(f"  {name:<44} {seconds:7.3f} s {size / MIB / seconds:7.0f} MiB/s {seconds / against:6.2f}")


def peers(bench: Bench) -> dict[str, Callable[[], float]]:
    return {
        "raw obstore, to nowhere": lambda: timed(lambda: bench.raw(to_disk=False)),
        "raw obstore, to disk": lambda: timed(lambda: bench.raw(to_disk=True)),
        "a bare SHA-256 pass": lambda: timed(bench.sha256),
        "boto3 and a hash, to disk": lambda: timed(bench.boto_hash),
    }


def loads(bench: Bench) -> dict[str, Callable[[], float]]:
    sealed, disk, unkept = bench.runtime("sealed"), bench.runtime("disk"), bench.runtime("sealed", 0)
    return {
        "verified load, sealed, kept on disk": lambda: bench.load(sealed),
        "verified load, sealed, nothing kept": lambda: bench.load(unkept),
        "verified load, files on disk": lambda: bench.load(disk),
        "again from what is kept, sealed": lambda: bench.load(sealed, kept=True),
        "again from what is kept, files on disk": lambda: bench.load(disk, kept=True),
    }


def bench_large() -> None:
    """1 GiB."""
    for count in (1, 4):
        with workplace() as folder, gateway(folder) as address:
            weights = safetensors(os.urandom(GIB // count))
            bench = Bench(folder, address, {f"{number}.safetensors": weights for number in range(count)})
            best = in_turn({**peers(bench), **loads(bench)})
            against = max(best["raw obstore, to disk"], best["a bare SHA-256 pass"])
            print(f"1 GiB in {count} file(s); the last column beside the slower of raw obstore to disk and SHA-256")
            tell(best, bench.size, against)


def bench_small() -> None:
    """200 files."""
    with workplace() as folder, gateway(folder) as address:
        bench = Bench(folder, address, {f"{n:03}.safetensors": safetensors(os.urandom(64 * 1024)) for n in range(200)})
        best = in_turn({"raw obstore, async": lambda: timed(bench.raw_async), **peers(bench), **loads(bench)})
        print("200 files of 64 KiB; the last column beside raw obstore, async")
        tell(best, bench.size, best["raw obstore, async"])


def bench_import() -> None:
    """A fresh interpreter."""
    code = (
        "import time; begun = time.perf_counter(); import {}; "
        "print(time.perf_counter() - begun, open('/proc/self/status').read().split('VmHWM:')[1].split()[0])"
    )
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    for module in ("aegis_multimodal_ai_system.orchestrator_verify_loader", "obstore", "boto3", "sqlalchemy"):
        argv = [sys.executable, "-c", code.format(module)]
        told = [subprocess.run(argv, env=environ, capture_output=True, text=True, check=True).stdout for _ in range(9)]
        seconds = min(float(one.split()[0]) for one in told)
        print(f"  import {module}: {seconds * 1000:.0f} ms, {int(told[0].split()[1]) // 1024} MB")


@contextmanager
def workplace() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="aegis-bench-"))
    try:
        yield folder
    finally:
        subprocess.run(["chmod", "-R", "u+w", str(folder)], check=False)
        shutil.rmtree(folder, ignore_errors=True)


BENCHES = {"large": bench_large, "small": bench_small, "import": bench_import}


def main() -> None:
    """Run those that are named, or all."""
    for name in sys.argv[1:] or BENCHES:
        print(f"--- {name}")
        BENCHES[name]()
    print(f"peak of this process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")


if __name__ == "__main__":
    main()
