"""An organisation at GitHub: its repositories, a repository's branches and files, pull requests, rulesets of all.

Whatever is written is added: a branch is only ever moved forward (`force: false`), so a commit that somebody pushed
meanwhile is never lost. https://docs.github.com/rest/git, /rest/pulls/pulls, /rest/orgs/rules
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from aegis.adapters.github.rest import GitHubRest, an_object, invalid
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.typed import convert

_PAGES = 100
"""Of 100 repositories; an organisation with more is not looked through, which is said."""
_ORGANISATION = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,38}")
_NAME = re.compile(r"(?!\.{1,2}$)[A-Za-z0-9._-]{1,100}")
_SHA = re.compile(r"[0-9a-f]{40}")
MAX_BLOB = 4 << 20
"""Bytes of a file that is read; workflows and policies are smaller."""
T = TypeVar("T")


class Rights(msgspec.Struct, frozen=True):
    """What the token's owner may do in a repository."""

    push: bool
    admin: bool


class Listed(msgspec.Struct, frozen=True):
    """A repository as the organisation's list tells it."""

    id: int
    name: str
    full_name: str
    fork: bool
    archived: bool
    disabled: bool
    is_template: bool
    default_branch: str
    topics: list[str]
    permissions: Rights


class Organisation(msgspec.Struct, frozen=True):
    """What GitHub says of it."""

    login: str
    id: int
    public_repos: int
    total_private_repos: int | None = None
    """Told to members alone."""


@dataclass(frozen=True, slots=True)
class Commit:
    """A commit, and the tree that it holds."""

    sha: str
    tree: str
    message: str
    parents: tuple[str, ...]


class Entry(msgspec.Struct, frozen=True):
    """A line of a tree: a file, a folder, a link or another repository."""

    path: str
    mode: str
    type: str
    sha: str


@dataclass(frozen=True, slots=True)
class Pull:
    """A pull request."""

    number: int
    state: str
    """`open` or `closed`."""
    merged: bool
    url: str


@dataclass(frozen=True, slots=True)
class GitHubOrganisation:
    """One organisation, and a token that may see its repositories."""

    login: str
    rest: GitHubRest

    def __post_init__(self) -> None:
        """Refuse what is no name, since it becomes a part of addresses."""
        if not _ORGANISATION.fullmatch(self.login):
            raise UsageError(
                "core.wrong_usage",
                f"{self.login[:120]!r} as the organisation",
                expected="an organisation's name at GitHub",
                remedy="Correct the argument.",
            )

    def facts(self) -> tuple[Organisation, frozenset[str] | None]:
        """The organisation, and the token's scopes; None for a token that has none (fine-grained, or of an app)."""
        found, headers = self.rest.ask_whole("GET", f"/orgs/{self.login}")
        if found is None:
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub knows no organisation {self.login!r}, or does not show it to this token (404)",
                expected="an organisation that the token may see",
                remedy="Correct the name; a person's account is no organisation.",
            )
        organisation = _typed(found, Organisation, "an organisation")
        if organisation.login.lower() != self.login.lower():
            raise CouldNotDecide(
                "github.not_found",
                f"GitHub calls the organisation {self.login!r} now {organisation.login[:60]!r}",
                expected="the organisation's name of today",
                remedy="Name that one, once you know that it is yours.",
            )
        scopes = headers.get("x-oauth-scopes")
        return organisation, None if scopes is None else frozenset(word.strip() for word in scopes.split(",")) - {""}

    def repositories(self) -> list[Listed]:
        """Every one that the token sees, by name; a page that moved while it was read shows none twice."""
        found: dict[int, Listed] = {}
        for each in self.rest.pages(f"/orgs/{self.login}/repos", "type=all&sort=full_name", limit=_PAGES):
            listed = _typed(each, Listed, "a repository")
            owner, _, name = listed.full_name.partition("/")
            if owner.lower() != self.login.lower() or name != listed.name or not _NAME.fullmatch(name):
                raise invalid(f"a repository {listed.full_name[:160]!r} of the organisation {self.login!r}")
            found[listed.id] = listed
        return sorted(found.values(), key=lambda listed: listed.full_name.lower())

    def rulesets(self) -> list[dict[str, Any]] | None:
        """Those of branches, in short; None where there are none for this organisation or this token."""
        if self.rest.ask("GET", f"/orgs/{self.login}/rulesets?targets=branch&per_page=1") is None:
            return None
        return list(self.rest.pages(f"/orgs/{self.login}/rulesets", "targets=branch"))

    def whole_ruleset(self, identity: int) -> dict[str, Any]:
        """One with its rules, and with who may pass it by."""
        found = an_object(self.rest.must("GET", f"/orgs/{self.login}/rulesets/{identity}"))
        if "bypass_actors" not in found:
            raise self.rest.forbidden(f"GitHub does not say who may pass the ruleset {found.get('name')!r} by")
        return found

    def put_ruleset(self, identity: int | None, document: Mapping[str, Any]) -> dict[str, Any]:
        """Make it, or replace the one of that id; as GitHub then says it is."""
        if identity is None:
            return an_object(self.rest.must("POST", f"/orgs/{self.login}/rulesets", document))
        return an_object(self.rest.must("PUT", f"/orgs/{self.login}/rulesets/{identity}", document))


@dataclass(frozen=True, slots=True)
class GitHubCode:
    """The branches, files and pull requests of one repository."""

    repository: str
    """`owner/name`."""
    rest: GitHubRest

    def tip(self, branch: str) -> Commit | None:
        """The newest commit of a branch; None where there is no such branch, or no commit at all (409)."""
        found = self.rest.ask("GET", self._git(f"ref/heads/{quote(branch)}"), none=(404, 409))
        if found is None:
            return None
        target = an_object(an_object(found).get("object"))
        if an_object(found).get("ref") != f"refs/heads/{branch}" or target.get("type") != "commit":
            raise invalid(f"an answer to the branch {branch!r} that is none")
        return self.commit(_sha(target.get("sha")))

    def commit(self, sha: str) -> Commit:
        """One by its id."""
        return _commit(self.rest.must("GET", self._git(f"commits/{sha}")), sha)

    def tree(self, sha: str) -> list[Entry]:
        """The lines of one tree, not of those below it; all of them."""
        found = an_object(self.rest.must("GET", self._git(f"trees/{sha}")))
        if found.get("truncated") is not False:
            raise invalid(f"a tree that GitHub cuts short, {sha}")
        entries = _typed(found.get("tree"), list[Entry], "a tree")
        for entry in entries:
            # a name that is a path would be a file elsewhere
            if not entry.path or entry.path in {".", ".."} or "/" in entry.path or "\0" in entry.path:
                raise invalid(f"a tree with {entry.path[:100]!r}")
            _sha(entry.sha)
        return entries

    def blob(self, sha: str) -> bytes:
        """A file's bytes, which are what the id says (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)."""
        found = an_object(self.rest.must("GET", self._git(f"blobs/{sha}")))
        size = found.get("size")
        if not isinstance(size, int) or size > MAX_BLOB or found.get("encoding") != "base64":
            raise invalid(f"a file of {size} bytes, encoded as {str(found.get('encoding'))[:20]!r}")
        try:
            content = base64.b64decode(str(found.get("content")))
        except binascii.Error as error:
            raise invalid(f"a file that is no base64, {sha}") from error
        if blob_id(content) != sha:
            raise invalid(f"a file whose bytes are not those of {sha}")
        return content

    def write_tree(self, base: str, files: Mapping[str, str | None]) -> str:
        """A tree as another, with these texts; None leaves a file out. Its id."""
        entries = [
            {"path": path, "mode": "100644", "type": "blob", **({"sha": None} if text is None else {"content": text})}
            for path, text in sorted(files.items())
        ]
        found = self.rest.must("POST", self._git("trees"), {"base_tree": base, "tree": entries})
        return _sha(an_object(found).get("sha"))

    def write_commit(self, message: str, tree: str, parents: Sequence[str]) -> Commit:
        """A commit of the token's owner, on no branch yet."""
        document = {"message": message, "tree": tree, "parents": list(parents)}
        found = _commit(self.rest.must("POST", self._git("commits"), document), None)
        if (found.tree, found.parents) != (tree, tuple(parents)):
            raise invalid(f"the commit {found.sha} with another tree or other parents than were sent")
        return found

    def make_branch(self, branch: str, sha: str) -> None:
        """A new one; GitHub refuses it where one of that name is there."""
        self.rest.must("POST", self._git("refs"), {"ref": f"refs/heads/{branch}", "sha": sha})

    def move_branch(self, branch: str, sha: str) -> None:
        """Forward alone; GitHub refuses it where the branch has a commit that the new one does not follow."""
        self.rest.must("PATCH", self._git(f"refs/heads/{quote(branch)}"), {"sha": sha, "force": False})

    def pulls(self, branch: str, base: str) -> list[Pull]:
        """The pull requests of a branch of this very repository, the newest first."""
        owner = self.repository.partition("/")[0]
        query = f"state=all&head={quote(owner)}:{quote(branch, safe='')}&base={quote(base, safe='')}"
        path = f"/repos/{self.repository}/pulls"
        return [_pull(each) for each in self.rest.pages(path, f"{query}&sort=created&direction=desc")]

    def open_pull(self, title: str, body: str, branch: str, base: str) -> Pull:
        """A new one."""
        document = {"title": title, "body": body, "head": branch, "base": base}
        return _pull(self.rest.must("POST", f"/repos/{self.repository}/pulls", document))

    def _git(self, rest: str) -> str:
        return f"/repos/{self.repository}/git/{rest}"


def blob_id(content: bytes) -> str:
    """Git's id of a file."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def walk(code: GitHubCode, tree: str, folders: Sequence[str]) -> Iterator[tuple[str, Entry]]:
    """The files of some folders (`""` is the root), by path; a folder that is a link is none."""
    trees = {"": tree}
    for folder in folders:
        if folder not in trees:
            continue
        for entry in code.tree(trees[folder]):
            path = f"{folder}/{entry.path}" if folder else entry.path
            if entry.type == "tree":
                trees[path] = entry.sha
            else:
                yield path, entry


def _commit(found: Any, sha: str | None) -> Commit:
    document = an_object(found)
    parents = document.get("parents")
    if not isinstance(parents, list) or (sha is not None and document.get("sha") != sha):
        raise invalid("a commit without its parents, or another one")
    return Commit(
        _sha(document.get("sha")),
        _sha(an_object(document.get("tree")).get("sha")),
        str(document.get("message")),
        tuple(_sha(an_object(each).get("sha")) for each in parents),
    )


def _pull(found: Any) -> Pull:
    document = an_object(found)
    number, state, url = document.get("number"), document.get("state"), document.get("html_url")
    if not isinstance(number, int) or state not in {"open", "closed"} or not isinstance(url, str):
        raise invalid("a pull request without its number, state or address")
    return Pull(number, str(state), document.get("merged_at") is not None, url)


def _sha(found: Any) -> str:
    if not isinstance(found, str) or not _SHA.fullmatch(found):
        raise invalid(f"{str(found)[:60]!r} as the id of an object")
    return found


def _typed(found: Any, kind: type[T], what: str) -> T:
    try:
        return convert(found, kind)
    except msgspec.ValidationError as error:
        raise invalid(f"{what}: {str(error)[:200]}") from error
