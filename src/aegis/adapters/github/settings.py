"""A repository's settings at GitHub, read and written.

Every operation is one of GitHub's published description.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from aegis.adapters.github.rest import GitHubRest, an_object, invalid
from aegis.core.errors import CouldNotDecide

_ACTIONS = "github-actions"
"""The app that reports the checks of workflows."""


@dataclass(frozen=True, slots=True)
class GitHubSettings:
    """One repository, and a token that may see its settings."""

    repository: str
    """`owner/name`."""
    rest: GitHubRest

    def facts(self) -> dict[str, Any]:
        """The repository itself: default branch, visibility, what the token may do. To be asked first.

        The client follows GitHub's 301 for a repository that was renamed, and loses the query on the way, so that lists
        would be short: only the name of today is taken.
        """
        found = self.rest.ask("GET", self._path())
        if found is None:
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub knows no repository {self.repository!r}, or does not show it to this token (404)",
                expected="a repository that the token may see",
                remedy="Correct --repository, or give the token access to the repository.",
            )
        name = str(an_object(found).get("full_name"))
        if name.lower() != self.repository.lower():
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub calls the repository {self.repository!r} now {name[:140]!r}",
                expected="the repository's name of today",
                remedy="Name that one with --repository, once you know that it is yours, and correct the remote.",
            )
        return an_object(found)

    def actions_app(self) -> int:
        """The id of the app that reports the checks of workflows."""
        found = an_object(self.rest.ask("GET", f"/apps/{_ACTIONS}") or {})
        if not isinstance(found.get("id"), int):
            raise invalid("the app github-actions without an id")
        return int(found["id"])

    def rulesets(self, *, parents: bool) -> list[dict[str, Any]]:
        """Rulesets of branches, in short; `parents`: those of the organisation, too."""
        query = f"includes_parents={'true' if parents else 'false'}&targets=branch"
        return list(self._pages("/rulesets", query))

    def whole_ruleset(self, identity: int) -> dict[str, Any]:
        """One with its rules, and with who may pass it by, which is told to administrators only."""
        found = an_object(self._must("GET", f"/rulesets/{identity}"))
        if "bypass_actors" not in found:
            raise self.rest.forbidden(f"GitHub does not say who may pass the ruleset {found.get('name')!r} by")
        return found

    def put_ruleset(self, identity: int | None, document: Mapping[str, Any]) -> dict[str, Any]:
        """Make it, or replace the one of that id; as GitHub then says it is."""
        if identity is None:
            return an_object(self._must("POST", "/rulesets", document))
        return an_object(self._must("PUT", f"/rulesets/{identity}", document))

    def branch_rules(self, branch: str) -> list[dict[str, Any]]:
        """The rules of all rulesets that are in force on a branch."""
        return list(self._pages(f"/rules/branches/{quote(branch, safe='')}", ""))

    def protection(self, branch: str) -> dict[str, Any] | None:
        """Branch protection; None where there is none."""
        found = self._get(f"/branches/{quote(branch, safe='')}/protection")
        return None if found is None else an_object(found)

    def put_protection(self, branch: str, document: Mapping[str, Any]) -> dict[str, Any]:
        """Replace it."""
        return an_object(self._must("PUT", f"/branches/{quote(branch, safe='')}/protection", document))

    def environment(self, name: str) -> dict[str, Any] | None:
        """One; None where there is none."""
        found = self._get(f"/environments/{quote(name, safe='')}")
        return None if found is None else an_object(found)

    def environment_branches(self, name: str) -> list[dict[str, Any]]:
        """The patterns of branches that may deploy to it."""
        return list(
            self._pages(f"/environments/{quote(name, safe='')}/deployment-branch-policies", "", "branch_policies")
        )

    def subject(self) -> dict[str, Any]:
        """How the `sub` of the repository's OIDC tokens is made."""
        return an_object(self._must("GET", "/actions/oidc/customization/sub"))

    def token_permissions(self) -> dict[str, Any]:
        """What a workflow may do that says nothing about it."""
        return an_object(self._must("GET", "/actions/permissions/workflow"))

    def workflows(self) -> list[dict[str, Any]]:
        """Each with its path and state."""
        return list(self._pages("/actions/workflows", "", "workflows"))

    def owner_errors(self) -> list[dict[str, Any]]:
        """What GitHub cannot read in CODEOWNERS; where there is no such file, nothing."""
        found = self._get("/codeowners/errors")
        errors = an_object(found).get("errors") if found is not None else []
        return [each for each in errors if isinstance(each, dict)] if isinstance(errors, list) else []

    def _path(self, rest: str = "") -> str:
        return f"/repos/{self.repository}{rest}"

    def _pages(self, path: str, query: str, key: str | None = None) -> Iterator[dict[str, Any]]:
        """Every entry of a list, which stands below a key in some answers."""
        return self.rest.pages(self._path(path), query, key)

    def _get(self, path: str) -> Any:
        return self.rest.ask("GET", self._path(path))

    def _must(self, method: str, path: str, document: Mapping[str, Any] | None = None) -> Any:
        """The same, where 404 can only mean that the token may not: the repository itself was seen."""
        return self.rest.must(method, self._path(path), document)
