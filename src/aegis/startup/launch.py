"""What the environment's Python runs: the command line, imported from the action's own tree and nowhere else."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from aegis.cli.main import main

if __name__ == "__main__":  # processes that verify a large log import this, too
    sys.exit(main(sys.argv[1:]))
