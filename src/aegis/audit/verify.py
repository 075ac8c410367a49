"""Whether a log is what its key signed, and what was done to it if not."""

from __future__ import annotations

from collections.abc import Sequence

from aegis.audit.findings import Report
from aegis.audit.keys import Verifier
from aegis.audit.log import Source


def verify_log(source: Source, vkey: Verifier, against: Sequence[bytes] = ()) -> Report:
    """Read the whole log once. `against`: older checkpoints of it, kept elsewhere.

    Raises CouldNotDecide `audit.unavailable` where the log cannot be read.
    """
    raise NotImplementedError
