"""Where things lie in a store: `<prefix><name>/<id>/manifest.json`, and what restores have shown beside it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

RECORDS: Final = "_records/"
"""Below the backups' prefix, where no other is named: no name of a database begins so."""
_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9A-F]{16}")


def databases_folder(prefix: str, name: str) -> str:
    """All backups of a database. `prefix` is empty or ends in `/`."""
    return f"{prefix}{name}/"


def backup_folder(prefix: str, name: str, backup_id: str) -> str:
    """All objects of one backup."""
    return f"{prefix}{name}/{backup_id}/"


def is_backup_id(text: str) -> bool:
    """Whether it is a backup's id (`manifest.backup_id`)."""
    return _ID.fullmatch(text) is not None and time_of(text) is not None


def time_of(backup_id: str) -> datetime | None:
    """The snapshot's time, to the second; None for what is no time."""
    try:
        return datetime.strptime(backup_id[:16], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    except ValueError:
        return None
