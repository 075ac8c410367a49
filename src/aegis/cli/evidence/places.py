"""The store of signed verdicts, opened with credentials for just what a command does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from aegis.cli.cloud_access import CloudAccess, unset
from aegis.cli.evidence.policy import Surroundings
from aegis.core.errors import UsageError
from aegis.core.policy import Aws, EvidencePolicy, Oci, Retain
from aegis.core.ports.writing import WritableStore
from aegis.storage.location import HERE, Location

Purpose = Literal["read", "write"]


@dataclass(frozen=True, slots=True)
class Place:
    """A prefix of a store."""

    store: WritableStore
    prefix: str
    """Of keys in the store: empty, or ending in `/`."""


def opened(
    location: Location, section: EvidencePolicy | None, around: Surroundings, purpose: Purpose, root: Path
) -> Place:
    """The store. `section`: None where it was named by an argument alone. `root`: what relative paths start from.

    Raises UsageError where nothing can be kept there; CouldNotDecide where there are no credentials.
    """
    if not location.is_prefix:
        raise _unfit(location, "a prefix, which ends in `/`")
    access = CloudAccess("evidence", around, around.environ, around.event)
    match location.scheme:
        case "s3":
            aws, retain = (section.aws, section.retain) if section is not None else (None, None)
            return Place(_s3(location, aws or Aws(), retain, access, purpose), location.key)
        case "oci":
            if section is None or section.oci is None:
                raise unset("evidence.oci", "names the identity domain and region")
            return Place(_oci(location.store, section.oci, access, around), location.key)
        case "file":
            from aegis.adapters.objects.local_writing import WritableFolder

            folder = (root if location.store == HERE else Path(location.store)) / location.key
            return Place(WritableFolder(folder, name=str(location).removesuffix("/")), "")
        case "https":
            raise _unfit(location, "s3://bucket/prefix/, oci://namespace/bucket/prefix/, or a folder")


def _s3(location: Location, aws: Aws, retain: Retain | None, access: CloudAccess, purpose: Purpose) -> WritableStore:
    from aegis.adapters.objects.s3_writing import ObjectLock, WritableS3

    region = access.region_of(aws)
    retained = retain if purpose == "write" else None
    credentials = access.aws(
        aws, region, lambda partition: _session(location, aws, partition, purpose, retains=retained is not None)
    )
    lock = ObjectLock(retained.mode, retained.days) if retained is not None else None
    return WritableS3(location.store, region, credentials, endpoint=aws.s3_endpoint, lock=lock)


def _session(location: Location, aws: Aws, partition: str, purpose: Purpose, *, retains: bool) -> str:
    """What the role's session may do: nobody removes a verdict, and who reads does not write."""
    from aegis.identity.session_policy import ReadNeed, WriteNeed, session_policy

    return session_policy(
        [ReadNeed(location.store, (location.key,))],
        partition=partition,
        kms_keys=aws.kms_keys,
        writes=[WriteNeed(location.store, (location.key,), "nothing", retain=retains)] if purpose == "write" else [],
    )


def _oci(store: str, oci: Oci, access: CloudAccess, around: Surroundings) -> WritableStore:
    from aegis.adapters.objects.oci_writing import WritableOci
    from aegis.adapters.oci.signing import RequestSigner
    from aegis.adapters.oci.workload import WorkloadSigner

    sign = RequestSigner(access.oci(oci)) if around.github else WorkloadSigner(around.environ)
    namespace, _, bucket = store.partition("/")
    return WritableOci(namespace, bucket, oci.region, sign, endpoint=oci.storage_endpoint)


def _unfit(location: Location, expected: str) -> UsageError:
    return UsageError(
        "core.wrong_usage",
        f"the store of verdicts is {str(location)[:200]!r}",
        expected=expected,
        remedy="correct `evidence.store` in the policy, or the argument",
    )
