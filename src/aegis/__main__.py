"""`python -m aegis`."""

from __future__ import annotations

import sys

from aegis.cli.main import main

sys.exit(main())
