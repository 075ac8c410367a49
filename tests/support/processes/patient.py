"""Limits of time that are no part of what a test is about, set so that a busy machine breaks none of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from aegis.adapters.oidc_discovery import HttpsFetch


@contextmanager
def patient_fetches() -> Iterator[None]:
    """Issuers are waited for: theirs is a thread of the very process that asks them."""
    defaults = HttpsFetch.__init__.__kwdefaults__
    assert defaults
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(defaults, "seconds", 300.0)
        yield
