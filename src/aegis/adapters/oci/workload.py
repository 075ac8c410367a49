"""Signatures of OCI's requests by whatever runs here: a resource principal, a pod of OKE, or an instance.

By `oci`'s own signers, which find the identity in the surroundings
(https://docs.oracle.com/en-us/iaas/Content/API/Concepts/sdk_authentication_methods.htm). They keep `oci`'s habits:
their own requests, to OKE's proxymux or the instance's metadata, follow its time-outs and the environment's proxies.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aegis.adapters.oci.signing import import_quickly, signed_by
from aegis.core.errors import CouldNotDecide

_SIGNERS = "oci.auth.signers"


@dataclass(slots=True)
class WorkloadSigner:
    """Signs each request as this workload. Safe to call from threads."""

    environ: Mapping[str, str] = field(default_factory=lambda: os.environ)
    now: Callable[[], float] = time.time
    """Seconds since 1970: a signature is good for five minutes around its date."""
    _signer: Any = field(default=None, repr=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, method: str, url: str, document: bytes | None = None) -> dict[str, str]:
        """The headers that sign this request; `url` must be exactly what is sent, with the `Host` that is sent.

        Raises CouldNotDecide `verify.no_credentials` where there is no identity, `core.package_missing` without `oci`.
        """
        try:
            with self._lock:
                if self._signer is None:
                    self._signer = self._found()
                self._signer.get_security_token()  # renews one that ends soon
                return signed_by(self._signer, method, url, self.now(), document)
        except ModuleNotFoundError as error:
            raise CouldNotDecide(
                "core.package_missing",
                f"the package {error.name!r} is not installed",
                expected="OCI's SDK, which the extra `runtime` leaves out",
                remedy="pip install oci",
            ) from None
        except Exception as error:  # `oci` raises what it likes, with answers and paths in the text
            raise CouldNotDecide(
                "verify.no_credentials",
                f"there is no OCI identity: {self.kind} ({type(error).__name__})",
                expected="a resource principal, a service account of an enhanced OKE cluster, or an instance principal",
                remedy="Let a policy of the tenancy allow this workload to read the bucket.",
            ) from None

    @property
    def kind(self) -> str:
        """Which identity is meant, by what the surroundings hold."""
        if "OCI_RESOURCE_PRINCIPAL_VERSION" in self.environ:
            return "resource principal"
        return "OKE workload" if "KUBERNETES_SERVICE_HOST" in self.environ else "instance principal"

    def _found(self) -> Any:
        match self.kind:
            case "resource principal":
                return import_quickly(f"{_SIGNERS}.resource_principals_signer").get_resource_principals_signer()
            case "OKE workload":
                module = import_quickly(f"{_SIGNERS}.resource_principals_signer")
                return module.get_oke_workload_identity_resource_principal_signer()
            case _:
                module = import_quickly(f"{_SIGNERS}.instance_principals_security_token_signer")
                return module.InstancePrincipalsSecurityTokenSigner()
