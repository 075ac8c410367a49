"""A session of OCI for a GitHub workflow: the token exchange of an identity domain, and nothing kept.

https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/json_web_token_exchange.htm. The domain gives a
session token (UPST) that is bound to a key which is made for it here, and which never leaves this process. `oci` has
the same exchange (`TokenExchangeSigner`), without time-outs, without retries, and without a reason when it is refused.
"""

from __future__ import annotations

import base64
import threading
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit

from aegis.adapters.http.call import TIMEOUT, Answer, Clock, call_with_retries, is_safe
from aegis.adapters.http.header import is_visible
from aegis.adapters.oci.faults import refused_by_domain, unreachable
from aegis.core.errors import UsageError
from aegis.identity.claims import decode
from aegis.identity.oci_session import read_session, session_invalid
from aegis.identity.oci_trust_document import PropagationTrust

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RENEW_SECONDS = 120
"""A session with less than this left is renewed before it is handed out."""
KEY_BITS = 2048
_GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
_REQUESTED = "urn:oci:token-type:oci-upst"


@dataclass(frozen=True, slots=True)
class OciClient:
    """The confidential application of the domain that may exchange tokens."""

    client_id: str
    secret: str = field(repr=False)

    def __post_init__(self) -> None:
        """Refuse what could not stand in the header of a request."""
        for name, value in (("OCI_CLIENT_ID", self.client_id), ("OCI_CLIENT_SECRET", self.secret)):
            if not value or not is_visible(value):
                said = "empty" if not value else "set, but holds spaces or other characters that it never has"
                raise _no_client(f"{name} is {said}", f"the value that the identity domain shows for {name}")
        if ":" in self.client_id:
            raise _no_client("OCI_CLIENT_ID holds a colon", "the client id alone")


@dataclass(frozen=True, slots=True, kw_only=True)
class OciExchange:
    """What is asked of the identity domain, but for the token."""

    domain: str
    """Its address, e.g. `https://idcs-….identity.oraclecloud.com`."""
    audience: str
    """Of the GitHub token that is exchanged."""
    client: OciClient
    trust: PropagationTrust | None = field(default=None, repr=False)
    """The domain's trust where it is at hand: a refusal then names what differs."""

    def __post_init__(self) -> None:
        """Refuse an address to which neither the token nor the client's secret must be sent."""
        if not is_safe(self.domain) or urlsplit(self.domain).query:
            raise UsageError(
                "verify.endpoint_invalid",
                "the address of the identity domain is no https address",
                expected="https://HOST, or http on this very machine",
                remedy="Correct `verify.oci.domain`.",
            )


@dataclass(frozen=True, slots=True)
class OciSession:
    """One session token and the key that it is bound to."""

    token: str = field(repr=False)
    key: RSAPrivateKey = field(repr=False)
    expires: int
    """Seconds since 1970."""


class OciSessions:
    """The session of one job, obtained at the first call and again when it runs out. Safe to call from threads."""

    def __init__(
        self,
        exchange: OciExchange,
        mint: Callable[[str], str],
        *,
        mask: Callable[[str], None],
        clock: Clock | None = None,
        now: Callable[[], float] = time.time,
        timeout: float = TIMEOUT,
    ) -> None:
        """`mint` gives a new GitHub token for an audience; `mask` hides a value in the log the moment it is there.

        `now`: seconds since 1970. `timeout`: seconds.
        """
        client = exchange.client
        self._basic = base64.b64encode(f"{client.client_id}:{client.secret}".encode()).decode()
        for value in (client.secret, self._basic):
            mask(value)
        self._exchange, self._mint, self._mask = exchange, mint, mask
        self._clock, self._now, self._timeout = clock or Clock(), now, timeout
        self._lock = threading.Lock()
        self._held: OciSession | None = None

    def __repr__(self) -> str:
        """Without any secret."""
        return f"OciSessions({self._exchange.domain!r})"

    def __call__(self) -> OciSession:
        """A session with at least `RENEW_SECONDS` left. `AegisError` with a `verify.…` code."""
        with self._lock:
            held = self._held
            if held is None or held.expires - self._now() < RENEW_SECONDS:
                self._held = None
                held = self._held = self._obtained()
            return held

    def _obtained(self) -> OciSession:
        """Exchange a new token for a session that is bound to a new key."""
        from cryptography.hazmat.primitives.asymmetric import rsa

        token = self._mint(self._exchange.audience)
        key = rsa.generate_private_key(public_exponent=65537, key_size=KEY_BITS)
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the exchange was made
            f"{self._exchange.domain.rstrip('/')}/oauth2/v1/token",
            data=urlencode(
                {
                    "grant_type": _GRANT,
                    "requested_token_type": _REQUESTED,
                    "subject_token": token,
                    "subject_token_type": "jwt",
                    "public_key": _public_key(key),
                }
            ).encode(),
            headers={
                "Accept": "application/json",
                "Authorization": f"Basic {self._basic}",
                "Content-Type": "application/x-www-form-urlencoded",
                "User-Agent": "aegis-gates",
            },
        )
        secrets = (token, self._basic, self._exchange.client.secret)
        problem, answer = call_with_retries(request, secrets=secrets, timeout=self._timeout, clock=self._clock)
        if answer is None:
            raise unreachable(f"the identity domain could not be reached: {problem}")
        if answer.status != 200:
            raise refused_by_domain(answer, decode(token), self._exchange.trust)
        return self._checked(answer, key)

    def _checked(self, answer: Answer, key: RSAPrivateKey) -> OciSession:
        """Mask what is secret, and hand it out only if it is bound to our key and good for a while."""
        token = answer.json().get("token")
        if not isinstance(token, str) or not token:
            raise unreachable("the identity domain answered 200 without a session token")
        self._mask(token)
        claims = read_session(token)
        numbers = key.public_key().public_numbers()
        if claims.key is not None and claims.key != (numbers.n, numbers.e):
            raise session_invalid("it is bound to another key", "the key that was sent with the request")
        if claims.expires - self._now() < RENEW_SECONDS:
            raise session_invalid(
                f"it ends at {claims.expires}, and it is {int(self._now())} (seconds since 1970)",
                f"a session of at least {RENEW_SECONDS} s; compare the clocks of the runner and of OCI",
            )
        return OciSession(token, key, claims.expires)


def _public_key(key: RSAPrivateKey) -> str:
    """The public half as the exchange takes it: base64 of the DER form (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    return base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def _no_client(problem: str, expected: str) -> UsageError:
    return UsageError(
        "verify.oci_client_invalid",
        problem,
        expected=expected,
        remedy="Set OCI_CLIENT_ID and OCI_CLIENT_SECRET as secrets of the job's environment, and pass them to the "
        "action. Runs for forks and Dependabot get no secrets.",
    )
