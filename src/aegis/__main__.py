"""`python -m aegis`."""

from __future__ import annotations

import sys

from aegis.cli.main import main

if __name__ == "__main__":  # processes that verify a large log import this, too
    sys.exit(main())
