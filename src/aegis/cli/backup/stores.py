"""The stores that hold backups and records, opened with credentials for just what a command does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from aegis.backup.layout import RECORDS, databases_folder
from aegis.cli.cloud_access import Asked, CloudAccess, unset
from aegis.cli.surroundings import read_event
from aegis.core.errors import UsageError
from aegis.core.policy import Aws, BackupCheckPolicy
from aegis.core.ports.writing import WritableStore
from aegis.storage.location import HERE, Location, parse_location

Purpose: TypeAlias = Literal["read", "prove", "write", "prune"]
"""What is done: look at backups and records; also write records; write backups; remove backups."""


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix of a store."""

    store: WritableStore
    prefix: str
    """Of keys in the store: empty, or ending in `/`."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a policy's backups and records are."""

    backups: Place
    records: Place


def opened(
    policy: BackupCheckPolicy, asked: Asked, purpose: Purpose, *, environ: Mapping[str, str], root: Path
) -> Places:
    """Both places of a policy. `root`: the folder that relative paths start from.

    Raises UsageError where the policy names no such place; CouldNotDecide where there are no credentials.
    """
    locations = (parse_location(policy.store), parse_location(policy.records or f"{policy.store}{RECORDS}"))
    opener = _Opener(policy, asked, purpose, environ, root, locations)
    backups = opener.place(locations[0], None)
    return Places(backups, opener.place(locations[1], (locations[0], backups)))


@dataclass(frozen=True, slots=True)
class _Opener:
    policy: BackupCheckPolicy
    asked: Asked
    purpose: Purpose
    environ: Mapping[str, str]
    root: Path
    locations: tuple[Location, Location]
    """Of backups and records."""

    def place(self, location: Location, other: tuple[Location, Place] | None) -> Place:
        """`other`: a place that is open already, with its location; both may be of one store."""
        if location.scheme == "file":
            return self._folder(location, other)
        if other is not None and (other[0].scheme, other[0].store) == (location.scheme, location.store):
            return Place(other[1].store, location.key)
        match location.scheme:
            case "s3":
                return Place(self._s3(location.store, self.policy.aws or Aws()), location.key)
            case "oci":
                return Place(self._oci(location.store), location.key)
            case _:
                raise UsageError(
                    "core.wrong_usage",
                    f"the store is {str(location)[:200]!r}, which nothing can be written to",
                    expected="s3://bucket/prefix/, oci://namespace/bucket/prefix/, or a folder",
                    remedy="correct `backup-check.store` or `backup-check.records` in the policy",
                )

    def _folder(self, location: Location, other: tuple[Location, Place] | None) -> Place:
        """A folder must be there: a disk that is not mounted is no place for backups. Records make their own in it."""
        from aegis.adapters.objects.local_writing import WritableFolder

        if other is not None and str(location).startswith(str(other[0])):
            return Place(other[1].store, str(location).removeprefix(str(other[0])))
        folder = (self.root if location.store == HERE else Path(location.store)) / location.key
        return Place(WritableFolder(folder, name=str(location).removesuffix("/")), "")

    def _s3(self, bucket: str, aws: Aws) -> WritableStore:
        from aegis.adapters.objects.s3_writing import WritableS3

        access = self._access()
        region = access.region_of(aws)
        credentials = access.aws(aws, region, lambda partition: self._session(bucket, aws, partition))
        return WritableS3(bucket, region, credentials, endpoint=aws.s3_endpoint)

    def _session(self, bucket: str, aws: Aws, partition: str) -> str:
        """What the role's session may do in one bucket.

        A writer removes what a failed backup has left, no older version of anything, and never touches a record: who
        takes backups does not say which of them are good. Nor does who removes them.
        """
        from aegis.identity.session_policy import Deletion, ReadNeed, WriteNeed, session_policy

        backups, records = (each.key if each.store == bucket else None for each in self.locations)
        folders = () if backups is None else tuple(databases_folder(backups, each) for each in self._names())
        written: tuple[str, ...]
        delete: Deletion
        match self.purpose:
            case "read":
                written, delete = (), "nothing"
            case "prove":
                written, delete = () if records is None else (records,), "nothing"
            case "write":
                written, delete = folders, "latest"
            case "prune":
                written, delete = folders, "versions"
        return session_policy(
            [ReadNeed(bucket, tuple(each for each in (backups, records) if each is not None))],
            partition=partition,
            kms_keys=aws.kms_keys,
            writes=[WriteNeed(bucket, written, delete, create=self.purpose != "prune")] if written else [],
        )

    def _names(self) -> tuple[str, ...]:
        return tuple(database.name for database in self.policy.databases)

    def _oci(self, store: str) -> WritableStore:
        from aegis.adapters.objects.oci_writing import WritableOci
        from aegis.adapters.oci.signing import RequestSigner
        from aegis.adapters.oci.workload import WorkloadSigner

        oci = self.policy.oci
        if oci is None:
            raise unset("backup-check.oci", "names the identity domain and region")
        sign = RequestSigner(self._access().oci(oci)) if self.asked.github else WorkloadSigner(self.environ)
        namespace, _, bucket = store.partition("/")
        return WritableOci(namespace, bucket, oci.region, sign, endpoint=oci.storage_endpoint)

    def _access(self) -> CloudAccess:
        return CloudAccess("backup-check", self.asked, self.environ, read_event(self.environ))
