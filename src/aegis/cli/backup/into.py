"""A backup into a database of somebody's: what it is to become is checked first, and what it became afterwards.

The dump's SQL runs on that server as whom the address names, as it would on the source. Nothing of it runs here.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from msgspec import structs

from aegis.backup import fetching
from aegis.backup.compare import Difference, compare
from aegis.backup.drill import DrillResult
from aegis.backup.manifest import DUMP, Manifest
from aegis.cli.backup.choice import Chosen
from aegis.cli.backup.drill import (
    Running,
    check_answers,
    decrypter,
    differs,
    fetched_settings,
    give,
    unknown_content,
)
from aegis.cli.progress import bytes_bar
from aegis.cli.scratch import scratch_folder
from aegis.cli.surroundings import ROOT
from aegis.core.policy import Smoke

if TYPE_CHECKING:
    from aegis.adapters.age import Identities
    from aegis.adapters.postgres.tools import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Into:
    """A database to restore into, and how."""

    url: str = field(repr=False)
    force: bool
    """Though it is not empty."""
    owners: bool
    """Also owners and rights, whose roles must be there."""
    jobs: int
    identities: Identities | None

    @property
    def place(self) -> str:
        """Where it is, without secrets. Raises UsageError."""
        from aegis.adapters.postgres.connection import place_of

        return place_of(self.url)


def restore_and_compare(found: Chosen, into: Into, smoke: Sequence[Smoke]) -> DrillResult:
    """All of a backup into a database. Whatever happens is in the answer, as `drill` gives it; raises UsageError."""
    running = Running("full")
    return running.guarded(lambda: _restore(running, found, into, smoke))


def _restore(running: Running, chosen: Chosen, into: Into, smoke: Sequence[Smoke]) -> None:
    from aegis.adapters.postgres.archive import recognised
    from aegis.adapters.postgres.restore import check_target, restore_into
    from aegis.adapters.postgres.smoke import ask
    from aegis.adapters.postgres.tools import find_tools
    from aegis.startup.surroundings import cache_folder

    with running.phase("find"):
        running.found = found = fetching.find(chosen.store, chosen.folder, chosen.trust)
        manifest = found.manifest
        decrypt = decrypter(manifest, into.identities)
        # before the download: who waits for that is to learn at once that it was in vain
        check_target(into.url, manifest, force=into.force, owners=into.owners)
        tools = find_tools(manifest.database.major, root=ROOT, cache=cache_folder(os.environ))
        running.engine = tools.version
    with scratch_folder("aegis-restore-") as scratch:
        with running.phase("download"), bytes_bar("downloading") as progress:
            fetching.fetch(chosen.store, found, scratch, decrypt=decrypt, progress=progress)
        with running.phase("restore"):
            archive = recognised(scratch / DUMP)
            restore_into(
                tools, into.url, archive, manifest, force=into.force, owners=into.owners, jobs=into.jobs
            )  # fmt: skip
        settings = fetched_settings(scratch)
    with running.phase("compare"):
        running.differences = _differences(running, manifest, into, tools)
    if running.differences:
        running.equality = "differs"
        raise differs(running.differences)
    if manifest.checksums != "off":
        running.equality = "equal"
    running.not_run.append("tablespaces; the owner of the database itself, and rights on it (GRANT … ON DATABASE)")
    with running.phase("smoke"):
        if settings:
            give(running, into.url, settings)
        running.smoke = ask(into.url, smoke)
    check_answers(running.smoke)
    if manifest.checksums == "off":
        raise unknown_content()


def _differences(running: Running, manifest: Manifest, into: Into, tools: Tools) -> tuple[Difference, ...]:
    from aegis.adapters.postgres.dump import Dumper
    from aegis.adapters.postgres.snapshot import read_inventory

    inventory = read_inventory(into.url, jobs=into.jobs, checksums=manifest.checksums)
    if manifest.schema_sha256 is not None and not into.force and into.owners:
        if manifest.dump.client_version == tools.version:
            digest = Dumper(tools=tools, url=into.url).schema_sha256()
            inventory = structs.replace(inventory, schema_sha256=digest)
        else:
            running.not_run.append(
                f"the digest of all definitions: dumped by {manifest.dump.client_version}, compared by {tools.version}"
            )
    else:
        running.not_run.append("the digest of all definitions")
    found = compare(manifest, inventory)
    ignored = set() if into.owners else {"backup_check.role_missing"}
    if into.force:  # what a database that held something before may have more of
        ignored.add("backup_check.table_unexpected")
        if inventory.large_objects.count > manifest.large_objects.count:
            ignored.add("backup_check.large_objects")
            running.not_run.append("large objects: there are more than the backup's")
    return tuple(each for each in found if each.rule not in ignored)
