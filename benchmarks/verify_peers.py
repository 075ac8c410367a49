"""Whole commands beside cosign, the sigstore CLI and model_signing: `python -I benchmarks/verify_peers.py [--large]`.

CPU seconds (user and system) and peak memory of one process, medians of runs that take turns, so that a busy machine
slows all alike; the ratio is of the medians. All verify the same artifact with the same signature, offline. cosign is
built by Go with the pins of tests/e2e/tools, the others come from locks/dev.txt. `--large` adds files of 2 GiB and
10,000 files, which need that much disk. Peers that cannot verify a kind of signature have no row.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "src")]

from tests.doubles.sigstore.signer import AT, IDENTITY, ISSUER, PrivateSigstore  # noqa: E402 - the tree comes first
from tests.support.programs.gomod import program  # noqa: E402

BIN = Path(sys.executable).parent
LAUNCHER = [sys.executable, "-I", "-X", "utf8", str(ROOT / "src/aegis/startup/launch.py")]
GIB = 1 << 30


@dataclass(frozen=True)
class Cost:
    """Of one process."""

    cpu: float
    memory: float
    """MiB at the peak."""


@dataclass(frozen=True)
class Row:
    """One task and who does it; we stand first."""

    title: str
    commands: Mapping[str, Sequence[str]]
    runs: int = 7


def cost(argv: Sequence[str], env: Mapping[str, str]) -> Cost:
    """Run it once. It must succeed, or there is nothing to compare."""
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(argv, env=dict(env), stdout=said, stderr=said, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != 0:
            said.seek(0)
            raise SystemExit(f"{' '.join(argv[:6])} ended with {child.returncode}: {said.read()[-2000:].decode()}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def measure(row: Row, env: Mapping[str, str]) -> None:
    """Let all commands take turns, and print their medians."""
    found: dict[str, list[Cost]] = {name: [] for name in row.commands}
    for turn in range(row.runs + 1):
        for name, argv in row.commands.items():
            got = cost(argv, env)
            if turn:  # the first fills the page cache and writes byte code
                found[name].append(got)
    ours = statistics.median(each.cpu for each in found["aegis"])
    print(f"\n{row.title}")
    for name, costs in found.items():
        cpu, memory = statistics.median(c.cpu for c in costs), statistics.median(c.memory for c in costs)
        beside = "" if name == "aegis" else f"   aegis / {name} = {ours / cpu:.2f}"
        print(f"  {name:16} {cpu:7.3f} s CPU {memory:7.0f} MiB{beside}")


@contextmanager
def artifacts(*, large: bool) -> Iterator[Path]:
    """The folder with all artifacts, keys and signatures."""
    with tempfile.TemporaryDirectory(prefix="aegis-bench-") as temporary:
        folder = Path(temporary)
        run(
            [
                "openssl",
                "genpkey",
                "-algorithm",
                "EC",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-out",
                folder / "key.pem",
            ]
        )
        run(["openssl", "pkey", "-in", folder / "key.pem", "-pubout", "-out", folder / "key.pub"])
        (folder / "small.bin").write_bytes(b"weights")
        sign(folder, "file", folder / "small.bin")
        sigstore = PrivateSigstore()
        (folder / "root.json").write_bytes(sigstore.trusted_root())
        (folder / "keyless.json").write_text(json.dumps(sigstore.sign_file(b"weights")))
        models = {"model-200": (200, 10 << 10), **({"model-10000": (10_000, 1 << 10)} if large else {})}
        for name, (count, size) in models.items():
            model = folder / name
            model.mkdir()
            for number in range(count):
                (model / f"part-{number:05}.bin").write_bytes(number.to_bytes(4, "big") * (size // 4))
            sign(folder, "model", model, "--signature", folder / f"{name}.sig")
        if large:
            with (folder / "large.bin").open("wb") as file:
                file.truncate(2 * GIB)
            sign(folder, "file", folder / "large.bin")
        yield folder


def sign(folder: Path, kind: str, artifact: Path, *more: str | Path) -> None:
    """Sign it as users do."""
    run([*LAUNCHER, "sign", kind, artifact, "--key", folder / "key.pem", *more])


def run(argv: Sequence[str | Path]) -> None:
    """Run it; it must succeed."""
    subprocess.run([str(word) for word in argv], check=True, stdout=subprocess.DEVNULL)


def rows(folder: Path, cosign: Path, *, large: bool) -> Iterator[Row]:
    """Every task."""

    def by_key(name: str) -> dict[str, Sequence[str]]:
        file, bundle, key = (str(folder / each) for each in (name, f"{name}.sigstore.json", "key.pub"))
        return {
            "aegis": [*LAUNCHER, "verify", "file", file, "--key", key, "--bundle", bundle],
            "cosign": [str(cosign), "verify-blob", "--key", key, "--bundle", bundle, "--insecure-ignore-tlog", file],
        }

    def model(name: str) -> dict[str, Sequence[str]]:
        there, signature, key = (str(folder / each) for each in (name, f"{name}.sig", "key.pub"))
        return {
            "aegis": [*LAUNCHER, "verify", "model", there, "--key", key, "--signature", signature],
            "model_signing": [
                *(str(BIN / "python"), "-m", "model_signing", "verify", "key", there),
                *("--signature", signature, "--public_key", key),
            ],
        }

    small, bundle, root = (str(folder / each) for each in ("small.bin", "keyless.json", "root.json"))
    who = ("--certificate-identity", IDENTITY, "--certificate-oidc-issuer", ISSUER)
    yield Row("cold start, key", by_key("small.bin"))
    yield Row(
        "cold start, keyless",
        {
            "aegis": [*LAUNCHER, "verify", "file", small, *who, "--bundle", bundle, "--trusted-root", root],
            "cosign": [str(cosign), "verify-blob", *who, "--bundle", bundle, "--trusted-root", root, small],
            "sigstore CLI": [
                *(str(BIN / "python"), "-m", "sigstore", "--trust-config", str(trust_config(folder)), "verify"),
                *("identity", "--bundle", bundle, "--cert-identity", IDENTITY, "--cert-oidc-issuer", ISSUER, small),
            ],
        },
    )
    yield Row("model of 200 files, 2 MiB", model("model-200"))
    if large:
        yield Row("model of 10,000 files, 10 MiB", model("model-10000"), runs=3)
        yield Row("file of 2 GiB, key", by_key("large.bin"), runs=3)


def trust_config(folder: Path) -> Path:
    """What the sigstore CLI takes in place of a trusted root; the services in it are not asked."""
    url = {
        "url": "https://unused.test",
        "majorApiVersion": 1,
        "operator": "none",
        "validFor": {"start": AT.isoformat()},
    }
    signing = {
        "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
        **{name: [url] for name in ("caUrls", "oidcUrls", "rekorTlogUrls", "tsaUrls")},
        "rekorTlogConfig": {"selector": "ANY"},
        "tsaConfig": {"selector": "ANY"},
    }
    config = {
        "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
        "trustedRoot": json.loads((folder / "root.json").read_bytes()),
        "signingConfig": signing,
    }
    place = folder / "trust-config.json"
    place.write_text(json.dumps(config))
    return place


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--large", action="store_true", help="files of 2 GiB and 10,000 files too")
    large: bool = parser.parse_args().large
    cosign = program(ROOT / "tests" / "e2e" / "tools" / "cosign", "3.1.3")
    env = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with artifacts(large=large) as folder:
        for row in rows(folder, cosign, large=large):
            measure(row, env)
    return 0


if __name__ == "__main__":
    sys.exit(main())
