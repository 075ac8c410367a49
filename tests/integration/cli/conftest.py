from __future__ import annotations

from tests.support.scanning_fixtures import engine, hermetic, repo

__all__ = ["engine", "hermetic", "repo"]
