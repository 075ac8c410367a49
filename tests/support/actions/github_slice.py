"""What GitHub's own description says of the settings that are read and written, cut out of a pinned npm package.

    python -m tests.support.actions.github_slice

writes `tests/doubles/github_settings_openapi.json` anew; a test makes it again and compares. Prose is left out, and
what people, teams and other repositories look like, since none of that is asked for.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.programs.npm import package

SPEC = "@octokit/openapi@23.0.2"
SLICE = Path(__file__).resolve().parents[2] / "doubles" / "github_settings_openapi.json"
OPERATIONS = (
    "GET /apps/{app_slug}",
    "GET /orgs/{org}",
    "GET /orgs/{org}/repos",
    "GET /orgs/{org}/rulesets",
    "POST /orgs/{org}/rulesets",
    "GET /orgs/{org}/rulesets/{ruleset_id}",
    "PUT /orgs/{org}/rulesets/{ruleset_id}",
    "GET /repos/{owner}/{repo}",
    "GET /repos/{owner}/{repo}/actions/artifacts",
    "GET /repos/{owner}/{repo}/actions/artifacts/{artifact_id}/{archive_format}",
    "GET /repos/{owner}/{repo}/actions/oidc/customization/sub",
    "GET /repos/{owner}/{repo}/actions/permissions/workflow",
    "GET /repos/{owner}/{repo}/actions/workflows",
    "GET /repos/{owner}/{repo}/branches/{branch}/protection",
    "PUT /repos/{owner}/{repo}/branches/{branch}/protection",
    "GET /repos/{owner}/{repo}/codeowners/errors",
    "GET /repos/{owner}/{repo}/environments/{environment_name}",
    "GET /repos/{owner}/{repo}/environments/{environment_name}/deployment-branch-policies",
    "GET /repos/{owner}/{repo}/git/blobs/{file_sha}",
    "GET /repos/{owner}/{repo}/git/commits/{commit_sha}",
    "POST /repos/{owner}/{repo}/git/commits",
    "GET /repos/{owner}/{repo}/git/ref/{ref}",
    "POST /repos/{owner}/{repo}/git/refs",
    "PATCH /repos/{owner}/{repo}/git/refs/{ref}",
    "GET /repos/{owner}/{repo}/git/trees/{tree_sha}",
    "POST /repos/{owner}/{repo}/git/trees",
    "GET /repos/{owner}/{repo}/pulls",
    "POST /repos/{owner}/{repo}/pulls",
    "GET /repos/{owner}/{repo}/rules/branches/{branch}",
    "GET /repos/{owner}/{repo}/rulesets",
    "POST /repos/{owner}/{repo}/rulesets",
    "GET /repos/{owner}/{repo}/rulesets/{ruleset_id}",
    "PUT /repos/{owner}/{repo}/rulesets/{ruleset_id}",
)
_PROSE = frozenset({"description", "example", "examples", "title", "deprecated", "nullable", "externalDocs"})
_OTHERS = frozenset(
    {"owner", "organization", "parent", "source", "template_repository", "code_of_conduct", "license", "reviewer"}
    | {"users", "teams", "apps", "security_and_analysis"}
    | {"user", "repo", "assignee", "assignees", "requested_reviewers", "requested_teams", "milestone", "auto_merge"}
    | {"labels", "custom_properties", "plan"}
)
"""Properties that say who or what else; only whether they are an object or a list is kept."""
_WORTH_SHARING = 150
"""Characters of a schema that is kept once for all its places."""


def made() -> str:
    """The file's text."""
    whole = json.loads((package(SPEC) / "generated" / "api.github.com.deref.json").read_text(encoding="utf-8"))
    shared: dict[str, Any] = {}
    operations = {}
    for name in OPERATIONS:
        method, path = name.split()
        operations[name] = _operation(whole["paths"][path][method.lower()], shared)
    source = f"npm package {SPEC}, generated/api.github.com.deref.json, cut by tests/support/actions/github_slice.py"
    return json.dumps({"source": source, "shared": shared, "operations": operations}, sort_keys=True, indent=0) + "\n"


def resolved(document: Any, shared: dict[str, Any]) -> Any:
    """With every shared schema in its places."""
    if isinstance(document, dict):
        if set(document) == {"shared"}:
            return resolved(shared[document["shared"]], shared)
        return {key: resolved(value, shared) for key, value in document.items()}
    return [resolved(value, shared) for value in document] if isinstance(document, list) else document


def _operation(described: dict[str, Any], shared: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {"operationId": described["operationId"]}
    found["query"] = {
        each["name"]: _schema(each["schema"], shared) for each in described["parameters"] if each["in"] == "query"
    }
    if "requestBody" in described:
        found["requestBody"] = _schema(described["requestBody"]["content"]["application/json"]["schema"], shared)
    found["responses"] = {
        status: _schema(dict(_json(answer)), shared) for status, answer in described["responses"].items()
    }
    return found


def _json(answer: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    yield from answer.get("content", {}).get("application/json", {}).get("schema", {}).items()


def _schema(schema: Any, shared: dict[str, Any]) -> Any:
    """One schema, as JSON Schema knows it."""
    if not isinstance(schema, dict):
        return schema
    found: dict[str, Any] = {}
    for key, value in schema.items():
        if key in _PROSE or key.startswith("x-"):
            continue
        if key == "properties":
            found[key] = {name: _property(name, each, shared) for name, each in value.items()}
        elif isinstance(value, list):
            found[key] = [_schema(each, shared) for each in value]
        else:
            found[key] = _schema(value, shared)
    found = _or_null(found) if schema.get("nullable") else found
    text = json.dumps(found, sort_keys=True)
    if len(text) < _WORTH_SHARING:
        return found
    name = hashlib.sha256(text.encode()).hexdigest()[:12]
    shared[name] = found
    return {"shared": name}


def _property(name: str, schema: dict[str, Any], shared: dict[str, Any]) -> Any:
    if name in _OTHERS:
        return (
            {} if "type" not in schema else _schema({k: schema[k] for k in ("type", "nullable") if k in schema}, shared)
        )
    return _schema(schema, shared)


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """OpenAPI 3.0's `nullable` in JSON Schema's words."""
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]
    if isinstance(schema.get("type"), str):
        schema["type"] = [schema["type"], "null"]
    for several in ("anyOf", "oneOf"):
        if several in schema:
            schema[several] = [*schema[several], {"type": "null"}]
    return schema


if __name__ == "__main__":
    SLICE.write_text(made(), encoding="utf-8")
