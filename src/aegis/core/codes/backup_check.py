"""Reasons of the backup-check gate, and of the backups that it looks at."""

from __future__ import annotations

from aegis.core.codes.code import Code

TABLE: tuple[Code, ...] = ()
