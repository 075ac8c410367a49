"""Make a folder of installed packages ready for an image: `finish_packages.py FOLDER`.

The bytecode names the sources by their hash and is never checked against them: so it is the same in each build, and a
service whose user cannot write starts without compiling.
"""

from __future__ import annotations

import compileall
import sys
from pathlib import Path
from py_compile import PycInvalidationMode


def main() -> int:
    """Compile; and take away what the installer left for itself, which anybody may write."""
    folder = Path(sys.argv[1])
    (folder / ".lock").unlink(missing_ok=True)
    done = compileall.compile_dir(folder, quiet=1, workers=0, invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)
    return 0 if done else 1


if __name__ == "__main__":
    sys.exit(main())
