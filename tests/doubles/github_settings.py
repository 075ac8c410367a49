"""A repository's settings at GitHub, on loopback, as strict as the real service for the operations that are called.

Requests and answers are held against GitHub's own description; what that does not say is checked by hand, from
https://docs.github.com/rest/repos/rules, /rest/branches/branch-protection and
/rest/using-the-rest-api/troubleshooting-the-rest-api (404 for what a token may not see).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema

from tests.doubles.github import GitHub
from tests.support.actions.github_slice import SLICE, resolved

TOKEN = "github_pat_" + "5Bx" * 12
ACTIONS_APP = 15368
_STAMP = "2026-01-05T10:00:00Z"
_ERRORS = frozenset({401, 403, 404, 429})
"""What GitHub may answer to anything, whether its description says so or not."""


@cache
def description() -> dict[str, Any]:
    """By method and path, with references resolved."""
    document = json.loads(SLICE.read_text(encoding="utf-8"))
    operations: dict[str, Any] = resolved(document["operations"], document["shared"])
    return operations


@cache
def _judge(operation: str, what: str) -> jsonschema.Draft7Validator:
    """Of a request's body, or of the answer with a status; made once, since looking a schema over takes longest."""
    described = description()[operation]
    return jsonschema.Draft7Validator(
        described["requestBody"] if what == "requestBody" else described["responses"][what]
    )


def _pattern(path: str) -> re.Pattern[str]:
    known = re.sub(r"\\\{ref\\\}", r"(?P<ref>[^?]+)", re.escape(path))  # the one that may hold slashes
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/?]+)", known))


@cache
def _patterns() -> dict[str, re.Pattern[str]]:
    return {name: _pattern(name) for name in description()}


def operation_of(line: str) -> str | None:
    """The operation of a request line such as `GET /path?query`."""
    found = [name for name, pattern in _patterns().items() if pattern.fullmatch(line.partition("?")[0])]
    return min(found, key=lambda name: name.count("{")) if found else None


@dataclass
class SettingsAtGitHub(GitHub):
    """The service: its state before, and afterwards."""

    name: str = "octo/widgets"
    """Of the repository."""
    right: str = "admin"
    """Of the token: `admin`, `read`, or `none` (the repository is not shown)."""
    unseen: frozenset[str] = frozenset()
    """Operations that a fine-grained token lacks the permission for."""
    branch: str = "main"
    private_without_plan: bool = False
    """GitHub offers no rules for it."""
    dropped: frozenset[str] = frozenset()
    """Switches that GitHub leaves off without a word."""
    rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    organisation_rules: list[dict[str, Any]] = field(default_factory=list)
    protection: dict[str, Any] | None = None
    environments: dict[str, dict[str, Any]] = field(default_factory=dict)
    subject: dict[str, Any] = field(default_factory=lambda: {"use_default": True})
    token_permissions: dict[str, Any] = field(
        default_factory=lambda: {"default_workflow_permissions": "read", "can_approve_pull_request_reviews": False}
    )
    workflows: list[dict[str, Any]] = field(default_factory=list)
    owner_errors: list[dict[str, Any]] = field(default_factory=list)
    writes: list[dict[str, Any]] = field(default_factory=list)
    """The bodies that were taken."""

    def answer(self, line: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
        if headers.get("Authorization") not in {f"token {TOKEN}", f"Bearer {TOKEN}"}:
            return 401, {"message": "Bad credentials"}
        if not headers.get("User-Agent") or headers.get("Accept") != "application/vnd.github+json":
            return 403, {"message": "Request forbidden by administrative rules"}
        operation = operation_of(line)
        if operation is None:
            return 404, {"message": "Not Found"}
        described = description()[operation]
        match = _patterns()[operation].fullmatch(line.partition("?")[0])
        assert match is not None
        if "repo" in match.groupdict() and f"{match['owner']}/{match['repo']}" not in self.repositories:
            return 404, {"message": "Not Found"}
        query = dict(parse_qsl(line.partition("?")[2], strict_parsing=True)) if "?" in line else {}
        if problem := _wrong_query(query, described["query"]):
            return 422, {"message": problem}
        document: Any = None
        if "requestBody" in described:
            try:
                document = json.loads(body)
                _judge(operation, "requestBody").validate(document)
            except (ValueError, jsonschema.ValidationError) as error:
                return 422, {"message": f"Invalid request.\n\n{str(error).splitlines()[0]}"}
        status, found = self._done(operation, {k: unquote(v) for k, v in match.groupdict().items()}, query, document)
        if status < 400 or status not in _ERRORS:
            assert str(status) in described["responses"], f"GitHub never answers {status} to {operation}"
            _judge(operation, str(status)).validate(found)
        return status, found

    def _done(self, operation: str, at: dict[str, str], query: dict[str, str], document: Any) -> tuple[int, Any]:
        method, _, path = operation.partition(" ")
        rest = path.removeprefix("/repos/{owner}/{repo}")
        if path == "/apps/{app_slug}":
            return (200, _app()) if at["app_slug"] == "github-actions" else (404, {"message": "Not Found"})
        if self.right == "none" or (self.right == "read" and (method != "GET" or rest in _ADMINISTRATORS)):
            return 404, {"message": "Not Found"}
        if operation in self.unseen:
            return 403, {"message": "Resource not accessible by personal access token"}
        if self.private_without_plan and ("rule" in rest or "protection" in rest):
            return 403, {"message": "Upgrade to GitHub Pro or make this repository public to enable this feature."}
        if rest.startswith("/rulesets"):
            return self._ruleset(method, at, query, document)
        if rest.startswith("/branches"):
            return self._protection(method, at, document)
        if rest.startswith("/environments"):
            return self._environment(rest, at, query)
        if rest == "/rules/branches/{branch}":
            return 200, page_of(self._rules(at["branch"]), query)
        if rest == "/actions/workflows":
            listed = [_workflow(number, each) for number, each in enumerate(self.workflows, 1)]
            return 200, {"total_count": len(listed), "workflows": page_of(listed, query)}
        simple: dict[str, Any] = {
            "": _repository(self.name, self.branch),
            "/actions/oidc/customization/sub": self.subject,
            "/actions/permissions/workflow": self.token_permissions,
            "/codeowners/errors": {"errors": self.owner_errors},
        }
        return 200, simple[rest]

    def _ruleset(self, method: str, at: dict[str, str], query: dict[str, str], document: Any) -> tuple[int, Any]:
        if "ruleset_id" not in at and method == "GET":
            short = [{k: v for k, v in each.items() if k != "rules"} for each in self.rulesets.values()]
            return 200, page_of([self._shown(each) for each in short], query)
        identity = int(at["ruleset_id"]) if at.get("ruleset_id", "").isdecimal() else None
        if "ruleset_id" in at and identity not in self.rulesets:
            return 404, {"message": "Not Found"}
        if method == "GET":
            assert identity is not None
            return 200, self._shown(self.rulesets[identity])
        if any(each["name"] == document["name"] and each["id"] != identity for each in self.rulesets.values()):
            return 422, {"message": "Validation Failed", "errors": ["Name must be unique"]}
        types = [rule["type"] for rule in document.get("rules", [])]
        if len(set(types)) < len(types):
            return 422, {"message": "Validation Failed", "errors": ["Invalid rules"]}
        for check in _checks_of(document):
            if check.get("integration_id") not in {None, ACTIONS_APP}:
                return 422, {"message": "Validation Failed", "errors": ["Invalid rule: unknown integration"]}
        self.writes.append(document)
        number = identity if identity is not None else 100 + len(self.rulesets)
        self.rulesets[number] = self._kept(document, number)
        return (201 if identity is None else 200), self._shown(self.rulesets[number])

    def _kept(self, document: Mapping[str, Any], number: int) -> dict[str, Any]:
        """As GitHub keeps it: with defaults, and without what it drops."""
        rules = []
        for rule in document.get("rules", []):
            given = {
                key: value if key not in self.dropped else False for key, value in rule.get("parameters", {}).items()
            }
            parameters = {**_DEFAULTS.get(rule["type"], {}), **given}
            rules.append({"type": rule["type"], **({"parameters": parameters} if parameters else {})})
        return {
            "id": number,
            "node_id": f"RRS_{number}",
            "source": self.name,
            "source_type": "Repository",
            "target": document.get("target", "branch"),
            "created_at": _STAMP,
            "updated_at": _STAMP,
            "_links": {"self": {"href": f"{self.api}/repos/{self.name}/rulesets/{number}"}},
            "bypass_actors": [],
            "conditions": {},
            **{key: value for key, value in document.items() if key != "target"},
            "rules": rules,
        }

    def _shown(self, ruleset: Mapping[str, Any]) -> dict[str, Any]:
        """Who may pass it by is told to administrators only."""
        return {key: value for key, value in ruleset.items() if key != "bypass_actors" or self.right == "admin"}

    def _rules(self, branch: str) -> list[dict[str, Any]]:
        """In force: of active rulesets that mean the branch."""
        found = list(self.organisation_rules)
        for each in self.rulesets.values():
            names = (each.get("conditions") or {}).get("ref_name", {})
            include, exclude = set(names.get("include", [])), set(names.get("exclude", []))
            meant = {"~ALL", f"refs/heads/{branch}"} | ({"~DEFAULT_BRANCH"} if branch == self.branch else set())
            if each["enforcement"] == "active" and include & meant and not exclude & meant:
                source = {
                    "ruleset_source_type": "Repository",
                    "ruleset_source": self.name,
                    "ruleset_id": each["id"],
                }
                found += [{**rule, **source} for rule in each["rules"]]
        return found

    def _protection(self, method: str, at: dict[str, str], document: Any) -> tuple[int, Any]:
        if at["branch"] != self.branch:
            return 404, {"message": "Branch not found"}
        if method == "PUT":
            self.writes.append(document)
            self.protection = _protected(document, self.api)
        if self.protection is None:
            return 404, {"message": "Branch not protected"}
        return 200, self.protection

    def _environment(self, rest: str, at: dict[str, str], query: dict[str, str]) -> tuple[int, Any]:
        found = self.environments.get(at["environment_name"])
        if found is None:
            return 404, {"message": "Not Found"}
        if rest.endswith("/deployment-branch-policies"):
            names = [
                {"id": n, "node_id": f"B_{n}", "name": name} for n, name in enumerate(found.get("branches", []), 1)
            ]
            return 200, {"total_count": len(names), "branch_policies": page_of(names, query)}
        url = f"{self.api}/repos/{self.name}/environments/{at['environment_name']}"
        facts = {"id": 1, "node_id": "EN_1", "name": at["environment_name"], "url": url, "html_url": url}
        more = {key: value for key, value in found.items() if key != "branches"}
        return 200, {**facts, "created_at": _STAMP, "updated_at": _STAMP, "protection_rules": [], **more}


_ADMINISTRATORS = frozenset(
    {"/branches/{branch}/protection", "/actions/permissions/workflow", "/actions/oidc/customization/sub"}
)
_DEFAULTS: dict[str, dict[str, Any]] = {
    "pull_request": {"allowed_merge_methods": ["merge", "squash", "rebase"], "required_reviewers": []},
    "required_status_checks": {"do_not_enforce_on_create": False},
}


def _checks_of(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    rules = [rule for rule in document.get("rules", []) if rule["type"] == "required_status_checks"]
    return [check for rule in rules for check in rule.get("parameters", {}).get("required_status_checks", [])]


def _wrong_query(query: Mapping[str, str], known: Mapping[str, Any]) -> str | None:
    if unknown := set(query) - set(known):
        return f"unknown query {sorted(unknown)}"
    size, page = query.get("per_page", "30"), query.get("page", "1")
    fine = size.isdecimal() and page.isdecimal() and 1 <= int(size) <= 100 and int(page) >= 1
    return None if fine else "Validation Failed"


def page_of(entries: list[Any], query: Mapping[str, str]) -> list[Any]:
    size = int(query.get("per_page", "30"))
    start = (int(query.get("page", "1")) - 1) * size
    return entries[start : start + size]


def _protected(document: Mapping[str, Any], api: str) -> dict[str, Any]:
    """Branch protection as it is told, of how it was sent."""
    url = f"{api}/repos/octo/widgets/branches/main/protection"
    switches = (
        "required_linear_history", "allow_force_pushes", "allow_deletions", "block_creations",
        "required_conversation_resolution", "lock_branch", "allow_fork_syncing",
    )  # fmt: skip
    told: dict[str, Any] = {
        "url": url,
        "enforce_admins": {"url": f"{url}/enforce_admins", "enabled": bool(document["enforce_admins"])},
        "required_signatures": {"url": f"{url}/required_signatures", "enabled": False},
        **{key: {"enabled": bool(document.get(key))} for key in switches},
    }
    if document["required_status_checks"] is not None:
        sent = document["required_status_checks"]
        checks = [{"context": each["context"], "app_id": each.get("app_id")} for each in sent.get("checks", [])]
        checks += [{"context": name, "app_id": None} for name in sent["contexts"]]
        names = [each["context"] for each in checks]
        told["required_status_checks"] = {
            "url": url,
            "contexts_url": f"{url}/contexts",
            "strict": sent["strict"],
            "contexts": names,
            "checks": checks,
        }
    if document["required_pull_request_reviews"] is not None:
        reviews = document["required_pull_request_reviews"]
        plain = ("dismiss_stale_reviews", "require_code_owner_reviews", "require_last_push_approval")
        told["required_pull_request_reviews"] = {
            "url": url,
            **{key: bool(reviews.get(key)) for key in plain},
            "required_approving_review_count": reviews.get("required_approving_review_count", 1),
        }
        for key in ("dismissal_restrictions", "bypass_pull_request_allowances"):
            if key in reviews:
                told["required_pull_request_reviews"][key] = _people(reviews[key])
    if document["restrictions"] is not None:
        urls = {f"{kind}_url": f"{url}/restrictions/{kind}" for kind in ("users", "teams", "apps")}
        told["restrictions"] = {"url": url, **urls, **_people(document["restrictions"])}
    return told


def _people(sent: Mapping[str, Any]) -> dict[str, Any]:
    keys = {"users": "login", "teams": "slug", "apps": "slug"}
    return {kind: [{key: name} for name in sent.get(kind, [])] for kind, key in keys.items()}


def _app() -> dict[str, Any]:
    return {
        "id": ACTIONS_APP,
        "slug": "github-actions",
        "node_id": "A_1",
        "owner": {"login": "github"},
        "name": "GitHub Actions",
        "description": "",
        "external_url": "https://help.github.com/en/actions",
        "html_url": "https://github.com/apps/github-actions",
        "created_at": _STAMP,
        "updated_at": _STAMP,
        "permissions": {"checks": "write"},
        "events": [],
    }


def _repository(full_name: str, branch: str) -> dict[str, Any]:
    """What is told of it."""
    schema = description()["GET /repos/{owner}/{repo}"]["responses"]["200"]
    facts = {"id": 712345678, "full_name": full_name, "name": full_name.partition("/")[2], "default_branch": branch}
    return {**filled(schema), **facts}


def filled(schema: Mapping[str, Any]) -> dict[str, Any]:
    """With every property that a description demands; those of which nothing is asked are empty."""
    return {name: _empty(schema["properties"][name]) for name in schema["required"]}


def _empty(schema: Mapping[str, Any]) -> Any:
    kinds = schema.get("type", "object")
    kind = kinds if isinstance(kinds, str) else kinds[-1]
    if schema.get("format") == "date-time":
        return _STAMP
    if "enum" in schema:
        return schema["enum"][-1]
    return {
        "string": "https://api.github.com/",
        "boolean": False,
        "integer": 0,
        "object": filled(schema) if "required" in schema else {},
        "array": [],
        "null": None,
    }[kind]


def _workflow(number: int, facts: Mapping[str, Any]) -> dict[str, Any]:
    url = f"https://api.github.com/repos/octo/widgets/actions/workflows/{number}"
    stamps = {"created_at": _STAMP, "updated_at": _STAMP}
    whole = {"id": number, "node_id": f"W_{number}", "name": facts["path"], "state": "active", "url": url}
    return {**whole, "html_url": url, "badge_url": url, **stamps, **facts}
