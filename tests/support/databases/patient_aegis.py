"""The product with longer limits of time, where those are no part of a test: a busy machine keeps no short ones.

In this process `with patient(): …`; as its own process `python -m tests.support.databases.patient_aegis WORDS…` for
`python -m aegis WORDS…`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from aegis.adapters import age
from aegis.adapters.objects import part_upload
from aegis.adapters.postgres import connection as postgres
from aegis.adapters.postgres import session as pg_session
from aegis.adapters.postgres import smoke as pg_smoke
from aegis.storage import parallel

_LONG: Final = 300.0
"""Seconds."""
_LIMITS: Final = (
    (age, "_GRACE", _LONG),
    (parallel, "GRACE", _LONG),
    (part_upload, "_GRACE", _LONG),
    (pg_session, "_CANCEL", _LONG),
    (pg_smoke, "_GRACE", _LONG),
    (postgres, "_CONNECT", int(_LONG)),
    (postgres, "PATIENCE", _LONG),
    (postgres.connect, "__kwdefaults__", {"patience": _LONG}),
)


@contextmanager
def patient() -> Iterator[None]:
    """Servers, threads and parts on their way are waited for."""
    before = [(where, name, getattr(where, name)) for where, name, _ in _LIMITS]
    try:
        for where, name, value in _LIMITS:
            setattr(where, name, value)
        yield
    finally:
        for where, name, value in before:
            setattr(where, name, value)


if __name__ == "__main__":
    from aegis.cli.main import main

    with patient():
        sys.exit(main())
