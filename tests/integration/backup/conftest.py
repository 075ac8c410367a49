"""A real PostgreSQL for the tests that need no other one, and no limit that a busy machine would break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases.patient_aegis import patient
from tests.support.databases.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]


@pytest.fixture(autouse=True, scope="module")
def patient_module() -> Iterator[None]:
    """For all tests."""
    with patient():
        yield
