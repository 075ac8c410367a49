"""An organisation at GitHub, on loopback: many repositories with their files, pull requests and settings.

Requests and answers are held against GitHub's own description, as in `github_settings`; what that does not say is
checked by hand, from https://docs.github.com/rest/git, /rest/pulls/pulls#create-a-pull-request and
/rest/orgs/rules: an empty repository answers 409, a branch moves forward only, a second pull request of a branch is
refused, a token without the right for workflows writes none.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.doubles.git_store import FILE, FOLDER, GitStore
from tests.doubles.github_settings import SettingsAtGitHub, description, filled, operation_of, page_of

_STAMP = "2026-01-05T10:00:00Z"
_EMPTY = {"message": "Git Repository is empty."}
Found = tuple[int, Any]
"""Status and document."""
_FORBIDDEN = {"message": "Resource not accessible by personal access token"}


@dataclass
class RepositoryAtGitHub:
    """One repository."""

    id: int
    name: str
    git: GitStore = field(default_factory=GitStore)
    settings: SettingsAtGitHub = field(default_factory=SettingsAtGitHub)
    topics: list[str] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    """What differs in the organisation's list, e.g. `archived`."""
    push: bool = True
    pulls: list[dict[str, Any]] = field(default_factory=list)

    def close(self, number: int, *, merged: bool = False) -> None:
        """As a person does; a merge takes the branch's files over and leaves the branch."""
        pull = self.pulls[number - 1]
        pull |= {"state": "closed", "closed_at": _STAMP, "merged_at": _STAMP if merged else None}
        if merged:
            tips = [self.git.refs[f"refs/heads/{pull[side]['ref']}"] for side in ("base", "head")]
            base = dict(self.git.files(self.git.tree_of(tips[0])))
            tree = self.git.make_tree(base | dict(self.git.files(self.git.tree_of(tips[1]))))
            self.git.refs[f"refs/heads/{pull['base']['ref']}"] = self.git.make_commit(tree, tips, "merge")


@dataclass
class OrganisationAtGitHub(SettingsAtGitHub):
    """The service: its state before, and afterwards."""

    login: str = "octo"
    members: dict[str, RepositoryAtGitHub] = field(default_factory=dict)
    """By name."""
    hidden: int = 0
    """Private repositories that the token does not see."""
    rules_of_all: bool = True
    """The plan has rulesets of an organisation."""
    workflows_right: bool = True
    """The token may write workflows."""
    all_rulesets: dict[int, dict[str, Any]] = field(default_factory=dict)
    commits: int = 0
    """Made by requests."""
    before: dict[str, Callable[[], object]] = field(default_factory=dict)
    """What happens at GitHub before it answers, by operation."""
    instead: dict[str, Found] = field(default_factory=dict)
    """What it answers instead of its work."""
    twists: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    """What a server that lies makes of its answers."""

    def add(self, name: str, files: Mapping[str, str] | None = None, **more: Any) -> RepositoryAtGitHub:
        """A repository with one commit; without files an empty one."""
        made = RepositoryAtGitHub(1000 + len(self.members), name, **more)
        made.settings.name = f"{self.login}/{name}"
        if files is not None:
            made.git.commit(files)
        self.members[name] = made
        self.repositories |= {f"{self.login}/{name}"}
        return made

    def answer(self, line: str, headers: Mapping[str, str], body: bytes) -> Found:
        operation = operation_of(line) or ""
        if operation in self.before:
            self.before[operation]()
        status, found = self.instead.get(operation) or super().answer(line, headers, body)
        return status, self.twists[operation](found) if operation in self.twists else found

    def _done(self, operation: str, at: dict[str, str], query: dict[str, str], document: Any) -> Found:
        method, _, path = operation.partition(" ")
        if path.startswith("/orgs/"):
            return self._organisation(method, path, at, query, document)
        if path.startswith("/apps/"):
            return super()._done(operation, at, query, document)
        if operation in self.unseen:
            return 403, _FORBIDDEN
        member = self.members[at["repo"]]
        rest = path.removeprefix("/repos/{owner}/{repo}")
        if rest.startswith("/git/"):
            return self._git(member, method, rest.removeprefix("/git/"), at, document)
        if rest == "/pulls":
            return self._pulls(member, method, query, document)
        member.settings.address, member.settings.prefix = self.address, self.prefix
        member.settings.organisation_rules = self._rules_for(member)
        return member.settings._done(operation, at, query, document)

    def _organisation(self, method: str, path: str, at: dict[str, str], query: dict[str, str], document: Any) -> Found:
        if at["org"].lower() != self.login.lower():
            return 404, {"message": "Not Found"}
        if path == "/orgs/{org}":
            schema = description()["GET /orgs/{org}"]["responses"]["200"]
            facts = {"login": self.login, "id": 7, "public_repos": 0}
            return 200, {**filled(schema), **facts, "total_private_repos": len(self.members) + self.hidden}
        if path == "/orgs/{org}/repos":
            listed = sorted(self.members.values(), key=lambda each: each.name.lower())
            return 200, page_of([self._listed(each) for each in listed], query)
        if not self.rules_of_all:
            return 403, {"message": "Upgrade to GitHub Team to enable this feature."}
        if f"{method} {path}" in self.unseen:
            return (404, {"message": "Not Found"}) if method == "GET" else (403, _FORBIDDEN)
        return self._ruleset_of_all(method, at, query, document)

    def _listed(self, member: RepositoryAtGitHub) -> dict[str, Any]:
        schema = description()["GET /orgs/{org}/repos"]["responses"]["200"]["items"]
        rights = {"admin": member.settings.right == "admin", "push": member.push, "pull": True}
        return {
            **filled(schema),
            "id": member.id,
            "name": member.name,
            "full_name": f"{self.login}/{member.name}",
            "private": True,
            "fork": False,
            "archived": False,
            "disabled": False,
            "is_template": False,
            "default_branch": member.settings.branch,
            "topics": member.topics,
            "permissions": rights,
            **member.facts,
        }

    def _ruleset_of_all(self, method: str, at: dict[str, str], query: dict[str, str], document: Any) -> Found:
        if method == "GET" and "ruleset_id" not in at:
            short = [{k: v for k, v in each.items() if k != "rules"} for each in self.all_rulesets.values()]
            return 200, page_of(short, query)
        identity = int(at["ruleset_id"]) if "ruleset_id" in at else None
        if identity is not None and identity not in self.all_rulesets:
            return 404, {"message": "Not Found"}
        if method == "GET":
            assert identity is not None
            return 200, self.all_rulesets[identity]
        if any(each["name"] == document["name"] and each["id"] != identity for each in self.all_rulesets.values()):
            return 422, _invalid("Name must be unique")
        means = [key for key in document.get("conditions", {}) if key.startswith("repository_")]
        if len(means) != 1 or "ref_name" not in document["conditions"]:
            return 422, _invalid("Invalid conditions")
        known = {member.id for member in self.members.values()}
        if not known >= set(document["conditions"].get("repository_id", {}).get("repository_ids", [])):
            return 422, _invalid("Invalid repository")
        self.writes.append(document)
        number = identity if identity is not None else 900 + len(self.all_rulesets)
        self.all_rulesets[number] = {
            **self._kept(document, number),
            "source": self.login,
            "source_type": "Organization",
        }
        return (201 if identity is None else 200), self.all_rulesets[number]

    def _rules_for(self, member: RepositoryAtGitHub) -> list[dict[str, Any]]:
        """In force there, of rulesets of the organisation that mean the default branch."""
        found = []
        for each in self.all_rulesets.values():
            conditions = each["conditions"]
            ids = conditions.get("repository_id", {}).get("repository_ids", [])
            names = conditions.get("repository_name", {}).get("include", [])
            meant = member.id in ids or {"~ALL", member.name} & set(names)
            if meant and each["enforcement"] == "active" and "~DEFAULT_BRANCH" in conditions["ref_name"]["include"]:
                source = {
                    "ruleset_source_type": "Organization",
                    "ruleset_source": self.login,
                    "ruleset_id": each["id"],
                }
                found += [{**rule, **source} for rule in each["rules"]]
        return found

    def _git(self, member: RepositoryAtGitHub, method: str, rest: str, at: dict[str, str], document: Any) -> Found:
        git = member.git
        if not git.refs:
            return 409, _EMPTY
        if method != "GET" and not member.push:
            return 404, {"message": "Not Found"}
        match f"{method} {rest}":
            case "GET ref/{ref}":
                return self._ref(member, f"refs/{at['ref']}")
            case "GET commits/{commit_sha}":
                return self._commit(member, at["commit_sha"])
            case "GET trees/{tree_sha}":
                return self._tree(member, at["tree_sha"])
            case "GET blobs/{file_sha}":
                content = git.get(at["file_sha"], "blob")
                if content is None:
                    return 404, {"message": "Not Found"}
                text = base64.encodebytes(content).decode()
                facts = {"sha": at["file_sha"], "node_id": "B", "size": len(content), "url": self.address}
                return 200, {**facts, "content": text, "encoding": "base64"}
            case "POST trees":
                return self._make_tree(member, document)
            case "POST commits":
                return self._make_commit(member, document)
            case "POST refs":
                if git.get(document["sha"], "commit") is None:
                    return 422, _invalid("Object does not exist")
                if document["ref"] in git.refs:
                    return 422, _invalid("Reference already exists")
                git.refs[document["ref"]] = document["sha"]
                return 201, self._ref(member, document["ref"])[1]
            case _:
                return self._move(member, f"refs/{at['ref']}", document)

    def _move(self, member: RepositoryAtGitHub, ref: str, document: Any) -> Found:
        git = member.git
        if ref not in git.refs or git.get(document["sha"], "commit") is None:
            return 422, _invalid("Reference does not exist")
        if not document.get("force") and not git.follows(document["sha"], git.refs[ref]):
            return 422, _invalid("Update is not a fast forward")
        git.refs[ref] = document["sha"]
        return self._ref(member, ref)

    def _ref(self, member: RepositoryAtGitHub, ref: str) -> Found:
        if ref not in member.git.refs:
            return 404, {"message": "Not Found"}
        target = {"type": "commit", "sha": member.git.refs[ref], "url": self.address}
        return 200, {"ref": ref, "node_id": "R", "url": self.address, "object": target}

    def _commit(self, member: RepositoryAtGitHub, sha: str) -> Found:
        if member.git.get(sha, "commit") is None:
            return 404, {"message": "Not Found"}
        tree, parents, message = member.git.parts(sha)
        who = {"name": "Ada", "email": "ada@example.org", "date": _STAMP}
        facts = {"sha": sha, "node_id": "C", "url": self.address, "html_url": self.address, "message": message}
        unsigned = {"verified": False, "reason": "unsigned", "signature": None, "payload": None, "verified_at": None}
        return 200, {
            **facts,
            "author": who,
            "committer": who,
            "tree": {"sha": tree, "url": self.address},
            "parents": [{"sha": each, "url": self.address, "html_url": self.address} for each in parents],
            "verification": unsigned,
        }

    def _tree(self, member: RepositoryAtGitHub, sha: str) -> Found:
        if member.git.get(sha, "tree") is None:
            return 404, {"message": "Not Found"}
        lines = [
            {
                "path": name,
                "mode": "040000" if mode == FOLDER else mode,
                "type": {FOLDER: "tree", "160000": "commit"}.get(mode, "blob"),
                "sha": identity,
                "url": self.address,
            }
            for mode, name, identity in member.git.lines(sha)
        ]
        return 200, {"sha": sha, "url": self.address, "tree": lines, "truncated": False}

    def _make_tree(self, member: RepositoryAtGitHub, document: Any) -> Found:
        git = member.git
        if git.get(document["base_tree"], "tree") is None:
            return 404, {"message": "Not Found"}
        files = dict(git.files(document["base_tree"]))
        for entry in document["tree"]:
            if entry["path"].startswith(".github/workflows/") and not self.workflows_right:
                return 403, _FORBIDDEN
            if "content" in entry and "sha" in entry:
                return 422, _invalid("Must supply either tree.sha or tree.content, not both")
            if "content" in entry:
                files[entry["path"]] = FILE, git.put("blob", entry["content"].encode())
            elif entry["sha"] is None and entry["path"] in files:
                del files[entry["path"]]
            else:
                return 422, _invalid("GitRPC::BadObjectState")
        return 201, self._tree(member, git.make_tree(files))[1]

    def _make_commit(self, member: RepositoryAtGitHub, document: Any) -> Found:
        git = member.git
        if git.get(document["tree"], "tree") is None or not all(
            git.get(each, "commit") for each in document["parents"]
        ):
            return 422, _invalid("Tree SHA or parent SHA does not exist")
        self.commits += 1
        return 201, self._commit(member, git.make_commit(document["tree"], document["parents"], document["message"]))[1]

    def _pulls(self, member: RepositoryAtGitHub, method: str, query: dict[str, str], document: Any) -> Found:
        if method == "GET":
            state, head, base = query.get("state", "open"), query.get("head"), query.get("base")
            found = [
                each
                for each in member.pulls
                if state in {"all", each["state"]}
                and head in {None, f"{self.login}:{each['head']['ref']}"}
                and base in {None, each["base"]["ref"]}
            ]
            newest = query.get("direction", "desc") == "desc"
            return 200, page_of(found[::-1] if newest else found, query)
        if not member.push:
            return 404, {"message": "Not Found"}
        tips = [member.git.refs.get(f"refs/heads/{document[side]}") for side in ("head", "base")]
        if None in tips:
            return 422, _invalid("Validation Failed: head or base invalid")
        head, base = document["head"], document["base"]
        if any(
            (each["head"]["ref"], each["base"]["ref"], each["state"]) == (head, base, "open") for each in member.pulls
        ):
            return 422, _invalid(f"A pull request already exists for {self.login}:{head}.")
        if member.git.follows(str(tips[1]), str(tips[0])):
            return 422, _invalid(f"No commits between {base} and {head}")
        number = len(member.pulls) + 1
        url = f"https://github.com/{self.login}/{member.name}/pull/{number}"
        pull = {
            **filled(description()["POST /repos/{owner}/{repo}/pulls"]["responses"]["201"]),
            "number": number,
            "state": "open",
            "title": document["title"],
            "body": document["body"],
            "html_url": url,
            "merged_at": None,
            "closed_at": None,
        }
        pull["head"] = {**pull["head"], "ref": head}
        pull["base"] = {**pull["base"], "ref": base}
        member.pulls.append(pull)
        return 201, pull


def _invalid(message: str) -> dict[str, Any]:
    return {"message": message, "documentation_url": "https://docs.github.com/rest"}
