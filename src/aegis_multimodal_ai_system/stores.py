"""The stores that a policy names, opened as the workload that runs here: no workflow, no person, no keys in files."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.core.errors import Refused, UsageError
from aegis.core.policy import Aws, VerifyPolicy
from aegis.core.ports.objects import ObjectStore
from aegis.storage.location import HERE, Location

if TYPE_CHECKING:
    from aegis.adapters.oci.workload import WorkloadSigner
    from aegis.artifacts.preparing import OpenStore


def open_store_of(policy: VerifyPolicy, root: Path) -> OpenStore:
    """Opens each store of the policy once. `root`: the policy's folder, in which local artifacts lie.

    Raises, when it is called, UsageError `verify.policy_incomplete` where the policy does not say what a store needs,
    Refused `runtime.path_outside` for a local artifact elsewhere, and what the adapters say.
    """
    return _Stores(policy, root)


@dataclass(slots=True)
class _Stores:
    policy: VerifyPolicy
    root: Path
    _opened: dict[tuple[str, str], ObjectStore] = field(default_factory=dict)
    _oci: WorkloadSigner | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, location: Location) -> ObjectStore:
        place = (location.scheme, location.store)
        with self._lock:
            if place not in self._opened:
                self._opened[place] = self._open(location)
            return self._opened[place]

    def _open(self, location: Location) -> ObjectStore:
        match location.scheme:
            case "s3":
                return self._s3(location.store, self.policy.aws or Aws())
            case "oci":
                return self._oci_store(location.store)
            case "https":
                from aegis.adapters.objects.https import HttpsStore

                return HttpsStore(location.store)
            case "file":
                return self._local(location)

    def _s3(self, bucket: str, aws: Aws) -> ObjectStore:
        from aegis.adapters.objects.obstore import ObstoreS3

        region = aws.region or os.environ.get("AWS_REGION")  # which EKS sets in each pod
        if not region:
            raise _unset("the region", "stands in `verify.aws.region` or in AWS_REGION")
        return ObstoreS3(bucket, region, endpoint=aws.s3_endpoint, sts_endpoint=aws.sts_endpoint)

    def _oci_store(self, store: str) -> ObjectStore:
        from aegis.adapters.objects.oci import OciStore
        from aegis.adapters.oci.workload import WorkloadSigner

        oci = self.policy.oci
        if oci is None:
            raise _unset("`verify.oci`", "names the region")
        self._oci = self._oci or WorkloadSigner()
        namespace, _, bucket = store.partition("/")
        return OciStore(namespace, bucket, oci.region, self._oci, endpoint=oci.storage_endpoint)

    def _local(self, location: Location) -> ObjectStore:
        """A path of the policy's folder: who may change a policy must not read the whole machine by it."""
        from aegis.adapters.objects.local import LocalStore

        if location.store != HERE:
            raise Refused(
                "runtime.path_outside",
                f"the artifact {str(location)[:200]!r} lies outside of the policy's folder",
                expected="a path relative to the policy file, or an address of a bucket",
                remedy="Put it beside the policy, or into a bucket.",
            )
        return LocalStore(self.root, name=location.store)


def _unset(what: str, where: str) -> UsageError:
    return UsageError(
        "verify.policy_incomplete",
        f"{what} is not set",
        expected=f"that it {where}",
        remedy="Set it in the policy file.",
    )
