from __future__ import annotations

import os
from pathlib import Path

import pytest

from aegis.adapters.git.repository import MAX_FILE, MAX_LINE, GitRepository, open_repository
from aegis.adapters.git.state import tree_state
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.ports.repository import Change, Repository
from tests.support.scan.gitrepo import GitRepo

ODD_NAMES = [
    "a b.py",
    "n\nl.py",
    "q\"u'o.py",
    "t\tab.py",
    "é.py",
    "-rf.py",
    ":(glob)x.py",
    "cr\r.py",
    "cr.py\r",
    "*.py",
]


def opened(repo: GitRepo) -> Repository:
    return open_repository(repo.root)[0]


def hits(repo: GitRepo, pattern: str = "boto3") -> list[tuple[str, int, bytes]]:
    return [(line.path, line.number, line.text) for line in opened(repo).grep(pattern)]


# --- opening ---------------------------------------------------------------------------------------------------------


def test_a_folder_of_no_repository_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    with pytest.raises(UsageError, match="no git work tree") as raised:
        open_repository(tmp_path)
    assert raised.value.code == "core.no_repository"


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a folder") as raised:
        open_repository(tmp_path / "nothing")
    assert raised.value.code == "core.no_repository"


def test_a_bare_repository_has_no_work_tree(tmp_path: Path) -> None:
    GitRepo.init(tmp_path / "a").git("init", "--quiet", "--bare", str(tmp_path / "bare"))
    with pytest.raises(UsageError) as raised:
        open_repository(tmp_path / "bare")
    assert raised.value.code == "core.no_repository"


def test_a_repository_that_a_commit_brought_along_is_none(repo: GitRepo) -> None:
    """HEAD, objects and refs in a folder are a repository to git: with an index and a config of the change's author."""
    repo.commit({"svc/a.py": "import boto3"})
    for name, content in {
        "HEAD": "ref: refs/heads/main\n",
        "config": "[core]\n\trepositoryformatversion = 0\n\tbare = false\n\tworktree = .\n",
        "objects/info/alternates": "../../.git/objects\n",
        "refs/heads/main": repo.git("rev-parse", "HEAD"),
    }.items():
        (repo.root / "svc" / name).parent.mkdir(parents=True, exist_ok=True)
        (repo.root / "svc" / name).write_text(content)
    assert repo.git("-C", "svc", "rev-parse", "--show-toplevel").strip() == str(repo.root / "svc")
    with pytest.raises(UsageError, match=r"no `\.git`") as raised:
        open_repository(repo.root / "svc")
    assert raised.value.code == "core.no_repository"


def test_a_sub_folder_is_told_beside_the_root(repo: GitRepo) -> None:
    repo.commit({"src/deep/x.py": ""})
    found, prefix = open_repository(repo.root / "src" / "deep")
    assert (found.root, prefix) == (repo.root.resolve(), "src/deep")


def test_the_root_has_no_prefix(repo: GitRepo) -> None:
    assert open_repository(repo.root)[1] == ""


def test_a_root_reached_through_a_link_and_named_with_odd_characters(tmp_path: Path) -> None:
    repo = GitRepo.init(tmp_path / "é\nx")
    repo.commit({"x.py": "boto3"})
    (tmp_path / "link").symlink_to(repo.root)
    found, prefix = open_repository(tmp_path / "link")
    assert (found.root, prefix) == (repo.root, "")


def test_before_the_first_commit_there_is_no_head_but_there_are_files(repo: GitRepo) -> None:
    repo.write({"x.py": "import boto3\n"})
    repo.git("add", "x.py")
    assert opened(repo).head() is None
    assert hits(repo) == [("x.py", 1, b"import boto3")]


def test_without_git_it_says_so(repo: GitRepo, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CouldNotDecide) as raised:
        open_repository(repo.root)
    assert raised.value.code == "core.git_missing"


def fake_git(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def test_a_repository_of_another_user_names_its_remedy(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_git(
        tmp_path / "bin", "echo \"fatal: detected dubious ownership in repository at '/x'\" >&2; exit 128", monkeypatch
    )
    with pytest.raises(CouldNotDecide, match="another user") as raised:
        open_repository(repo.root)
    assert f"safe.directory {repo.root}" in raised.value.remedy


def test_a_git_that_hangs_is_stopped(repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_git(tmp_path / "bin", "exec sleep 60", monkeypatch)
    with pytest.raises(CouldNotDecide, match=r"stopped after 0\.2 s") as raised:
        GitRepository(repo.root, timeout=0.2).head()
    assert raised.value.code == "core.git_failed"


def test_a_git_that_fails_is_told_with_its_words(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_git(tmp_path / "bin", "echo 'fatal: index file corrupt' >&2; exit 128", monkeypatch)
    with pytest.raises(CouldNotDecide, match="index file corrupt") as raised:
        GitRepository(repo.root).entries()
    assert raised.value.code == "core.git_failed"


@pytest.mark.parametrize("answer", ["printf 'a.py\\0001\\000import bo'", "printf 'a.py'"])
def test_half_an_answer_is_none(answer: str, repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_git(tmp_path / "bin", answer, monkeypatch)
    with pytest.raises(CouldNotDecide, match="in the middle of a line"):
        GitRepository(repo.root).grep("x")


def test_a_git_that_dies_in_the_middle_is_told_by_its_own_words(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_git(tmp_path / "bin", "printf 'a.py\\0001'; echo 'fatal: out of memory' >&2; exit 128", monkeypatch)
    with pytest.raises(CouldNotDecide, match="out of memory"):
        GitRepository(repo.root).grep("x")


# --- grep ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_come_back_as_they_are(repo: GitRepo, name: str) -> None:
    commit = repo.commit({name: "import boto3\n"})
    found = opened(repo)
    assert hits(repo) == [(name, 1, b"import boto3")]
    assert [entry.path for entry in found.entries([name])] == [name]
    assert [line.path for line in found.grep("boto3", paths=[name])] == [name]
    assert found.read(name) == b"import boto3\n"
    assert found.show_many(commit, [name, "none"]) == {name: b"import boto3\n"}
    assert found.show_many(commit, [name + "\nx", name]) == {name: b"import boto3\n"}


def test_a_name_that_is_not_utf8_comes_back(repo: GitRepo) -> None:
    name = os.fsdecode(b"\xff\xfe.py")
    commit = repo.commit({name: "import boto3\n"})
    assert hits(repo) == [(name, 1, b"import boto3")]
    assert opened(repo).read(name) == b"import boto3\n"
    assert opened(repo).show(commit, name) == b"import boto3\n"


def test_paths_are_literal_and_none_of_them_is_no_file(repo: GitRepo) -> None:
    repo.commit({"a.py": "boto3", "b/c.py": "boto3", "[ab].py": "boto3"})
    found = opened(repo)
    assert [line.path for line in found.grep("boto3", paths=["[ab].py"])] == ["[ab].py"]
    assert [line.path for line in found.grep("boto3", paths=["*"])] == []
    assert [line.path for line in found.grep("boto3", paths=["b"])] == ["b/c.py"]
    assert found.grep("boto3", paths=[]) == []
    assert found.entries([]) == []


def test_more_paths_than_a_command_line_holds(repo: GitRepo) -> None:
    names = [f"{'d' * 200}/{number:04}.py" for number in range(1200)]
    repo.commit(dict.fromkeys(names, "boto3"))
    found = opened(repo)
    assert [line.path for line in found.grep("boto3", paths=names)] == names
    assert [entry.path for entry in found.entries(names)] == names


@pytest.mark.parametrize("attributes", ["*.py binary", "*.py -diff", "*.py -text", "*.py export-ignore", "*.py diff=x"])
def test_attributes_hide_nothing(repo: GitRepo, attributes: str) -> None:
    repo.commit({".gitattributes": attributes + "\n", "x.py": "import boto3\n"})
    assert hits(repo) == [("x.py", 1, b"import boto3")]


def test_a_nul_byte_hides_nothing(repo: GitRepo) -> None:
    repo.commit({"x.js": b"\0\0\nrequire('boto3') \0 x\n"})
    assert hits(repo) == [("x.js", 2, b"require('boto3') \0 x")]


def test_bytes_are_matched_whatever_the_locale(repo: GitRepo, monkeypatch: pytest.MonkeyPatch) -> None:
    repo.commit({"x.py": b"\xff\xfe boto3 \xe9\n"})
    for locale in ("C.UTF-8", "C", "xx_XX.nonsense"):
        monkeypatch.setenv("LC_ALL", locale)
        monkeypatch.setenv("LANGUAGE", "de")
        assert hits(repo, r"^[^a-z]+ boto3 [^a-z]$") == [("x.py", 1, b"\xff\xfe boto3 \xe9")]


def test_line_ends_are_kept_as_they_are(repo: GitRepo) -> None:
    repo.commit({"x.py": b"a\r\nimport boto3\r\nboto3"})
    assert hits(repo) == [("x.py", 2, b"import boto3\r"), ("x.py", 3, b"boto3")]


def test_untracked_files_are_not_scanned_and_added_ones_are(repo: GitRepo) -> None:
    repo.commit({"x.py": ""})
    repo.write({"untracked.py": "boto3", "added.py": "boto3", "intended.py": "boto3"})
    repo.git("add", "added.py")
    repo.git("add", "--intent-to-add", "intended.py")
    assert [path for path, *_ in hits(repo)] == ["added.py", "intended.py"]


def test_ignored_but_tracked_files_are_scanned(repo: GitRepo) -> None:
    repo.write({".gitignore": "build/\n", "build/x.py": "boto3"})
    repo.git("add", "--force", "build/x.py", ".gitignore")
    assert [path for path, *_ in hits(repo)] == ["build/x.py"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("grep.patternType", "fixed"),
        ("grep.lineNumber", "false"),
        ("grep.column", "true"),
        ("grep.fullName", "false"),
        ("color.ui", "always"),
        ("color.grep", "always"),
        ("core.quotePath", "true"),
        ("core.pager", "false"),
        ("pager.grep", "false"),
        ("core.fsmonitor", "touch {marker}; false"),
        ("submodule.recurse", "true"),
        ("diff.external", "touch {marker}; false"),
        ("diff.x.command", "touch {marker}; false"),
        ("diff.x.textconv", "touch {marker}; false"),
        ("diff.x.binary", "true"),
        ("diff.relative", "true"),
        ("diff.noprefix", "true"),
        ("diff.renames", "false"),
        ("diff.ignoreSubmodules", "all"),
    ],
)
def test_configuration_changes_no_answer_and_starts_no_program(
    repo: GitRepo, tmp_path: Path, name: str, value: str
) -> None:
    marker = tmp_path / "started"
    base = repo.commit({".gitattributes": "*.py diff=x\n", "é.py": "import boto3\n", "y.py": "a\nb\nc\n"})
    repo.write({"é.py": "import boto3, x\n", "y.py": None, "z.py": "a\nb\nc\n"})
    repo.git("add", "--all")
    repo.git("config", name, value.format(marker=marker))
    assert hits(repo, "bo+to3") == [("é.py", 1, b"import boto3, x")]
    assert opened(repo).changed(base) == [Change("z.py", "y.py", "renamed"), Change("é.py", "é.py", "modified")]
    assert not marker.exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("GIT_DIR", "/nonexistent"),
        ("GIT_WORK_TREE", "/"),
        ("GIT_INDEX_FILE", "/nonexistent"),
        ("GIT_OBJECT_DIRECTORY", "/nonexistent"),
        ("GIT_NAMESPACE", "x"),
        ("GIT_LITERAL_PATHSPECS", "0"),
        ("GIT_ICASE_PATHSPECS", "1"),
        ("GIT_EXTERNAL_DIFF", "false"),
        ("GIT_PAGER", "false"),
        ("GIT_TRACE", "1"),
        ("GIT_CONFIG_PARAMETERS", "'grep.patternType'='fixed'"),
        ("GIT_CONFIG_COUNT", "x"),
        ("GIT_EXEC_PATH", "/nonexistent"),
        ("GIT_ATTR_SOURCE", "nonsense"),
    ],
)
def test_the_environment_changes_no_answer(
    repo: GitRepo, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    commit = repo.commit({"x.py": "import boto3\n"})
    monkeypatch.setenv(name, value)
    assert hits(repo, "bo+to3") == [("x.py", 1, b"import boto3")]
    assert opened(repo).show_many(commit, ["x.py"]) == {"x.py": b"import boto3\n"}


def test_git_and_the_programs_it_starts_get_none_of_our_inputs_and_secrets(
    repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clean filter, of the user's configuration, runs where a file may have changed; `deepen` runs login programs."""
    told = tmp_path / "told"
    repo.commit({".gitattributes": "*.txt filter=tell\n", "a.txt": "a\n"})
    repo.git("config", "filter.tell.clean", f"env >> '{told}'; cat")
    repo.write({"a.txt": "b\n"})
    inputs = ("AEGIS_INPUT_GITHUB_TOKEN", "AEGIS_INPUT_COSIGN_PUB_KEY", "AEGIS_INPUT_PATH")
    secrets = ("AEGIS_DATABASE_URL", "AEGIS_AGE_IDENTITY", "AEGIS_KUBECONFIG", "AEGIS_STATE_KEY")
    theirs = ("HTTPS_PROXY", "GH_TOKEN")  # by which `deepen` reaches the remote
    for name in (*inputs, *secrets, *theirs):
        monkeypatch.setenv(name, "planted")
    assert tree_state(repo.root).uncommitted
    seen = {line.partition("=")[0] for line in told.read_text().splitlines()}
    assert seen >= {"PATH", *theirs}
    assert {name for name in seen if name.startswith("AEGIS_")} == set()


def test_replaced_objects_are_not_believed(repo: GitRepo) -> None:
    old = repo.commit({"x.py": "import boto3\n"})
    clean = repo.commit({"x.py": "clean\n"})
    repo.git("replace", old, clean)
    assert opened(repo).show(old, "x.py") == b"import boto3\n"


def test_of_a_very_long_line_only_the_beginning_is_kept(repo: GitRepo) -> None:
    long = b"x" * (5 << 20) + b"boto3"
    repo.commit({"min.js": long + b"\nboto3\n" + long, "n.py": "boto3\n"})
    found = opened(repo).grep("boto3")
    assert [(line.path, line.number, len(line.text), line.truncated) for line in found] == [
        ("min.js", 1, MAX_LINE, True),
        ("min.js", 2, 5, False),
        ("min.js", 3, MAX_LINE, True),
        ("n.py", 1, 5, False),
    ]


def test_a_pattern_that_is_none_is_told(repo: GitRepo) -> None:
    repo.commit({"x.py": "x"})
    with pytest.raises(CouldNotDecide, match="git grep") as raised:
        opened(repo).grep("(")
    assert raised.value.code == "core.git_failed"


def test_a_file_that_git_cannot_open_is_told(repo: GitRepo, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # What git says of an unreadable file, at exit code 1; a test that runs as root can't take its own permission away.
    fake_git(tmp_path / "bin", "echo \"error: failed to open 'x.py': Permission denied\" >&2; exit 1", monkeypatch)
    with pytest.raises(CouldNotDecide, match=r"x\.py.*Permission denied") as raised:
        GitRepository(repo.root).grep("boto3")
    assert raised.value.code == "core.unreadable_file"


# --- entries ---------------------------------------------------------------------------------------------------------


def test_links_and_submodules_are_told_apart(repo: GitRepo, tmp_path: Path) -> None:
    other = GitRepo.init(tmp_path / "other")
    other.commit({"x.py": "import boto3\n"})
    repo.write({"a.py": ""})
    (repo.root / "link.py").symlink_to("a.py")
    repo.git("submodule", "--quiet", "add", str(other.root), "sub")
    repo.git("config", "submodule.recurse", "true")
    repo.commit()
    entries = {entry.path: entry for entry in opened(repo).entries()}
    assert [path for path, entry in entries.items() if entry.symlink] == ["link.py"]
    assert [path for path, entry in entries.items() if entry.submodule] == ["sub"]
    assert entries["a.py"].mode == "100644"
    assert hits(repo) == []


def test_files_of_a_sparse_checkout_are_told_as_absent(repo: GitRepo) -> None:
    repo.commit({"in/x.py": "boto3", "out/y.py": "boto3"})
    repo.git("sparse-checkout", "set", "in")
    assert {entry.path: entry.absent for entry in opened(repo).entries()} == {"in/x.py": False, "out/y.py": True}
    assert [path for path, *_ in hits(repo)] == ["in/x.py"]


def test_files_that_git_does_not_look_at_are_told(repo: GitRepo) -> None:
    repo.commit({"assumed.py": "", "skipped.py": "", "plain.py": ""})
    repo.git("update-index", "--assume-unchanged", "assumed.py")
    repo.git("update-index", "--skip-worktree", "skipped.py")
    entries = {entry.path: (entry.assumed, entry.absent) for entry in opened(repo).entries()}
    assert entries == {"assumed.py": (True, False), "plain.py": (False, False), "skipped.py": (False, True)}


def test_an_unmerged_file_stands_once_and_is_told(repo: GitRepo) -> None:
    repo.commit({"x.py": "a\n"})
    repo.git("switch", "--quiet", "--create", "other")
    repo.commit({"x.py": "b\n"})
    repo.git("switch", "--quiet", "main")
    repo.commit({"x.py": "c\n"})
    with pytest.raises(AssertionError, match="git merge"):
        repo.git("merge", "other")
    assert [(entry.path, entry.unmerged) for entry in opened(repo).entries()] == [("x.py", True)]
    assert [change.status for change in opened(repo).changed("HEAD")] == ["modified"]


# --- read ------------------------------------------------------------------------------------------------------------


def refused(repo: GitRepo, path: str) -> CouldNotDecide:
    with pytest.raises(CouldNotDecide) as raised:
        opened(repo).read(path)
    assert raised.value.code == "core.unreadable_file"
    return raised.value


def test_a_link_inside_the_repository_is_followed(repo: GitRepo) -> None:
    repo.write({"a/x.py": "boto3"})
    (repo.root / "link.py").symlink_to("a/x.py")
    (repo.root / "folder").symlink_to("a")
    assert opened(repo).read("link.py") == b"boto3"
    assert opened(repo).read("folder/x.py") == b"boto3"


def test_a_link_out_of_the_repository_is_refused(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("boto3")
    (repo.root / "absolute.py").symlink_to(tmp_path / "secret")
    (repo.root / "relative.py").symlink_to("../secret")
    (repo.root / "folder").symlink_to("..")
    for path in ("absolute.py", "relative.py", "folder/secret", "../secret", str(tmp_path / "secret")):
        assert "outside" in refused(repo, path).problem


def test_a_link_into_git_s_own_folder_is_refused(repo: GitRepo) -> None:
    (repo.root / "config.py").symlink_to(".git/config")
    assert "outside" in refused(repo, "config.py").problem


def test_a_loop_of_links_is_refused(repo: GitRepo) -> None:
    (repo.root / "a.py").symlink_to("b.py")
    (repo.root / "b.py").symlink_to("a.py")
    refused(repo, "a.py")


def test_what_is_no_regular_file_is_refused(repo: GitRepo) -> None:
    os.mkfifo(repo.root / "pipe.py")
    (repo.root / "folder.py").mkdir()
    assert "no regular file" in refused(repo, "pipe.py").problem
    refused(repo, "folder.py")
    refused(repo, "missing.py")
    refused(repo, "nul\0.py")


def test_a_file_of_200_mb_is_refused_and_not_read(repo: GitRepo) -> None:
    with (repo.root / "big.js").open("wb") as file:
        file.truncate(200 << 20)
    assert str(200 << 20) in refused(repo, "big.js").problem


def test_a_file_of_200_mb_in_a_commit_is_refused(repo: GitRepo) -> None:
    with (repo.root / "big.js").open("wb") as file:
        file.truncate(MAX_FILE + 1)
    commit = repo.commit({"a.py": "boto3"})
    assert opened(repo).show(commit, "a.py") == b"boto3"
    with pytest.raises(CouldNotDecide, match=str(MAX_FILE + 1)) as raised:
        opened(repo).show_many(commit, ["big.js", "a.py"])
    assert raised.value.code == "core.unreadable_file"


# --- show and changed ------------------------------------------------------------------------------------------------


def test_the_old_side_is_read_in_one_go(repo: GitRepo) -> None:
    commit = repo.commit({"a.py": b"old\r\n\0", "b/c.py": "", "gone.py": "boto3"})
    repo.commit({"a.py": "new", "gone.py": None, "fresh.py": "x"})
    shown = opened(repo).show_many(commit, ["a.py", "b/c.py", "gone.py", "fresh.py", "b", "a.py"])
    assert shown == {"a.py": b"old\r\n\0", "b/c.py": b"", "gone.py": b"boto3"}
    assert opened(repo).show(commit, "fresh.py") is None


def test_a_file_of_a_commit_that_is_not_there_is_no_missing_file(repo: GitRepo) -> None:
    repo.commit({"a.py": ""})
    for rev in ("f" * 40, "nowhere", "-x", "", "HEAD:a.py", "HEAD\nHEAD", "HEAD^{tree}"):
        with pytest.raises(CouldNotDecide) as raised:
            opened(repo).show(rev, "aegis.yml")
        assert raised.value.code == "core.base_not_found"


@pytest.mark.parametrize("spelt", ["sub/./a.py", "sub//a.py", "./sub/a.py", "sub/../sub/a.py", "{root}/sub/a.py"])
def test_a_file_of_the_index_is_the_same_file_at_a_commit_however_its_name_is_spelt(repo: GitRepo, spelt: str) -> None:
    commit = repo.commit({"sub/a.py": "boto3"})
    found, path = opened(repo), spelt.format(root=repo.root)
    assert [entry.path for entry in found.entries([path])] == ["sub/a.py"]
    assert found.show(commit, path) == b"boto3"


@pytest.mark.parametrize("outside", ["../a.py", "sub/../../repo/a.py", "/a.py"])
def test_no_commit_is_asked_for_what_lies_outside(repo: GitRepo, outside: str) -> None:
    commit = repo.commit({"a.py": "boto3"})
    with pytest.raises(CouldNotDecide, match="leads out of the repository"):
        opened(repo).show(commit, outside)


def test_each_kind_of_change(repo: GitRepo) -> None:
    body = "".join(f"line {number}\n" for number in range(20))
    base = repo.commit({"m.py": "a", "d.py": "b", "old/r.py": body, "e.py": "edit\n" * 9, "t.py": "t", "same.py": "s"})
    repo.write({"m.py": "A", "d.py": None, "old/r.py": None, "new r.py": body, "a.py": "n", "t.py": None})
    (repo.root / "t.py").symlink_to("m.py")
    repo.git("add", "--all")
    assert opened(repo).changed(base) == [
        Change("a.py", None, "added"),
        Change("d.py", "d.py", "deleted"),
        Change("m.py", "m.py", "modified"),
        Change("new r.py", "old/r.py", "renamed"),
        Change("t.py", "t.py", "type-changed"),
    ]


def test_a_change_of_the_work_tree_alone_counts(repo: GitRepo) -> None:
    repo.commit({"a.py": "x", "b.py": "y"})
    repo.write({"a.py": "import boto3", "b.py": None})
    assert opened(repo).changed("HEAD") == [Change("a.py", "a.py", "modified"), Change("b.py", "b.py", "deleted")]


def test_a_touched_file_and_other_line_ends_of_git_s_making_are_no_change(repo: GitRepo) -> None:
    repo.commit({".gitattributes": "*.py text eol=crlf\n", "a.py": "x\r\ny\r\n"})
    os.utime(repo.root / "a.py", (1, 1))
    assert opened(repo).changed("HEAD") == []


def test_a_moved_submodule_is_a_change_whatever_its_configuration_says(repo: GitRepo, tmp_path: Path) -> None:
    other = GitRepo.init(tmp_path / "other")
    other.commit({"x.py": "1"})
    repo.git("submodule", "--quiet", "add", str(other.root), "sub")
    repo.git("config", "--file", ".gitmodules", "submodule.sub.ignore", "all")
    base = repo.commit()
    GitRepo(repo.root / "sub").commit({"x.py": "2"})
    assert opened(repo).changed(base) == [Change("sub", "sub", "modified")]


def test_files_of_a_kind_are_searched_beside_named_ones(repo: GitRepo) -> None:
    repo.commit({"a.py": "boto3", "b/c.py": "x\naws", "c.md": "boto3", "Make[f]ile": "boto3", "d.p*y": "boto3"})
    found = opened(repo)
    hits = [line.path for line in found.grep("boto3", "^aws", paths=["Make[f]ile"], suffixes=[".py", ".p*y"])]
    assert sorted(hits) == ["Make[f]ile", "a.py", "b/c.py", "d.p*y"]
    assert found.grep("boto3", suffixes=[]) == []
