from __future__ import annotations

from tests.support.scan.scanning_fixtures import engine, hermetic, repo

__all__ = ["engine", "hermetic", "repo"]
