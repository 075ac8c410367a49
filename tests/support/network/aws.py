"""GitHub's issuer, STS and a role that trusts a job, all on loopback, and what the product needs to use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from aegis.adapters.aws.role import Exchange, RoleCredentials
from aegis.adapters.github.oidc import minter_of
from aegis.adapters.http.call import Clock
from aegis.identity.role import parse_role
from aegis.identity.session_policy import ReadNeed, session_policy
from tests.doubles import github_oidc
from tests.doubles.aws import sts as sts_double
from tests.doubles.aws.sts import Sts
from tests.doubles.github_oidc import Issuer
from tests.support.tokens.trusts import WANTED, tight

ROLE = "aegis-verify"
REGION = "eu-west-1"
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
"""What a careless administrator gives: the session policy has to stand on its own."""


@dataclass
class Cloud:
    """Both services, and what was masked."""

    issuer: Issuer
    sts: Sts
    masked: list[str] = field(default_factory=list)

    def exchange(self, **changes: Any) -> Exchange:
        """What the gate asks for."""
        return Exchange(
            **{
                "role": parse_role(self.sts.arn(ROLE)),
                "region": REGION,
                "session_name": "aegis-verify-9001-1",
                "session_policy": session_policy([ReadNeed("models", ("staging/",))]),
                "endpoint": self.sts.address,
                **changes,
            }
        )

    def credentials(
        self,
        exchange: Exchange | None = None,
        *,
        mint: Callable[[], str] | None = None,
        clock: Clock | None = None,
        **more: Any,
    ) -> RoleCredentials:
        """A source of credentials; `mint` in place of the job's own tokens."""
        minter = minter_of(self.issuer.environ, {}, mask=self.masked.append)
        return RoleCredentials(
            exchange or self.exchange(),
            mint or (lambda: minter.mint("sts.amazonaws.com")),
            mask=self.masked.append,
            clock=clock,
            **more,
        )


@contextmanager
def cloud() -> Iterator[Cloud]:
    """An account whose role trusts the job of `tests.support.tokens.trusts`, and a token that it allows."""
    with github_oidc.serve(Issuer(github_oidc.claims(**WANTED))) as issuer:
        providers = (sts_double.Provider(github_oidc.ISSUER, issuer.address),)
        roles = (sts_double.Role(ROLE, tight(), (EVERYTHING,)),)
        with sts_double.serve(Sts(providers=providers, roles=roles)) as sts:
            yield Cloud(issuer, sts)
