"""What a change adds, between two states of a real repository; the extractor is a line that starts with `import`."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.core.policy import Allow
from aegis.gates.scan.allow import apply_allow
from aegis.gates.scan.diff import Difference, compare
from aegis.gates.scan.model import Use
from tests.support.scan.gitrepo import GitRepo
from tests.support.scan.uses import use

BODY = "".join(f"def f{number}(): return {number}\n" for number in range(30))
ALLOW = Allow(path="adapters/**", provider="aws", reason="the adapter")


def extract(files: Mapping[str, bytes]) -> list[Use]:
    return [
        use(path, line.strip(), line=number, name=line.split()[1])
        for path, content in files.items()
        for number, line in enumerate(content.decode().splitlines(), 1)
        if line.strip().startswith("import ")
    ]


def added(repo: GitRepo, base: str) -> Difference:
    repository = open_repository(repo.root)[0]
    changes = repository.changed(base)
    now = {change.path: repository.read(change.path) for change in changes if not change.deleted}
    head = apply_allow(extract(now), [ALLOW]).remaining
    before = repository.show_many(base, [change.old_path for change in changes if change.old_path])
    old = apply_allow(extract(before), [ALLOW]).remaining
    return compare(head, old, changes)


@pytest.fixture
def base(repo: GitRepo) -> str:
    return repo.commit(
        {"a.py": "import boto3\n" + BODY, "adapters/aws.py": "import boto3\n", "untouched.py": "import boto3\n"}
    )


def new(repo: GitRepo, base: str) -> list[tuple[str, int, str]]:
    return [(each.path, each.statement.line, each.statement.text) for each in added(repo, base).new]


@pytest.mark.parametrize(
    "change",
    [
        {"a.py": None, "deep/z z.py": "import boto3\n" + BODY},
        {"a.py": "\n\n\n" + BODY + "import boto3\n"},
        {"a.py": ("import boto3\n" + BODY).replace("\n", "\r\n")},
        {"a.py": BODY, "b.py": "import  boto3"},
        {"a.py": "import boto3\n" + BODY + "# more\n", "c.py": "x = 1\n"},
        {"a.py": None},
        {"adapters/more.py": "import boto3\nimport botocore\n"},
        {},
    ],
    ids=["renamed", "moved down", "crlf", "moved to a file", "edited", "deleted", "in the adapter", "nothing"],
)
def test_what_only_moved_is_not_new(repo: GitRepo, base: str, change: Mapping[str, str | None]) -> None:
    repo.commit(change)
    assert new(repo, base) == []


def test_what_was_added_is_new_where_it_was_added(repo: GitRepo, base: str) -> None:
    repo.commit({"a.py": "import boto3\n" + BODY + "import boto3\n", "b.py": "x = 1\nimport botocore\n"})
    assert new(repo, base) == [("a.py", 32, "import boto3"), ("b.py", 2, "import botocore")]


def test_a_swapped_sdk_is_new(repo: GitRepo, base: str) -> None:
    repo.commit({"a.py": "import botocore\n" + BODY})
    assert new(repo, base) == [("a.py", 1, "import botocore")]
    assert [each.path for each in added(repo, base).gone] == ["a.py"]


def test_a_copy_of_a_file_is_new(repo: GitRepo, base: str) -> None:
    repo.commit({"copy.py": "import boto3\n" + BODY})
    assert new(repo, base) == [("copy.py", 1, "import boto3")]


def test_what_leaves_its_adapter_is_new(repo: GitRepo, base: str) -> None:
    repo.commit({"adapters/aws.py": None, "core.py": "import boto3\n"})
    assert new(repo, base) == [("core.py", 1, "import boto3")]


def test_what_is_not_committed_yet_is_seen(repo: GitRepo, base: str) -> None:
    repo.write({"a.py": "import boto3\nimport botocore\n" + BODY})
    assert new(repo, base) == [("a.py", 2, "import botocore")]
