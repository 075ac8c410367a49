"""GitHub's OIDC tokens: minted when one is needed, masked before anything else, never stored.

A job with `id-token: write` finds an address and a bearer token in its environment
(https://docs.github.com/actions/reference/security/oidc#methods-for-requesting-the-oidc-token).
"""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aegis.adapters.github.context import pull_request
from aegis.adapters.http.call import RETRIED, TIMEOUT, Answer, Clock, call_with_retries, is_safe
from aegis.adapters.http.header import is_visible
from aegis.core.errors import CouldNotDecide
from aegis.identity.claims import Claims, decode

SKEW_SECONDS = 60
"""How far the clocks of GitHub and of this runner may differ."""
_URL, _TOKEN = "ACTIONS_ID_TOKEN_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_TOKEN"


@dataclass(frozen=True, slots=True)
class Minter:
    """Asks for tokens with the job's own right to them."""

    url: str = field(repr=False)
    bearer: str = field(repr=False)
    mask: Callable[[str], None]
    """Called with each token the moment it is there: in a workflow it prints `::add-mask::`."""
    clock: Clock = field(default_factory=Clock)
    now: Callable[[], float] = time.time
    """Seconds since 1970."""
    timeout: float = TIMEOUT

    def __post_init__(self) -> None:
        """Refuse an address to which the bearer token must not be sent."""
        if not is_safe(self.url):
            raise CouldNotDecide(
                "verify.endpoint_invalid",
                f"{_URL} is {_host(self.url)!r}",
                expected="an https address, as GitHub's runner sets it",
                remedy="Leave the variable as GitHub's runner sets it.",
            )
        if not is_visible(self.bearer):
            raise _refused(f"{_TOKEN} holds characters that no token has", "the value that GitHub's runner sets")

    def mint(self, audience: str) -> str:
        """A new token for one audience.

        `CouldNotDecide`: `verify.token_unavailable` (worth another run), `verify.token_refused`,
        `verify.token_invalid`, `verify.token_expired`.
        """
        request = urllib.request.Request(  # noqa: S310 - the scheme was checked when the minter was made
            _address(self.url, audience),
            headers={
                "Accept": "application/json; api-version=2.0",
                "Authorization": f"Bearer {self.bearer}",
                "User-Agent": "aegis-gates",
            },
        )
        problem, answer = call_with_retries(request, secrets=(self.bearer,), timeout=self.timeout, clock=self.clock)
        if answer is None:
            raise _unavailable(f"GitHub's token service could not be reached: {problem}")
        token = answer.json().get("value") if answer.status == 200 else None
        if not isinstance(token, str) or not token:
            raise _no_token(answer)
        self.mask(token)
        self._check(decode(token), audience)
        return token

    def _check(self, claims: Claims, audience: str) -> None:
        """The token is the one that was asked for, and of use now."""
        if claims.audience != audience:
            raise CouldNotDecide(
                "verify.token_invalid",
                f"the token that GitHub gave is for the audience {claims.audience[:200]!r}",
                expected=f"the audience {audience!r}",
                remedy="Report this to GitHub: the token is not the one that was asked for.",
            )
        now = self.now()
        if claims.expires <= now or (claims.not_before or 0) > now + SKEW_SECONDS:
            raise CouldNotDecide(
                "verify.token_expired",
                f"the token that GitHub gave is valid from {claims.not_before} to {claims.expires}; it is {int(now)}",
                expected="a token that is valid now",
                remedy="Set the runner's clock; both times are in seconds since 1970.",
            )


def minter_of(environ: Mapping[str, str], event: object, *, mask: Callable[[str], None]) -> Minter:
    """The minter of this job; `event` is the parsed payload. `CouldNotDecide` says why there is none."""
    url, bearer = environ.get(_URL, ""), environ.get(_TOKEN, "")
    if url and bearer:
        return Minter(url, bearer, mask)
    change = pull_request(environ, event)
    if environ.get("GITHUB_ACTIONS") != "true":
        raise CouldNotDecide(
            "verify.no_workflow",
            "there is no OIDC token outside a GitHub workflow",
            expected=f"a job with `id-token: write`, which has {_URL} in its environment",
            remedy="Run it in a workflow, or use credentials of your own (`aegis credentials doctor --token-file -`).",
        )
    if change is not None and change.restricted:
        whose = "is from a fork" if change.fork else "was started by Dependabot"
        raise CouldNotDecide(
            "verify.no_id_token_fork",
            f"this pull request {whose}, so GitHub gives its runs no OIDC token",
            expected="a run for a branch of this repository",
            remedy="A maintainer reads the change and starts the workflow by `workflow_dispatch` for its head commit; "
            "never switch the workflow to `pull_request_target`.",
        )
    raise CouldNotDecide(
        "verify.no_id_token_permission",
        f"{_URL if not url else _TOKEN} is not set: this job may not ask for an OIDC token",
        expected="`id-token: write` in the job's permissions",
        remedy="Add `permissions: {id-token: write, contents: read}` to the job, and to every workflow that calls it.",
    )


def _host(url: str) -> str:
    """An address for people: scheme and host, since the rest may hold anything."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "no address"
    return f"{parts.scheme[:20]}://{parts.netloc.rpartition('@')[2][:100]}"


def _address(url: str, audience: str) -> str:
    """The audience beside what the query holds already: GitHub's address has `?api-version=2.0` or an id in it."""
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "audience"]
    return urlunsplit(parts._replace(query=urlencode([*query, ("audience", audience)])))


def _no_token(answer: Answer) -> CouldNotDecide:
    if answer.status in RETRIED:
        return _unavailable(f"GitHub's token service answered {answer.said}")
    if answer.status == 200:
        return _unavailable("GitHub's token service answered without a token")
    if 300 <= answer.status < 400:
        return _refused(f"GitHub's token service answered {answer.status}", "an answer without a redirect")
    return _refused(f"GitHub's token service answered {answer.said}", "200 and a token")


def _unavailable(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "verify.token_unavailable",
        problem,
        expected="200 and a token",
        remedy="Run it again; see https://www.githubstatus.com if it happens again.",
    )


def _refused(problem: str, expected: str) -> CouldNotDecide:
    return CouldNotDecide(
        "verify.token_refused",
        problem,
        expected=expected,
        remedy="Run the job again: its right to ask for tokens ends with the job.",
    )
