"""A real PostgreSQL for the tests that need no other one."""

from __future__ import annotations

from tests.support.postgres import postgres, postgres_url

__all__ = ["postgres", "postgres_url"]
