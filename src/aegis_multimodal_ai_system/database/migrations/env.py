"""Run by Alembic, on the connection that `migrating.migrate` hands over."""

from __future__ import annotations

from alembic import context

from aegis_multimodal_ai_system.database.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA, transactional_ddl=True)
context.run_migrations()
