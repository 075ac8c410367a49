"""What a survey tells beside its uses: on real repositories, with an engine that answers from the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aegis.adapters.git.repository import open_repository
from aegis.core.ports.engine import Match
from aegis.core.ports.repository import Change
from aegis.gates.scan.catalogue import load
from aegis.gates.scan.survey import MANY_PATHSPECS, Survey, Surveyor
from tests.doubles.engine import ScriptedEngine
from tests.support.scan.gitrepo import HERMETIC, GitRepo

CATALOGUE = load()
USE = "import boto3\n"


@pytest.fixture
def repo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepo:
    for name, value in HERMETIC.items():
        monkeypatch.setenv(name, value)
    return GitRepo.init(tmp_path / "repo")


def surveyor(repo: GitRepo, engine: ScriptedEngine | None = None, **options: Any) -> Surveyor:
    repository, _ = open_repository(repo.root)
    return Surveyor(repository, CATALOGUE, engine or ScriptedEngine(CATALOGUE), lambda path: "test" in path, **options)


def uses(survey: Survey) -> list[tuple[str, int, str]]:
    return [(use.path, use.statement.line, use.use_class) for use in survey.uses]


def test_coverage_counts_what_was_looked_at(repo: GitRepo) -> None:
    repo.commit({"a.py": USE, "b.py": "x = 1\n", "c.txt": USE, "d.py": '"boto3"\n'})
    (repo.root / "l.py").symlink_to("b.py")
    repo.commit()
    assert surveyor(repo).tree().coverage == {"tracked": 5, "candidates": 2, "read": 2, "links": 1, "submodules": 0}


def test_progress_is_told_before_each_file(repo: GitRepo) -> None:
    repo.commit({"a.py": USE, "b.py": USE})
    told: list[tuple[int, int]] = []
    tell: Callable[[int, int], None] = lambda done, of: told.append((done, of))  # noqa: E731 - a list of what was told
    surveyor(repo, progress=tell).tree()
    assert told == [(0, 2), (1, 2)]


def test_a_part_of_the_tree(repo: GitRepo) -> None:
    repo.commit({"a/a.py": USE, "b/a.py": USE})
    assert uses(surveyor(repo).tree(["b"])) == [("b/a.py", 1, "runtime")]


def test_shared_names_count_beside_another_use_of_their_provider(repo: GitRepo) -> None:
    (shared, *_) = [e for e in CATALOGUE.entries("npm") if e.kind == "shared"]
    name = f'import "{shared.literal}";\n'
    repo.commit(
        {
            "alone.ts": name,
            "beside.ts": name + 'import "@aws-sdk/client-s3";\n',
            "other.ts": name + 'import "@azure/identity";\n',
        }
    )
    found = {path for path, line, _ in uses(surveyor(repo).tree()) if line == 1}
    assert found == {"beside.ts"}


def test_a_scheme_counts_beside_a_wrapper(repo: GitRepo) -> None:
    url = 'x = "s3://bucket/key"\n'
    repo.commit({"alone.py": url, "beside.py": "import s3fs\n" + url, "sdk.py": USE + url})
    assert uses(surveyor(repo).tree()) == [
        ("beside.py", 1, "wrapper"),
        ("beside.py", 2, "wrapper"),
        ("sdk.py", 1, "runtime"),
    ]


def test_test_code_is_told_apart(repo: GitRepo) -> None:
    repo.commit({"test/a.py": USE})
    assert uses(surveyor(repo).tree()) == [("test/a.py", 1, "test")]


def test_a_disagreement_is_told_beside_the_use(repo: GitRepo) -> None:
    repo.commit({"a.py": USE})
    controls = 1 + len(CATALOGUE.providers)
    engine = ScriptedEngine(CATALOGUE, spoil=lambda hit: hit if hit.line <= controls + 1 else None)
    survey = surveyor(repo, engine).tree()
    assert uses(survey) == [("a.py", 1, "runtime")]
    assert [(d.path, d.line, d.provider) for d in survey.disagreements] == [("a.py", 1, "aws")]


def test_what_only_the_engine_works_out(repo: GitRepo) -> None:
    repo.commit({"a.py": 'import importlib\nN = "boto3"\nimportlib.import_module(N)\n'})
    engine = ScriptedEngine(CATALOGUE, also=(Match("dynamic--aws--python", "now:a.py", 3, 1, "boto3"),))
    assert uses(surveyor(repo, engine).tree()) == [("a.py", 3, "dynamic")]


def test_a_file_by_name_that_the_engine_could_not_read(repo: GitRepo) -> None:
    repo.commit({"a.py": 'import importlib\nN = "boto3"\nimportlib.import_module(N)\n', "b.py": USE})
    engine = ScriptedEngine(CATALOGUE, problems={"now:a.py": "cannot parse"})
    unread, unexplained = surveyor(repo, engine).tree().not_analysed
    assert (unread.path, unexplained.path, unexplained.line) == ("a.py", "a.py", 2)
    assert "cannot parse" in unread.why
    assert "'boto3'" in unexplained.why


def test_a_change_is_surveyed_on_both_sides_in_one_run(repo: GitRepo) -> None:
    base = repo.commit({"a.py": USE, "b.py": USE, "c.py": USE})
    repo.commit({"a.py": USE + "import oci\n", "c.py": None, "d.py": USE})
    changes = [
        Change("a.py", "a.py", "modified"),
        Change("c.py", "c.py", "deleted"),
        Change("d.py", None, "added"),
    ]
    engine = ScriptedEngine(CATALOGUE)
    old, now = surveyor(repo, engine).change(base, changes)
    assert uses(old) == [("a.py", 1, "runtime"), ("c.py", 1, "runtime")]
    assert uses(now) == [("a.py", 1, "runtime"), ("a.py", 2, "runtime"), ("d.py", 1, "runtime")]
    assert len(engine.asked) == 1


def test_where_nothing_is_used_now_the_old_side_is_not_read(repo: GitRepo) -> None:
    base = repo.commit({"a.py": USE})
    repo.commit({"a.py": "x = 1\n"})
    engine = ScriptedEngine(CATALOGUE)
    old, now = surveyor(repo, engine).change(base, [Change("a.py", "a.py", "modified")])
    assert (uses(old), uses(now), engine.asked) == ([], [], [])


@pytest.mark.parametrize("beside", [0, MANY_PATHSPECS], ids=["a small change", "a large change"])
def test_a_link_in_a_change_to_a_file_that_is_not(beside: int, repo: GitRepo) -> None:
    base = repo.commit({"a.py": "x = 1\n", "data.txt": USE})
    (repo.root / "same.py").symlink_to("a.py")
    (repo.root / "kind.py").symlink_to("data.txt")
    new = {f"n{number}.py": "x = 1\n" for number in range(beside)}
    repo.commit({**new})
    changes = [Change(name, None, "added") for name in ("kind.py", "same.py", *new)]
    _, now = surveyor(repo).change(base, changes)
    assert uses(now) == [("kind.py", 1, "runtime")]
    assert now.not_analysed == ()


def test_a_change_of_the_file_that_a_link_leads_to(repo: GitRepo) -> None:
    (repo.root / "svc.py").symlink_to("data.txt")
    (repo.root / "more").mkdir()
    (repo.root / "more" / "120000 0 0\tsvc.py").write_text("x = 1\n")
    (repo.root / "other.py").symlink_to("more")
    base = repo.commit({"data.txt": "hello\n"})
    repo.commit({"data.txt": USE})
    old, now = surveyor(repo).change(base, [Change("data.txt", "data.txt", "modified")])
    assert (uses(old), uses(now)) == ([], [("svc.py", 1, "runtime")])
    assert open_repository(repo.root)[0].links() == ["other.py", "svc.py"]


def test_a_link_takes_code_out_of_the_tests(repo: GitRepo) -> None:
    """What production imports under a name of its own is no test, whatever the file's other name says."""
    base = repo.commit({"src/a.py": "x = 1\n"})
    repo.commit({"tests/impl.py": USE, "tests/more/test_b.py": USE})
    (repo.root / "src" / "impl.py").symlink_to("../tests/impl.py")
    (repo.root / "src" / "test_c.py").symlink_to("../tests/impl.py")
    (repo.root / "src" / "more").symlink_to("../tests/more")
    repo.commit({})
    new = ("src/impl.py", "src/test_c.py", "src/more", "tests/impl.py", "tests/more/test_b.py")
    changes = [Change(name, None, "added") for name in new]
    for survey in (surveyor(repo).tree(), surveyor(repo).change(base, changes)[1]):
        assert sorted(uses(survey)) == [
            ("src/impl.py", 1, "runtime"),
            ("tests/impl.py", 1, "test"),
            ("tests/more/test_b.py", 1, "test"),
        ]
        assert [(each.path, "from outside of the tests" in each.why) for each in survey.not_analysed] == [
            ("src/more", True)
        ]
