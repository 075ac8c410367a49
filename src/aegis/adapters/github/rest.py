"""GitHub's REST API by path: PyGithub's requests, without what PyGithub would do by itself and may not here.

It would wait for hours at a rate limit, try writes again and follow a repository's new name; that is turned off. What
an answer means is told in one place: none, refused, limited, unreachable, or of another form than described.
https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from aegis.adapters.github.code_scanning import PUBLIC_API
from aegis.adapters.http.call import RETRY_SECONDS, TIMEOUT, TRIES, Clock, is_safe, pause_before_next
from aegis.adapters.http.header import is_visible
from aegis.core.errors import AegisError, CouldNotDecide, UsageError

if TYPE_CHECKING:
    from github import Github

PAGE = 100
"""Entries of a page, the most that GitHub gives."""
PAGES = 20
"""Pages of a list; more than these are not looked through, which is said."""
MINUTE = 60.0
"""Seconds to wait at least where GitHub names a limit and no time."""
ADMINISTRATOR = "a token of an administrator: fine-grained with `Administration`, classic with `repo`"
_NEVER_OF_A_WORKFLOW = "; that of a workflow (`github.token`) never has this right."
_LIMITED = re.compile(r"rate limit|retry your request again later|wait a few minutes", re.IGNORECASE)
_AGAIN = frozenset({500, 502, 503, 504})
_NOT_FOUND = frozenset({404})


@dataclass(frozen=True, slots=True)
class GitHubRest:
    """One API address (`GITHUB_API_URL`) and one token."""

    token: str = field(repr=False)
    api: str = PUBLIC_API
    clock: Clock = field(default_factory=Clock)
    timeout: float = TIMEOUT
    """Seconds of silence."""
    patience: float = RETRY_SECONDS
    """Seconds of all waits of one call together, those that a rate limit asks for among them."""
    pace: float = 0.0
    """Seconds before each write; GitHub asks for one between them."""
    rights: str = ADMINISTRATOR
    """What the token needs, for the error that says that it may not."""
    _client: list[Github] = field(default_factory=list, repr=False)
    """Made at the first request."""

    def __post_init__(self) -> None:
        """Refuse an address to which a token must not be sent."""
        if not is_safe(self.api):
            raise UsageError(
                "core.wrong_usage",
                f"GITHUB_API_URL is {self.api!r}",
                expected="an https address such as https://api.github.com or https://HOST/api/v3",
                remedy="Leave the variable as GitHub's runner sets it.",
            )
        if not self.token or not is_visible(self.token):
            raise UsageError(
                "github.token_refused",
                "the GitHub token is empty or holds characters that no token has",
                expected="a token in GITHUB_TOKEN",
                remedy="Set GITHUB_TOKEN, e.g. GITHUB_TOKEN=$(gh auth token) before the command.",
            )

    def ask(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        none: Collection[int] = _NOT_FOUND,
    ) -> Any:
        """The answer's document; None for a status of `none`. Reading, and replacing by the same, are tried again."""
        return self.ask_whole(method, path, document, none=none)[0]

    def must(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """The same, where 404 can only mean that the token may not: what it belongs to was seen."""
        found = self.ask(method, path, document)
        if found is None:
            raise self.forbidden(f"{_named(method, path)}: 404, which is how GitHub says that the token may not")
        return found

    def ask_whole(
        self,
        method: str,
        path: str,
        document: Mapping[str, Any] | None = None,
        *,
        none: Collection[int] = _NOT_FOUND,
    ) -> tuple[Any, Mapping[str, str]]:
        """The document, and the headers by lower-case name."""
        waited, attempt = 0.0, 0
        if method != "GET" and self.pace:
            self.clock.sleep(self.pace)
        while True:
            attempt += 1
            told = self._once(method, path, document)
            limited = isinstance(told, tuple) and _is_limited(told)
            again = limited or (method != "POST" and (not isinstance(told, tuple) or told[0] in _AGAIN))
            pause = pause_before_next(_wait(told), attempt, self.clock.jitter())
            if limited and not _wait(told) and waited + MINUTE <= self.patience:
                pause = max(pause, MINUTE)
            if not again or attempt == TRIES or waited + pause > self.patience:
                break
            waited += pause
            self.clock.sleep(pause)
        if not isinstance(told, tuple):
            raise told
        if limited:
            raise self._rate_limited(_wait(told))
        return self._told(told, _named(method, path), none), told[1]

    def pages(self, path: str, query: str, key: str | None = None, *, limit: int = PAGES) -> Iterator[dict[str, Any]]:
        """Every entry of a list, which stands below a key in some answers."""
        for page in range(1, limit + 1):
            words = f"{query}&" if query else ""
            found = self.must("GET", f"{path}?{words}per_page={PAGE}&page={page}")
            entries = an_object(found).get(key) if key is not None else found
            if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
                raise invalid(f"an answer to {path} that is no list")
            yield from entries
            if len(entries) < PAGE:
                return
        raise invalid(f"more than {PAGE * limit} entries of {path}")

    def _once(self, method: str, path: str, document: Mapping[str, Any] | None) -> _Told | AegisError:
        """Status, headers and text, or why there was no answer."""
        import requests
        from github import Auth, Github

        if not self._client:
            self._client.append(
                Github(
                    auth=Auth.Token(self.token),
                    base_url=self.api.rstrip("/"),
                    timeout=max(1, round(self.timeout)),
                    retry=0,
                    user_agent="aegis-gates",
                    seconds_between_requests=0,
                    seconds_between_writes=0,
                )
            )
        accept = {"Accept": "application/vnd.github+json"}
        try:
            return self._client[0].requester.requestJson(method, path, headers=accept, input=document)
        except requests.RequestException as error:
            return _unreachable(f"{self.api} does not answer: {type(error).__name__}")
        except (RuntimeError, RecursionError):  # PyGithub's words for a redirect that it does not follow
            return _unreachable(f"{self.api} redirects elsewhere, which is not followed")
        except ValueError as error:  # PyGithub reads the headers of limits as numbers
            return invalid(f"an answer with headers that are not understood: {type(error).__name__}")

    def _told(self, told: _Told, what: str, none: Collection[int]) -> Any:
        """What an answer means."""
        status, headers, text = told
        if status in none:
            return None
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            document = None
        if 200 <= status < 300 and document is not None:
            return document
        message = document.get("message") if isinstance(document, dict) else None
        said = f"{what}: {status}" + (f" {message[:200]}" if isinstance(message, str) else "")
        if status == 401:
            raise CouldNotDecide(
                "github.token_refused",
                said,
                expected="a token that GitHub knows",
                remedy="Set GITHUB_TOKEN to a token that has not ended.",
            )
        if status == 403:
            needed = headers.get("x-accepted-github-permissions", "")
            raise self.forbidden(said + (f" (it takes {needed[:200]})" if needed else ""))
        if status == 422:
            raise CouldNotDecide(
                "github.rejected",
                said,
                expected="settings that this repository may have",
                remedy="Read GitHub's words; an organisation's rules or plan may forbid them.",
            )
        if status >= 500:
            raise _unreachable(said)
        raise invalid(said)

    def forbidden(self, said: str) -> AegisError:
        """The error for what the token may not."""
        return CouldNotDecide(
            "github.no_permission",
            said,
            expected=self.rights,
            remedy="Use such a token" + (_NEVER_OF_A_WORKFLOW if self.rights == ADMINISTRATOR else "."),
        )

    def _rate_limited(self, wait: str) -> AegisError:
        return CouldNotDecide(
            "github.rate_limited",
            "GitHub's rate limit is reached" + (f"; it asks to wait {wait} seconds" if wait.isdecimal() else ""),
            expected=f"an answer within {self.patience:.0f} seconds",
            remedy="Run it again later.",
        )


_Told = tuple[int, dict[str, str], str]
"""Status, headers by lower-case name, text."""


def _named(method: str, path: str) -> str:
    return f"{method} {path.partition('?')[0]}"


def _is_limited(told: _Told) -> bool:
    """https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: 403 or 429."""
    status, headers, text = told
    if status == 403:
        return "retry-after" in headers or headers.get("x-ratelimit-remaining") == "0" or bool(_LIMITED.search(text))
    return status == 429


def _wait(told: _Told | AegisError) -> str:
    """Seconds that GitHub asks to wait: named, or until its limit begins anew, by its own clock."""
    if not isinstance(told, tuple):
        return ""
    headers = told[1]
    reset, date = headers.get("x-ratelimit-reset", ""), headers.get("date", "")
    if "retry-after" in headers or headers.get("x-ratelimit-remaining") != "0" or not reset.isdecimal():
        return headers.get("retry-after", "")
    try:
        return str(max(1, int(reset[:12]) - int(parsedate_to_datetime(date).timestamp()) + 1))
    except ValueError:
        return ""


def _unreachable(said: str) -> AegisError:
    return CouldNotDecide("github.unreachable", said, expected="an answer of GitHub", remedy="Run it again.")


def invalid(said: str) -> AegisError:
    """The error for an answer of another form than described."""
    return CouldNotDecide(
        "github.answer_invalid",
        said,
        expected="what GitHub's API description says",
        remedy="Run it again; report it if it fails again.",
    )


def an_object(found: Any) -> dict[str, Any]:
    """An answer that must be one."""
    if not isinstance(found, dict):
        raise invalid("an answer that is no object")
    return found
