"""The settings of the database itself (`ALTER DATABASE … SET`), which no restore of an archive sets.

They are an object of the backup, not a part of the manifest: some keep secrets in them, and the manifest is never
encrypted.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from aegis.backup.inventory import Name
from aegis.core.errors import Refused

_LISTS: Final = frozenset({"search_path", "temp_tablespaces"})
"""Whose value is a list of quoted names, as `GUC_LIST_QUOTE` in PostgreSQL's guc_tables.c says."""
_ENTRY: Final = re.compile(r'\s*(?:"((?:[^"]|"")*)"|([^\s,"]+))\s*(?:,|\Z)')


class OwnSetting(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of them."""

    role: Name | None
    """Whose sessions in this database it is for; None: all of them."""
    name: Name
    value: Annotated[str, Meta(max_length=1 << 20)]
    """As the catalog holds it. It may be a secret: no message shows it."""

    @property
    def told(self) -> str:
        """For messages."""
        return f"the setting {self.name!a}" + (f" for the role {self.role!a}" if self.role is not None else "")

    @property
    def values(self) -> tuple[str, ...]:
        """What `SET` has to be given: a list name by name, else it would be taken for one name."""
        if self.name.lower() not in _LISTS:
            return (self.value,)
        found = _ENTRY.finditer(self.value)
        return tuple(each[2] if each[1] is None else each[1].replace('""', '"') for each in found) or ("",)


def dump_own_settings(settings: Sequence[OwnSetting]) -> bytes:
    """The object's bytes."""
    return msgspec.json.encode(settings)


def parse_own_settings(data: bytes) -> tuple[OwnSetting, ...]:
    """Refused `backup_check.manifest_invalid`."""
    try:
        return msgspec.json.decode(data, type=tuple[OwnSetting, ...])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(
            "backup_check.manifest_invalid",
            f"the settings of the database: {error}",
            expected="settings as `aegis backup run` writes them",
            remedy="Take another backup, and treat this one as damaged or tampered with.",
        ) from error
