"""Which backup is meant: its id, `latest`, `latest-verified`, or the address of its folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from msgspec import structs

from aegis.backup.layout import backup_folder, is_backup_id
from aegis.backup.listing import backups_of, newest_complete
from aegis.backup.manifest import NAME
from aegis.backup.proofs import newest_verified
from aegis.backup.pruning import candidates
from aegis.backup.records import entries_of
from aegis.cli.backup.options import BackupOptions
from aegis.cli.backup.policy import Policed, read_policy
from aegis.cli.backup.stores import Places, opened
from aegis.cli.backup.trust import trust_in
from aegis.core.errors import UsageError
from aegis.core.policy import BackedUp, BackupCheckPolicy
from aegis.core.ports.objects import ObjectStore
from aegis.signatures.types import Trust

LATEST: Final = "latest"
"""The newest whole one."""
LATEST_VERIFIED: Final = "latest-verified"
"""The newest of those whose restore was proven."""
HELP: Final = f"a backup's id, {LATEST}, {LATEST_VERIFIED}"


@dataclass(frozen=True, slots=True)
class Chosen:
    """A backup in its store."""

    store: ObjectStore
    folder: str
    """Its key, with `/` at its end."""
    trust: Trust | None
    """Who must have signed its manifest; None where nobody asks for that."""
    passed_over: tuple[str, ...] = ()
    """The ids of newer ones that do not count as verified, where that was asked for."""

    @property
    def address(self) -> str:
        """For people."""
        return f"{self.store.location}/{self.folder}"


def chosen(which: str, policed: Policed, database: BackedUp, places: Places, environ: Mapping[str, str]) -> Chosen:
    """A backup of a database of the policy.

    Raises UsageError for what names none; Refused `backup_check.no_backup`, `….never_proven`.
    """
    backups, records = places.backups, places.records
    passed_over: tuple[str, ...] = ()
    if which == LATEST:
        folder = newest_complete(backups.store, backups.prefix, database.name).folder
    elif which == LATEST_VERIFIED:
        proof = newest_verified(
            backups.store, records.store, database, prefix=backups.prefix, records_prefix=records.prefix
        )
        folder = proof.listed.folder
        there = backups_of(backups.store, backups.prefix, database.name)
        passed_over = tuple(listed.id for listed in there if listed.id > proof.listed.id)
    elif is_backup_id(which):
        folder = backup_folder(backups.prefix, database.name, which)
    else:
        raise _unknown(which)
    return Chosen(backups.store, folder, trust_in(policed, environ), passed_over)


def whole_before(found: Chosen, database: BackedUp, places: Places) -> str | None:
    """The id of the newest one before it that counts as verified, and has all its objects."""
    backups, records = places.backups, places.records
    entries = entries_of(records.store, records.prefix, database.name)
    restored = {entry.backup for entry in entries if entry.word == "PASS"}
    there = backups_of(backups.store, backups.prefix, database.name)
    before = [listed for listed in there if listed.folder < found.folder and listed.id in restored]
    judged = candidates(backups.store, records.store, database, before, entries)
    return next((each.contents.listed.id for each in judged if each.held == "verified"), None)


def is_address(which: str) -> bool:
    """Whether it is no word and no id, but an address."""
    return "/" in which


def chosen_at(address: str, options: BackupOptions, environ: Mapping[str, str]) -> tuple[Chosen, BackedUp | None]:
    """A backup by its address: of its own folder, or of its database's, where the newest is meant.

    How the store is reached and who must have signed stands in the policy; without one, nobody must. Of the database
    there is what the policy says, if it names one as the folder is called.
    """
    parent, _, name = address.rstrip("/").rpartition("/")
    if not name or parent.endswith((":/", ":")) or not parent:
        raise _unknown(address)
    policed = policy_if_there(options, environ)
    # Its own parent is opened, since a folder of this machine is asked for what lies in it.
    policy = _with_store(policed, f"{parent}/")
    place = opened(policy, options, "read", environ=environ, root=Path.cwd()).backups
    folder = f"{place.prefix}{name}/"
    if place.store.head(folder + NAME) is None and not is_backup_id(name):
        folder = newest_complete(place.store, place.prefix, name).folder
    else:
        name = parent.rpartition("/")[2]
    trust = trust_in(policed, environ) if policed is not None else None
    databases = policed.policy.databases if policed is not None else ()
    return Chosen(place.store, folder, trust), next((each for each in databases if each.name == name), None)


def policy_if_there(options: BackupOptions, environ: Mapping[str, str]) -> Policed | None:
    """The policy; None where none was named and no file of the usual name says anything of backups."""
    if options.named:
        return read_policy(options.policy, environ)
    try:
        return read_policy(options.policy, environ) if options.policy.exists() else None
    except UsageError as error:
        if error.code != "core.policy_missing":
            raise
        return None  # it is about other gates


def policy_at(store: str, options: BackupOptions, environ: Mapping[str, str]) -> BackupCheckPolicy:
    """How a store is reached: as the policy reaches its own, if there is one."""
    return _with_store(policy_if_there(options, environ), store)


def _with_store(policed: Policed | None, store: str) -> BackupCheckPolicy:
    if policed is None:
        return BackupCheckPolicy(store=store)
    return structs.replace(policed.policy, store=store, records=None)


def _unknown(which: str) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"{which[:200]!r} names no backup",
        expected=f"{HELP}, or the address of its folder, e.g. s3://bucket/backups/shop/ID/",
        remedy="`aegis backup list` shows what is there",
    )
