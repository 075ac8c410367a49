"""No limit that a busy machine would break."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.databases.patient_aegis import patient


@pytest.fixture(autouse=True, scope="module")
def patient_module() -> Iterator[None]:
    """For all tests."""
    with patient():
        yield
