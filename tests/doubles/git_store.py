"""Git's objects in memory, with the ids that git gives them
(https://git-scm.com/book/en/v2/Git-Internals-Git-Objects)."""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.scan.gitrepo import START

FILE, FOLDER, LINK = "100644", "40000", "120000"
Files = Mapping[str, tuple[str, str]]
"""Mode and id by path."""


@dataclass
class GitStore:
    """One repository: objects, and branches by full name."""

    objects: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def put(self, kind: str, content: bytes) -> str:
        """An object; its id."""
        identity = hashlib.sha1(f"{kind} {len(content)}\0".encode() + content).hexdigest()
        self.objects[identity] = kind, content
        return identity

    def get(self, identity: str, kind: str) -> bytes | None:
        """An object of a kind; None where there is none."""
        found = self.objects.get(identity)
        return found[1] if found and found[0] == kind else None

    def commit(
        self,
        files: Mapping[str, str | bytes | None],
        message: str = "change",
        *,
        branch: str = "main",
        links: Mapping[str, str] | None = None,
    ) -> str:
        """A person's commit on a branch: files that change, None deletes one."""
        ref = f"refs/heads/{branch}"
        parent = self.refs.get(ref)
        present = dict(self.files(self.tree_of(parent))) if parent else {}
        for path, content in files.items():
            if content is None:
                del present[path]
            else:
                data = content.encode() if isinstance(content, str) else content
                present[path] = FILE, self.put("blob", data)
        for path, target in (links or {}).items():
            present[path] = LINK, self.put("blob", target.encode())
        self.refs[ref] = self.make_commit(self.make_tree(present), [parent] if parent else [], message)
        return self.refs[ref]

    def make_tree(self, files: Files) -> str:
        """Of every path."""
        below: dict[str, dict[str, tuple[str, str]]] = {}
        lines: list[tuple[str, str, str]] = []
        for path, (mode, identity) in files.items():
            name, slash, rest = path.partition("/")
            if slash:
                below.setdefault(name, {})[rest] = mode, identity
            else:
                lines.append((name, mode, identity))
        lines += [(name, FOLDER, self.make_tree(inner)) for name, inner in below.items()]
        lines.sort(key=lambda line: line[0] + ("/" if line[1] == FOLDER else ""))
        return self.put("tree", b"".join(f"{m} {n}\0".encode() + bytes.fromhex(i) for n, m, i in lines))

    def lines(self, tree: str) -> Iterator[tuple[str, str, str]]:
        """Mode, name and id of each line of one tree."""
        content = self.get(tree, "tree")
        assert content is not None
        while content:
            head, _, rest = content.partition(b"\0")
            mode, _, name = head.decode().partition(" ")
            yield mode, name, rest[:20].hex()
            content = rest[20:]

    def files(self, tree: str, before: str = "") -> Iterator[tuple[str, tuple[str, str]]]:
        """Every file of a tree and those below it."""
        for mode, name, identity in self.lines(tree):
            if mode == FOLDER:
                yield from self.files(identity, f"{before}{name}/")
            else:
                yield before + name, (mode, identity)

    def make_commit(self, tree: str, parents: list[str], message: str) -> str:
        """On no branch."""
        who = f"Ada <ada@example.org> {START + len(self.objects)} +0000"
        heads = [f"tree {tree}", *(f"parent {each}" for each in parents), f"author {who}", f"committer {who}"]
        return self.put("commit", ("\n".join(heads) + f"\n\n{message}").encode())

    def parts(self, commit: str) -> tuple[str, list[str], str]:
        """Tree, parents and message."""
        content = self.get(commit, "commit")
        assert content is not None
        head, _, message = content.decode().partition("\n\n")
        words = [line.split(" ") for line in head.split("\n")]
        return words[0][1], [word[1] for word in words if word[0] == "parent"], message

    def tree_of(self, commit: str) -> str:
        """Its tree."""
        return self.parts(commit)[0]

    def text(self, branch: str, path: str) -> str | None:
        """A file of a branch; None where there is none."""
        found = dict(self.files(self.tree_of(self.refs[f"refs/heads/{branch}"]))).get(path)
        return None if found is None else self.objects[found[1]][1].decode()

    def follows(self, commit: str, before: str) -> bool:
        """Whether one is the other, or comes after it."""
        seen, waiting = set(), [commit]
        while waiting:
            each = waiting.pop()
            if each == before:
                return True
            if each not in seen:
                seen.add(each)
                waiting += self.parts(each)[1]
        return False

    def written_to(self, folder: Path) -> None:
        """The same as a repository of git's."""
        folder.mkdir(parents=True)
        _git(folder, "init", "--quiet", "--bare")
        _git(folder, "config", "uploadpack.allowAnySHA1InWant", "true")
        for identity, (kind, content) in self.objects.items():
            assert _git(folder, "hash-object", "-w", "-t", kind, "--stdin", stdin=content) == identity
        for ref, identity in self.refs.items():
            _git(folder, "update-ref", ref, identity)


def _git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    return (
        subprocess.run(["git", *words], cwd=folder, input=stdin, capture_output=True, check=True)
        .stdout.decode()
        .strip()
    )
