"""How much CPU an action needs until its gate may run, beside `python -m venv` and pip: `python benchmarks/startup.py`.

CPU seconds (user and system, of all child processes), the least of several runs, since other work on the machine
lengthens the wall clock more than the CPU. Network time is in neither. The same wheels are installed both ways.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 2
SEMGREP = re.search(r"semgrep==\S+", (ROOT / "locks" / "semgrep.txt").read_text("utf-8"))
STARTUP = f"""
import sys
sys.path.append({str(ROOT / "src")!r})
import os
from pathlib import Path
from aegis.startup.environment import environment
for name in sys.argv[2:]:
    environment(name, Path({str(ROOT)!r}), Path(sys.argv[1]))
"""


def base_python() -> str:
    """The interpreter that a runner would have, with pip."""
    return str(getattr(sys, "_base_executable", sys.executable))


def cpu(argv: list[str], env: Mapping[str, str], expect: int = 0) -> float:
    """CPU seconds of one command and its children."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(argv, env=dict(env), capture_output=True, text=True, check=False)
    if done.returncode != expect:
        raise SystemExit(f"{argv[:4]} ended with {done.returncode}: {done.stderr[-2000:]}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def least(measure: Callable[[Path], float]) -> float:
    """The least of several runs, each in a folder of its own."""
    found = []
    for _ in range(RUNS):
        folder = Path(tempfile.mkdtemp(prefix="aegis-bench-"))
        try:
            found.append(measure(folder))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    return min(found)


def startup(names: tuple[str, ...], env: Mapping[str, str], *, uv: bool, warm: bool) -> Callable[[Path], float]:
    """Our way: with or without uv on the machine, with or without what an earlier gate of the job has built."""

    def measure(folder: Path) -> float:
        argv = [base_python(), "-I", "-c", STARTUP, str(folder)]
        if warm:
            cpu([*argv, *names], env)
        elif uv:
            fetch = "from aegis.startup.uv import find_uv; find_uv(Path(sys.argv[2]), Path(sys.argv[1]), os.environ)"
            code = STARTUP.replace("for name in sys.argv[2:]:", "for name in ():") + fetch
            cpu([base_python(), "-I", "-c", code, str(folder), str(ROOT)], env)
        return cpu([*argv, *names], env)

    return measure


def tier0(folder: Path, env: Mapping[str, str]) -> float:
    """A step with a wrong input, until it is red."""
    (folder / ".git").mkdir()
    wrong = {**env, "AEGIS_INPUT_STRICT": "maybe", "GITHUB_WORKSPACE": str(folder)}
    argv = [base_python(), "-I", str(ROOT / "src/aegis/startup/main.py"), "run", "scan"]
    return cpu(argv, wrong, expect=2)


def pip(requirements: tuple[str, ...], env: Mapping[str, str]) -> Callable[[Path], float]:
    """The usual way: a virtual environment and pip in it, without a cache; semgrep with all that it asks for."""

    def measure(folder: Path) -> float:
        made = cpu([base_python(), "-m", "venv", str(folder / "venv")], env)
        install = [str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "--no-cache-dir", *requirements]
        return made + cpu(install, env)

    return measure


def main() -> int:
    """Measure and print."""
    kept = ("PATH", "HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "HTTPS_PROXY")
    env = {name: os.environ[name] for name in kept if name in os.environ}
    env["PATH"] = "/usr/local/bin:/usr/bin:/bin"
    assert SEMGREP is not None
    bare = least(lambda _: cpu([base_python(), "-I", "-c", "pass"], env))
    print(f"{'bare python3 -I':42} {bare:6.2f} s")
    print(f"{'tier 0 refuses a wrong configuration':42} {least(lambda folder: tier0(folder, env)):6.2f} s")
    rows = (
        ("scan, no candidate", ("scan",), ("msgspec", "PyYAML")),
        ("scan with semgrep", ("scan", "semgrep"), ("msgspec", "PyYAML", SEMGREP.group())),
        ("verify", ("keyless",), ("msgspec", "PyYAML", "cryptography", "botocore", "sigstore==4.5.*")),
    )
    for title, names, requirements in rows:
        theirs = least(pip(requirements, env))
        print(f"\n{title:42} CPU        beside pip\n{'  venv and pip':42} {theirs:6.2f} s")
        for how, uv, warm in (
            ("from nothing", False, False),
            ("uv is there", True, False),
            ("second time", True, True),
        ):
            ours = least(startup(names, env, uv=uv, warm=warm))
            print(f"  {how:40} {ours:6.2f} s   1/{theirs / ours:.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
