"""The stores that a policy names, opened with credentials that can read just what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.artifacts.needs import Need
from aegis.cli.cloud_access import CloudAccess, unset
from aegis.cli.surroundings import Event
from aegis.cli.verify.options import VerifyOptions
from aegis.core.errors import AegisError
from aegis.core.policy import Aws, Oci, VerifyPolicy
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.objects import ObjectStore
from aegis.storage.location import HERE, Location

if TYPE_CHECKING:
    from aegis.adapters.oci.identity import OciSessions


@dataclass(slots=True)
class Stores:
    """Opens each store once; what stands in the way of one is told again for each artifact in it."""

    policy: VerifyPolicy
    needs: Sequence[Need]
    options: VerifyOptions
    environ: Mapping[str, str]
    event: Event
    root: Path
    """The repository, for artifacts in it."""
    _opened: dict[tuple[str, str], ObjectStore | AegisError] = field(default_factory=dict)
    _aws: AwsCredentialSource | AegisError | None = None
    _sessions: OciSessions | AegisError | None = None

    def __call__(self, location: Location) -> ObjectStore:
        """The store of an address."""
        place = (location.scheme, location.store)
        if place not in self._opened:
            try:
                self._opened[place] = self._open(location)
            except AegisError as error:
                self._opened[place] = error
        opened = self._opened[place]
        if isinstance(opened, AegisError):
            raise opened
        return opened

    def _open(self, location: Location) -> ObjectStore:
        match location.scheme:
            case "s3":
                return self._s3(location.store, self.policy.aws or Aws())
            case "oci":
                if self.policy.oci is None:
                    raise unset("verify.oci", "names the identity domain and region")
                return self._oci(location.store, self.policy.oci)
            case "https":
                from aegis.adapters.objects.https import HttpsStore

                return HttpsStore(location.store)
            case "file":
                from aegis.adapters.objects.local import LocalStore

                return LocalStore(self.root if location.store == HERE else Path(location.store), name=location.store)

    def _s3(self, bucket: str, aws: Aws) -> ObjectStore:
        from aegis.adapters.objects.s3 import S3Store

        region = self._access.region_of(aws)
        if self._aws is None:
            try:
                self._aws = self._access.aws(aws, region, lambda partition: self._session(aws, partition))
            except AegisError as error:
                self._aws = error
        if isinstance(self._aws, AegisError):
            raise self._aws
        return S3Store(bucket, region, self._aws, endpoint=aws.s3_endpoint)

    def _session(self, aws: Aws, partition: str) -> str:
        from aegis.identity.session_policy import ReadNeed, session_policy

        needs = [ReadNeed(need.store, need.prefixes, need.keys) for need in self.needs if need.scheme == "s3"]
        return session_policy(needs, partition=partition, kms_keys=aws.kms_keys)

    def _oci(self, store: str, oci: Oci) -> ObjectStore:
        from aegis.adapters.objects.oci import OciStore
        from aegis.adapters.oci.signing import RequestSigner

        if self._sessions is None:
            try:
                self._sessions = self._access.oci(oci)
            except AegisError as error:
                self._sessions = error
        if isinstance(self._sessions, AegisError):
            raise self._sessions
        namespace, _, bucket = store.partition("/")
        return OciStore(namespace, bucket, oci.region, RequestSigner(self._sessions), endpoint=oci.storage_endpoint)

    @property
    def _access(self) -> CloudAccess:
        return CloudAccess("verify", self.options, self.environ, self.event)
