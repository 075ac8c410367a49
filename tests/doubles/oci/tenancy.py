"""A tenancy of OCI that trusts one GitHub repository: GitHub's issuer, the identity domain, and Object Storage."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from aegis.adapters.github.oidc import minter_of
from aegis.adapters.http.call import Clock
from aegis.adapters.objects.oci import OciStore
from aegis.adapters.oci.identity import OciClient, OciExchange, OciSessions
from aegis.adapters.oci.signing import RequestSigner
from aegis.identity.oci_trust import JWKS, TrustWanted, render
from aegis.storage.patience import Clock as StoreClock
from tests.doubles import github_oidc
from tests.doubles.oci.identity_domain import CLIENT_ID, CLIENT_SECRET, IdentityDomain
from tests.doubles.oci.object_storage import Bucket, ObjectStorage
from tests.doubles.oci.serving import serve

AUDIENCE = "https://cloud.oracle.com"
NAMESPACE, BUCKET, REGION = "octons", "models", "eu-frankfurt-1"
USER = "7c1de0a4f5b24c0e9f6a"
WANTED = TrustWanted(
    owner="octo",
    repository="shop",
    owner_id="42",
    repository_id="7001",
    client_id=CLIENT_ID,
    service_user=USER,
    audience=AUDIENCE,
    ref="refs/heads/main",
    group="verifiers",
    compartment="staging",
    bucket=BUCKET,
    prefix="staging/",
)


@dataclass
class Time:
    """A clock that only sleeping moves; `date` is the seconds since 1970."""

    date: float = field(default_factory=time.time)
    seconds: float = 0.0
    slept: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def clock(self) -> Clock:
        return Clock(now=lambda: self.seconds, sleep=self.sleep, jitter=lambda: 0.5)

    def store_clock(self) -> StoreClock:
        return StoreClock(now=lambda: self.seconds, sleep=self.sleep, jitter=lambda: 0.5)


@dataclass
class Tenancy:
    """Everything that runs, and what a job is given to use it."""

    issuer: github_oidc.Issuer
    domain: IdentityDomain
    storage: ObjectStorage
    time: Time
    masked: list[str] = field(default_factory=list)

    @property
    def bucket(self) -> Bucket:
        return self.storage.buckets[NAMESPACE, BUCKET]

    @property
    def secrets(self) -> list[str]:
        """What must stand nowhere."""
        return [CLIENT_SECRET, github_oidc.BEARER, *self.issuer.minted, *self.domain.given]

    def apply(self, wanted: TrustWanted) -> None:
        """What an administrator does with the output of `aegis credentials trust --cloud oci`."""
        text = render(wanted)
        self.domain.trusts[:] = [json.loads(text.trust)]
        self.storage.policy = text.statements

    def trust(self, **changes: Any) -> None:
        """Change fields of the trust."""
        self.domain.trusts[0].update(changes)

    def exchange(self, **changes: Any) -> OciExchange:
        client = OciClient(CLIENT_ID, CLIENT_SECRET)
        return replace(OciExchange(domain=self.domain.address, audience=AUDIENCE, client=client), **changes)

    def sessions(self, timeout: float = 60.0, **changes: Any) -> OciSessions:
        mint = minter_of(self.issuer.environ, None, mask=self.masked.append).mint
        return OciSessions(
            self.exchange(**changes),
            mint,
            mask=self.masked.append,
            clock=self.time.clock(),
            now=lambda: self.time.date,
            timeout=timeout,
        )

    def signer(self) -> RequestSigner:
        return RequestSigner(self.sessions(), now=lambda: self.time.date)

    def principal(self, folder: Path) -> Mapping[str, str]:
        """What a resource principal of this tenancy finds in its environment; its files are in the folder."""
        session = self.sessions()()
        (folder / "rpst").write_text(session.token)
        (folder / "key.pem").write_bytes(
            session.key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
        )
        return {
            "OCI_RESOURCE_PRINCIPAL_VERSION": "2.2",
            "OCI_RESOURCE_PRINCIPAL_RPST": str(folder / "rpst"),
            "OCI_RESOURCE_PRINCIPAL_PRIVATE_PEM": str(folder / "key.pem"),
            "OCI_RESOURCE_PRINCIPAL_REGION": REGION,
        }

    def store(self, bucket: str = BUCKET, timeout: float = 60.0, **changes: Any) -> OciStore:
        arguments: Mapping[str, Any] = {"endpoint": self.storage.address, **changes}
        clock = self.time.store_clock()
        return OciStore(NAMESPACE, bucket, REGION, self.signer(), timeout=timeout, clock=clock, **arguments)


@contextmanager
def tenancy() -> Iterator[Tenancy]:
    """Serve all of it until the block ends."""
    issuer, clock = github_oidc.Issuer(), Time()

    def keys(endpoint: str) -> Mapping[str, Any]:
        assert endpoint == JWKS
        return issuer.answer("/.well-known/jwks", None)[1]

    domain = IdentityDomain(keys, users={USER: "aegis-verify"}, now=lambda: clock.date)
    buckets = {(NAMESPACE, BUCKET): Bucket(), (NAMESPACE, "secrets"): Bucket()}
    groups = {"'Default'/'verifiers'": frozenset({USER})}
    storage = ObjectStorage(domain, buckets, groups=groups)
    with ExitStack() as stack:
        stack.enter_context(github_oidc.serve(issuer))
        stack.enter_context(serve(domain))
        stack.enter_context(serve(storage))
        running = Tenancy(issuer, domain, storage, clock)
        running.apply(WANTED)
        yield running
