"""The stores that a policy names, opened with credentials that can read just what it names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from aegis.artifacts.needs import Need
from aegis.cli.masking import masker
from aegis.cli.surroundings import Event
from aegis.cli.verify_options import VerifyOptions
from aegis.core.errors import AegisError, UsageError
from aegis.core.policy import Aws, Oci, VerifyPolicy
from aegis.core.ports.credentials import AwsCredentialSource
from aegis.core.ports.objects import ObjectStore
from aegis.storage.location import HERE, Location

if TYPE_CHECKING:
    from aegis.adapters.github_oidc import Minter
    from aegis.adapters.oci_identity import OciSessions


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
                    raise _unset("verify.oci", "names the identity domain and region")
                return self._oci(location.store, self.policy.oci)
            case "https":
                from aegis.adapters.objects_https import HttpsStore

                return HttpsStore(location.store)
            case "file":
                from aegis.adapters.objects_local import LocalStore

                return LocalStore(self.root if location.store == HERE else Path(location.store), name=location.store)

    def _s3(self, bucket: str, aws: Aws) -> ObjectStore:
        from aegis.adapters.objects_s3 import S3Store

        if self.options.github:
            # a run for a fork has neither a token nor variables: the token's absence says why
            self._minter()
        region = aws.region or self.options.region
        if region is None:
            raise _unset("the region", "stands in `verify.aws.region`, the input `aws-region` or AWS_REGION")
        if self._aws is None:
            try:
                self._aws = self._aws_credentials(aws, region)
            except AegisError as error:
                self._aws = error
        if isinstance(self._aws, AegisError):
            raise self._aws
        return S3Store(bucket, region, self._aws, endpoint=aws.s3_endpoint)

    def _aws_credentials(self, aws: Aws, region: str) -> AwsCredentialSource:
        """In a workflow those of the role, by its own OIDC token; on a laptop its user's own."""
        if not self.options.github:
            from aegis.adapters.aws_ambient import AmbientCredentials

            return AmbientCredentials()
        from aegis.adapters.aws import Exchange, RoleCredentials
        from aegis.identity.role import parse_role, session_name
        from aegis.identity.session_policy import ReadNeed, session_policy

        minter = self._minter()
        arn = aws.role or self.options.role
        if arn is None:
            raise _unset(
                "the role", "stands in `verify.aws.role`, the input `aws-role-to-assume` or AWS_ROLE_TO_ASSUME"
            )
        role = parse_role(arn)
        needs = [ReadNeed(need.store, need.prefixes, need.keys) for need in self.needs if need.scheme == "s3"]
        exchange = Exchange(
            role=role,
            region=region,
            session_name=session_name(
                "verify", self.environ.get("GITHUB_RUN_ID", ""), self.environ.get("GITHUB_RUN_ATTEMPT", "")
            ),
            session_policy=session_policy(needs, partition=role.partition, kms_keys=aws.kms_keys),
            endpoint=aws.sts_endpoint,
            account=aws.account,
        )
        credentials = RoleCredentials(exchange, lambda: minter.mint(aws.audience), mask=masker(self.environ))
        # now, so that a refusal is told once and before anything else
        credentials()
        return credentials

    def _oci(self, store: str, oci: Oci) -> ObjectStore:
        from aegis.adapters.objects_oci import OciStore
        from aegis.adapters.oci_signing import RequestSigner

        if self._sessions is None:
            try:
                self._sessions = self._oci_sessions(oci)
            except AegisError as error:
                self._sessions = error
        if isinstance(self._sessions, AegisError):
            raise self._sessions
        namespace, _, bucket = store.partition("/")
        return OciStore(namespace, bucket, oci.region, RequestSigner(self._sessions), endpoint=oci.storage_endpoint)

    def _oci_sessions(self, oci: Oci) -> OciSessions:
        from aegis.adapters.oci_identity import OciClient, OciExchange, OciSessions

        # a run for a fork has neither a token nor the client's secret: the token's absence says why
        minter = self._minter()
        client = OciClient(self.options.oci_client_id, self.options.oci_client_secret)
        sessions = OciSessions(
            OciExchange(domain=oci.domain, audience=oci.audience, client=client), minter.mint, mask=masker(self.environ)
        )
        sessions()
        return sessions

    def _minter(self) -> Minter:
        from aegis.adapters.github_oidc import minter_of

        return minter_of(self.environ, self.event.payload, mask=masker(self.environ))


def _unset(what: str, where: str) -> UsageError:
    return UsageError(
        "verify.policy_incomplete",
        f"{what} is not set",
        expected=f"that it {where}",
        remedy="set it, and run this again",
    )
