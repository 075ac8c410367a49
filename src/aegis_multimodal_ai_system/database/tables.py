"""The tables, as SQLAlchemy sees them; the migrations made them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import CheckConstraint, Column, DateTime, MetaData, Table, Text
from sqlalchemy.types import TypeDecorator

METADATA = MetaData()


class _UtcTime(TypeDecorator[datetime]):
    """UTC in and out; SQLite forgets the zone."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value: Any, dialect: object) -> datetime | None:
        if value is None:
            return None
        time: datetime = value
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)


MODEL_STATES = Table(
    "model_states",
    METADATA,
    Column("name", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("digest", Text),
    Column("version", Text),
    Column("signer", Text),
    Column("reason", Text),
    Column("changed", _UtcTime, nullable=False),
    Column("floor_version", Text),
    Column("floor_digest", Text),
    CheckConstraint("state IN ('verified', 'unverified', 'quarantined', 'revoked')", name="model_states_state"),
)
