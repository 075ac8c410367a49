"""A repository's settings at GitHub, read and written by PyGithub's requests.

PyGithub has no rulesets, so its requests are made by path; what it would do by itself and may not here is turned off:
waiting for hours at a rate limit, and trying writes again. Every operation is one of GitHub's published description.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from aegis.adapters.github import PUBLIC_API
from aegis.adapters.http_call import RETRY_SECONDS, TIMEOUT, TRIES, Clock, is_safe, pause_before_next
from aegis.core.errors import AegisError, CouldNotDecide, UsageError

if TYPE_CHECKING:
    from github import Github

_PAGE, _PAGES = 100, 20
"""Entries of a list; more than these are not looked through, which is said."""
_LIMITED = re.compile(r"rate limit|retry your request again later|wait a few minutes", re.IGNORECASE)
_AGAIN = frozenset({500, 502, 503, 504})
_ACTIONS = "github-actions"
"""The app that reports the checks of workflows."""


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """One repository, and a token that may see its settings."""

    repository: str
    """`owner/name`."""
    token: str = field(repr=False)
    api: str = PUBLIC_API
    clock: Clock = field(default_factory=Clock)
    timeout: float = TIMEOUT
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
        if not self.token or not self.token.isascii() or not self.token.isprintable() or " " in self.token:
            raise UsageError(
                "github.token_refused",
                "the GitHub token is empty or holds characters that no token has",
                expected="a token in GITHUB_TOKEN",
                remedy="Set GITHUB_TOKEN, e.g. GITHUB_TOKEN=$(gh auth token) before the command.",
            )

    def facts(self) -> dict[str, Any]:
        """The repository itself: default branch, visibility, what the token may do. To be asked first.

        The client follows GitHub's 301 for a repository that was renamed, and loses the query on the way, so that lists
        would be short: only the name of today is taken.
        """
        found = self._get("")
        if found is None:
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub knows no repository {self.repository!r}, or does not show it to this token (404)",
                expected="a repository that the token may see",
                remedy="Correct --repository, or give the token access to the repository.",
            )
        name = str(_object(found).get("full_name"))
        if name.lower() != self.repository.lower():
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub calls the repository {self.repository!r} now {name[:140]!r}",
                expected="the repository's name of today",
                remedy="Name that one with --repository, once you know that it is yours, and correct the remote.",
            )
        return _object(found)

    def actions_app(self) -> int:
        """The id of the app that reports the checks of workflows."""
        found = _object(self._ask("GET", f"/apps/{_ACTIONS}", None, absolute=True) or {})
        if not isinstance(found.get("id"), int):
            raise _invalid("the app github-actions without an id")
        return int(found["id"])

    def rulesets(self, *, parents: bool) -> list[dict[str, Any]]:
        """Rulesets of branches, in short; `parents`: those of the organisation, too."""
        query = f"includes_parents={'true' if parents else 'false'}&targets=branch"
        return list(self._pages("/rulesets", query))

    def whole_ruleset(self, identity: int) -> dict[str, Any]:
        """One with its rules, and with who may pass it by, which is told to administrators only."""
        found = _object(self._must("GET", f"/rulesets/{identity}"))
        if "bypass_actors" not in found:
            raise _forbidden(f"GitHub does not say who may pass the ruleset {found.get('name')!r} by")
        return found

    def put_ruleset(self, identity: int | None, document: Mapping[str, Any]) -> dict[str, Any]:
        """Make it, or replace the one of that id; as GitHub then says it is."""
        if identity is None:
            return _object(self._must("POST", "/rulesets", document))
        return _object(self._must("PUT", f"/rulesets/{identity}", document))

    def branch_rules(self, branch: str) -> list[dict[str, Any]]:
        """The rules of all rulesets that are in force on a branch."""
        return list(self._pages(f"/rules/branches/{quote(branch, safe='')}", ""))

    def protection(self, branch: str) -> dict[str, Any] | None:
        """Branch protection; None where there is none."""
        found = self._get(f"/branches/{quote(branch, safe='')}/protection")
        return None if found is None else _object(found)

    def put_protection(self, branch: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Replace it."""
        return _object(self._must("PUT", f"/branches/{quote(branch, safe='')}/protection", document))

    def environment(self, name: str) -> dict[str, Any] | None:
        """One; None where there is none."""
        found = self._get(f"/environments/{quote(name, safe='')}")
        return None if found is None else _object(found)

    def environment_branches(self, name: str) -> list[dict[str, Any]]:
        """The patterns of branches that may deploy to it."""
        return list(
            self._pages(f"/environments/{quote(name, safe='')}/deployment-branch-policies", "", "branch_policies")
        )

    def subject(self) -> dict[str, Any]:
        """How the `sub` of the repository's OIDC tokens is made."""
        return _object(self._must("GET", "/actions/oidc/customization/sub"))

    def token_permissions(self) -> dict[str, Any]:
        """What a workflow may do that says nothing about it."""
        return _object(self._must("GET", "/actions/permissions/workflow"))

    def workflows(self) -> list[dict[str, Any]]:
        """Each with its path and state."""
        return list(self._pages("/actions/workflows", "", "workflows"))

    def owner_errors(self) -> list[dict[str, Any]]:
        """What GitHub cannot read in CODEOWNERS; where there is no such file, nothing."""
        found = self._get("/codeowners/errors")
        errors = _object(found).get("errors") if found is not None else []
        return [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []

    def _pages(self, path: str, query: str, key: str | None = None) -> Iterator[dict[str, Any]]:
        """Every entry of a list, which stands below a key in some answers."""
        for page in range(1, _PAGES + 1):
            words = f"{query}&" if query else ""
            found = self._must("GET", f"{path}?{words}per_page={_PAGE}&page={page}")
            entries = _object(found).get(key) if key is not None else found
            if not isinstance(entries, list) or not all(isinstance(each, dict) for each in entries):
                raise _invalid(f"an answer to {path} that is no list")
            yield from entries
            if len(entries) < _PAGE:
                return
        raise _invalid(f"more than {_PAGE * _PAGES} entries of {path}")

    def _get(self, path: str) -> Any:
        return self._ask("GET", path, None)

    def _must(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """The same, where 404 can only mean that the token may not: the repository itself was seen."""
        found = self._ask(method, path, document)
        if found is None:
            raise _forbidden(f"{method} {path.partition('?')[0]}: 404, which is how GitHub says that the token may not")
        return found

    def _ask(self, method: str, path: str, document: Mapping[str, Any] | None, *, absolute: bool = False) -> Any:
        """The answer's document; None for 404. Reading, and replacing by the same, are tried again."""
        whole = path if absolute else f"/repos/{self.repository}{path}"
        waited, attempt = 0.0, 0
        while True:
            attempt += 1
            told = self._once(method, whole, document)
            limited = isinstance(told, tuple) and _is_limited(told)
            again = limited or (method != "POST" and (not isinstance(told, tuple) or told[0] in _AGAIN))
            pause = pause_before_next(_wait(told), attempt, self.clock.jitter())
            if not again or attempt == TRIES or waited + pause > RETRY_SECONDS:
                break
            waited += pause
            self.clock.sleep(pause)
        if not isinstance(told, tuple):
            raise told
        if limited:
            raise _rate_limited(_wait(told))
        return _told(told[0], told[2], f"{method} {path.partition('?')[0]}")

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


_Told = tuple[int, dict[str, str], str]
"""Status, headers by lower-case name, text."""


def _is_limited(told: _Told) -> bool:
    """https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api: 403 or 429."""
    status, headers, text = told
    return status == 429 or (status == 403 and ("retry-after" in headers or _LIMITED.search(text) is not None))


def _wait(told: _Told | AegisError) -> str:
    """Seconds that GitHub asks to wait."""
    return told[1].get("retry-after", "") if isinstance(told, tuple) else ""


def _told(status: int, text: str, what: str) -> Any:
    """What an answer means."""
    import json

    if status == 404:
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
        raise _forbidden(said)
    if status == 422:
        raise CouldNotDecide(
            "github.rejected",
            said,
            expected="settings that this repository may have",
            remedy="Read GitHub's words; an organisation's rules or plan may forbid them.",
        )
    if status >= 500:
        raise _unreachable(said)
    raise _invalid(said)


def _rate_limited(wait: str) -> AegisError:
    return CouldNotDecide(
        "github.rate_limited",
        "GitHub's rate limit is reached" + (f"; it asks to wait {wait} seconds" if wait.isdecimal() else ""),
        expected=f"an answer within {RETRY_SECONDS:.0f} seconds",
        remedy="Run it again later.",
    )


def _forbidden(said: str) -> AegisError:
    return CouldNotDecide(
        "github.no_permission",
        said,
        expected="a token of an administrator: fine-grained with `Administration`, classic with `repo`",
        remedy="Use such a token; that of a workflow (`github.token`) never has this right.",
    )


def _unreachable(said: str) -> AegisError:
    return CouldNotDecide("github.unreachable", said, expected="an answer of GitHub", remedy="Run it again.")


def _invalid(said: str) -> AegisError:
    return CouldNotDecide(
        "github.answer_invalid",
        said,
        expected="what GitHub's API description says",
        remedy="Run it again; report it if it fails again.",
    )


def _object(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        raise _invalid("an answer that is no object")
    return found
