"""How a run proves who it is to a cloud: in a workflow by its OIDC token, elsewhere by what its surroundings hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, TypeAlias

from aegis.cli.masking import masker
from aegis.cli.surroundings import Event
from aegis.core.errors import UsageError
from aegis.core.policy import Aws, GateName, Oci
from aegis.core.ports.credentials import AwsCredentialSource

if TYPE_CHECKING:
    from aegis.adapters.github.oidc import Minter
    from aegis.adapters.oci.identity import OciSessions


Section: TypeAlias = GateName | Literal["evidence"]
"""The sections of the policy that name stores."""


class Asked(Protocol):
    """What arguments, inputs or the environment say of the clouds."""

    @property
    def github(self) -> bool:
        """Whether a workflow asks."""
        ...

    @property
    def role(self) -> str | None:
        """ARN of the role to assume, where the policy names none."""
        ...

    @property
    def region(self) -> str | None:
        """The region, where the policy names none."""
        ...

    @property
    def oci_client_id(self) -> str:
        """Of the confidential application that exchanges tokens."""
        ...

    @property
    def oci_client_secret(self) -> str:
        """Its secret."""
        ...


@dataclass(frozen=True, slots=True)
class CloudAccess:
    """Who asks, and for which section of the policy."""

    section: Section
    asked: Asked
    environ: Mapping[str, str] = field(repr=False)
    event: Event = field(repr=False)

    def region_of(self, aws: Aws) -> str:
        """The region of a policy's buckets."""
        if self.asked.github:
            # a run for a fork has neither a token nor variables: the token's absence says why
            self._minter()
        region = aws.region or self.asked.region
        if region is None:
            raise unset("the region", f"stands in `{self.section}.aws.region`, the input `aws-region` or AWS_REGION")
        return region

    def aws(self, aws: Aws, region: str, session_policy: Callable[[str], str]) -> AwsCredentialSource:
        """In a workflow those of the role, by its own OIDC token; elsewhere those of the user or the workload.

        `session_policy` gives what the role's session may do, for the role's partition.
        """
        if not self.asked.github:
            from aegis.adapters.aws.ambient import AmbientCredentials

            return AmbientCredentials()
        from aegis.adapters.aws.role import Exchange, RoleCredentials
        from aegis.identity.role import parse_role, session_name

        minter = self._minter()
        arn = aws.role or self.asked.role
        if arn is None:
            raise unset(
                "the role",
                f"stands in `{self.section}.aws.role`, the input `aws-role-to-assume` or AWS_ROLE_TO_ASSUME",
            )
        role = parse_role(arn)
        exchange = Exchange(
            role=role,
            region=region,
            session_name=session_name(
                self.section, self.environ.get("GITHUB_RUN_ID", ""), self.environ.get("GITHUB_RUN_ATTEMPT", "")
            ),
            session_policy=session_policy(role.partition),
            endpoint=aws.sts_endpoint,
            account=aws.account,
        )
        credentials = RoleCredentials(exchange, lambda: minter.mint(aws.audience), mask=masker(self.environ))
        # now, so that a refusal is told once and before anything else
        credentials()
        return credentials

    def oci(self, oci: Oci) -> OciSessions:
        """Sessions of a workflow, by its own OIDC token."""
        from aegis.adapters.oci.identity import OciClient, OciExchange, OciSessions

        # a run for a fork has neither a token nor the client's secret: the token's absence says why
        minter = self._minter()
        client = OciClient(self.asked.oci_client_id, self.asked.oci_client_secret)
        sessions = OciSessions(
            OciExchange(domain=oci.domain, audience=oci.audience, client=client), minter.mint, mask=masker(self.environ)
        )
        sessions()
        return sessions

    def _minter(self) -> Minter:
        from aegis.adapters.github.oidc import minter_of

        return minter_of(self.environ, self.event.payload, mask=masker(self.environ))


def unset(what: str, where: str) -> UsageError:
    """The error for what neither the policy nor the run says."""
    return UsageError(
        "verify.policy_incomplete",
        f"{what} is not set",
        expected=f"that it {where}",
        remedy="set it, and run this again",
    )
