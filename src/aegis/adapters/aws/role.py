"""AWS credentials for a role that trusts GitHub's OIDC provider: AssumeRoleWithWebIdentity, and nothing kept.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html. The call is unsigned;
botocore makes it (`aegis.adapters.aws.botocore_sts`, which takes a third of a second to import, so only when it is
needed).
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aegis.adapters.aws.faults import is_transient, refused_by_sts, unreachable, wrong_account
from aegis.adapters.http.call import RETRY_SECONDS, TRIES, Clock, is_safe, pause_before_next
from aegis.core.errors import UsageError
from aegis.core.ports.credentials import AwsCredentials
from aegis.identity.claims import decode
from aegis.identity.policy_document import PolicyDocument
from aegis.identity.role import Role

if TYPE_CHECKING:
    from aegis.adapters.aws.botocore_sts import Sts

DURATION_SECONDS = 900
"""The shortest session that STS gives."""
RENEW_SECONDS = 120
"""Credentials with less than this left are renewed before they are handed out."""
_SECRETS = ("AccessKeyId", "SecretAccessKey", "SessionToken")
_REGION = re.compile(r"[a-z]{2,}(?:-[a-z0-9]+)+")
_ASSUMED = re.compile(r"arn:aws[a-z-]*:sts::(?P<account>[0-9]{12}):assumed-role/(?P<role>[^/]+)/[^/]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """What is asked of STS, but for the token."""

    role: Role
    region: str
    session_name: str
    session_policy: str
    endpoint: str | None = None
    """Of an S3-compatible store with an STS of its own; None: AWS's, in the region."""
    account: str | None = None
    """Which the session must be of; None: the role's own."""
    trust: PolicyDocument | None = field(default=None, repr=False)
    """The role's trust policy where it is at hand: a refusal then names the condition that fails."""

    def __post_init__(self) -> None:
        """Refuse what would send the token astray, before there is a token."""
        if not _REGION.fullmatch(self.region):
            raise UsageError(
                "verify.region_invalid",
                f"the region is {self.region[:100]!r}",
                expected="a region of AWS such as eu-west-1",
                remedy="Correct `verify.aws.region`, or the input or variable that names it.",
            )
        if self.endpoint is not None and not is_safe(self.endpoint):
            raise UsageError(
                "verify.endpoint_invalid",
                "the STS endpoint is no https address",
                expected="https://HOST, or http on this very machine",
                remedy="Correct `verify.aws.sts-endpoint`.",
            )
        if self.account is not None and self.account != self.role.account:
            raise wrong_account(f"the role is of account {self.role.account}", self.account)


class RoleCredentials:
    """Credentials of one role, obtained at the first call and again when they run out. Safe to call from threads."""

    def __init__(
        self,
        exchange: Exchange,
        mint: Callable[[], str],
        *,
        mask: Callable[[str], None],
        clock: Clock | None = None,
        now: Callable[[], float] = time.time,
    ) -> None:
        """`mint` gives a new token for STS's audience; `mask` hides a value in the log before anything else happens."""
        self._exchange = exchange
        self._mint = mint
        self._mask = mask
        self._clock = clock or Clock()
        self._now = now
        self._lock = threading.Lock()
        self._sts: Sts | None = None
        self._held: AwsCredentials | None = None
        self.request_id: str | None = None
        """Of the last exchange, for evidence: CloudTrail has it too."""

    def __repr__(self) -> str:
        """Without any secret."""
        return f"RoleCredentials({self._exchange.role.arn!r})"

    def __call__(self) -> AwsCredentials:
        """Credentials with at least `RENEW_SECONDS` left. `AegisError` with a `verify.…` code."""
        with self._lock:
            held = self._held
            if held is None or self._left(held) < RENEW_SECONDS:
                self._held = None
                held = self._held = self._obtained()
            return held

    def _left(self, held: AwsCredentials) -> float:
        """Seconds until they end; what STS gives always ends."""
        return held.expires.timestamp() - self._now() if held.expires else 0.0

    def _obtained(self) -> AwsCredentials:
        """Exchange a new token; what is transient is tried again, with the same token, which lives for minutes."""
        from aegis.adapters.aws.botocore_sts import StsFaultError, StsRefusedError

        token = self._mint()
        sts = self._sts = self._sts or _client(self._exchange)
        waited = 0.0
        for attempt in range(1, TRIES + 1):
            try:
                return self._checked(self._asked(sts, token))
            except StsRefusedError as refusal:
                if not is_transient(refusal.response):
                    exchange = self._exchange
                    raise refused_by_sts(refusal.response, exchange.role, decode(token), exchange.trust) from None
                problem = f"STS answered {refusal.response.get('Error', {}).get('Code')}"
            except StsFaultError as fault:
                problem = f"STS could not be reached: {fault}"
            pause = pause_before_next("", attempt, self._clock.jitter())
            if attempt == TRIES or waited + pause > RETRY_SECONDS:
                break
            waited += pause
            self._clock.sleep(pause)
        raise unreachable(problem)

    def _asked(self, sts: Sts, token: str) -> dict[str, Any]:
        return sts.assume(
            RoleArn=self._exchange.role.arn,
            RoleSessionName=self._exchange.session_name,
            WebIdentityToken=token,
            Policy=self._exchange.session_policy,
            DurationSeconds=DURATION_SECONDS,
        )

    def _checked(self, answer: dict[str, Any]) -> AwsCredentials:
        """Mask what is secret, and hand it out only if it is a session of the right account and role."""
        given = answer.get("Credentials", {})
        key, secret, session_token = (
            given.get(name, "") for name in ("AccessKeyId", "SecretAccessKey", "SessionToken")
        )
        for value in (key, secret, session_token):
            if value:
                self._mask(value)
        expires = given.get("Expiration")
        if not (key and secret and session_token) or not isinstance(expires, datetime):
            raise unreachable("STS answered without credentials")
        arn = answer.get("AssumedRoleUser", {}).get("Arn", "")
        session = _ASSUMED.fullmatch(arn)
        expected = self._exchange.account or self._exchange.role.account
        if session is None or session["account"] != expected or session["role"] != self._exchange.role.name:
            raise wrong_account(f"STS gave a session of {arn[:200]!r}", f"{expected}, role {self._exchange.role.name}")
        if expires.timestamp() - self._now() < RENEW_SECONDS:
            raise unreachable(f"STS gave credentials that end at {expires.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}")
        self.request_id = answer.get("ResponseMetadata", {}).get("RequestId")
        return AwsCredentials(key, secret, session_token, expires.astimezone(UTC))


def _client(exchange: Exchange) -> Sts:
    from aegis.adapters.aws.botocore_sts import Sts, StsFaultError

    try:
        return Sts(exchange.region, exchange.endpoint)
    except StsFaultError as error:
        raise UsageError(
            "verify.endpoint_invalid",
            f"there can be no STS at {exchange.endpoint or exchange.region!r}: {error}",
            expected="https://HOST, or http on this very machine",
            remedy="Correct `verify.aws.sts-endpoint` or the region.",
        ) from error
