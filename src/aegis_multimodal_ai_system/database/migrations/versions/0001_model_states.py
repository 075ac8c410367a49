"""The states of models."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "model_states",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("digest", sa.Text),
        sa.Column("version", sa.Text),
        sa.Column("signer", sa.Text),
        sa.Column("reason", sa.Text),
        sa.Column("changed", sa.DateTime(timezone=True), nullable=False),
        sa.Column("floor_version", sa.Text),
        sa.Column("floor_digest", sa.Text),
        sa.CheckConstraint("state IN ('verified', 'unverified', 'quarantined', 'revoked')", name="model_states_state"),
    )
