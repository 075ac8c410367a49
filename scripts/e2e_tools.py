"""Make sure that the tools of the end-to-end tests are there, and print the folder of Go's program.

javac and Maven come from Debian's packages where they are missing, which needs root. Go is the machine's own if it is
new enough for `tests/e2e/tools`, else the one of `locks/go.txt`. Nothing that is there is changed.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "src"))

from aegis.startup import surroundings  # noqa: E402 - the source tree must be found first
from aegis.startup.environment import environment  # noqa: E402

PACKAGES = {"javac": "openjdk-17-jdk-headless", "mvn": "maven"}
"""Program to the Debian package that brings it."""
MINIMUM_GO = (1, 26)
"""What the newest of the tools asks for in its go.mod."""


def main() -> int:
    """Install what is missing; say what cannot be had."""
    missing = {program: package for program, package in PACKAGES.items() if shutil.which(program) is None}
    if missing and not _install(missing):
        return 1
    print(_go_folder())
    return 0


def _install(missing: dict[str, str]) -> bool:
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        names, packages = ", ".join(sorted(missing)), " ".join(missing.values())
        print(f"missing: {names}; install {packages}, or run this as root on Debian", file=sys.stderr)
        return False
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing.values()]
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    steps = (["apt-get", "update", "-q"], install)
    return all(subprocess.run(step, env=quiet, stdout=sys.stderr, check=False).returncode == 0 for step in steps)


def _go_folder() -> Path:
    own = shutil.which("go")
    if own is not None:
        told = subprocess.run([own, "version"], capture_output=True, text=True, check=False).stdout
        found = re.search(r"go(\d+)\.(\d+)", told)
        if found and (int(found[1]), int(found[2])) >= MINIMUM_GO:
            return Path(own).parent
    place = environment("go", ROOT, surroundings.cache_folder(os.environ))
    return next(place.glob("lib/python*/site-packages/go/bin/go")).parent


if __name__ == "__main__":
    sys.exit(main())
