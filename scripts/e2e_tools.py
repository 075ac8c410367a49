"""Make sure that the tools of the end-to-end tests are there: Go, javac and Maven.

What is missing is installed from Debian's packages, which needs root; nothing that is there is changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = {"javac": "openjdk-17-jdk-headless", "mvn": "maven", "go": "golang-go"}
"""Program to the Debian package that brings it."""


def main() -> int:
    """Install what is missing; say what cannot be had."""
    missing = {program: package for program, package in PACKAGES.items() if shutil.which(program) is None}
    if not missing:
        return 0
    names = ", ".join(sorted(missing))
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        print(f"missing: {names}; install {' '.join(missing.values())}, or run this as root on Debian", file=sys.stderr)
        return 1
    subprocess.run(["apt-get", "update", "-q"], check=True)
    install = ["apt-get", "install", "-q", "-y", "--no-install-recommends", *missing.values()]
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(install, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
