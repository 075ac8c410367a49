"""Every block of commands in the documentation is run, here or by a test that it names, or says why it is not."""

from __future__ import annotations

import re
import tomllib
from functools import cache
from pathlib import Path

import pytest

from tests.support.pages import page_reader, pages
from tests.support.pages.page_reader import is_shown
from tests.support.pages.pages import Block

HERE = Path(__file__).parent
E2E = pages.ROOT / "tests" / "e2e" / "docs"
READINGS = page_reader.readings(HERE)
TARGETS = frozenset(re.findall(r"^([a-z0-9-]+):", (pages.ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
REQUIREMENT = re.compile(r"([\w-]+)\[([\w,-]+)\] @ git\+https://github\.com/org/aegis@v\d+")
SHORTEST_REASON = 20
"""Characters: less is no reason."""


@pytest.mark.parametrize(("page", "scene"), READINGS, ids=[" ".join(each) for each in READINGS])
def test_the_commands_do_what_the_page_says(page: str, scene: str, request: pytest.FixtureRequest) -> None:
    reader = request.getfixturevalue(f"scene_{scene.replace('-', '_')}")
    reader.types(READINGS[page, scene])


class TestEveryBlock:
    def test_is_run_or_says_why_not(self) -> None:
        assert [block.place for block in pages.typed() if block.mark is None] == []

    def test_is_run_by_a_scene_that_there_is(self) -> None:
        known = page_reader.scenes(HERE) | page_reader.scenes(E2E)
        asked = {block.mark.what for block in pages.typed() if block.mark is not None and block.mark.kind == "run"}
        assert asked - known == set()
        assert known - asked == set()

    @pytest.mark.parametrize(
        "block", [b for b in pages.typed() if b.mark and b.mark.kind == "run by"], ids=lambda b: b.place
    )
    def test_is_run_by_a_test_that_knows_its_commands(self, block: Block) -> None:
        assert block.mark is not None
        said = "\n".join(_words_of(test) for test in block.mark.what.split(", "))
        for command in pages.commands(block):
            for words in pages.programs(command):
                verbs = [Path(word).name for word in words[:3] if re.fullmatch(r"[a-z_./-]{3,}", word)]
                assert [verb for verb in verbs if verb not in said] == [], f"{block.place}: {command}"

    def test_that_is_not_run_has_a_reason(self) -> None:
        for block in pages.typed():
            if block.mark is not None and block.mark.kind == "not run":
                assert len(block.mark.what) >= SHORTEST_REASON, block.place

    def test_there_are_many_and_most_are_run(self) -> None:
        kinds = [block.mark.kind for block in pages.typed() if block.mark is not None]
        assert len(kinds) >= 30
        assert kinds.count("not run") * 4 <= len(kinds)


class TestWhatIsNamed:
    def test_installations_are_of_this_project_with_extras_that_it_has(self) -> None:
        project = tomllib.loads((pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        named = [found for block in pages.typed() for found in REQUIREMENT.findall(block.text)]
        assert len(named) >= 3
        for name, extras in named:
            assert name == project["name"]
            assert set(extras.split(",")) <= set(project["optional-dependencies"])

    def test_the_engine_that_is_installed_by_hand_is_the_pinned_one(self) -> None:
        (pinned,) = re.findall(r"semgrep==[\d.]+", (pages.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        named = [found for block in pages.typed() for found in re.findall(r"semgrep==[\d.]+", block.text)]
        assert set(named) == {pinned}

    def test_each_make_target_is_there(self) -> None:
        for block in pages.typed():
            for command in pages.commands(block):
                for words in pages.programs(command):
                    if words[0] == "make":
                        assert set(words[1:]) <= TARGETS, block.place


class TestTheReader:
    """What runs the pages must not say yes to anything."""

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("console", "$ false\n"),
            ("console", "$ echo yes\nno\n"),
            ("console", "$ echo yes\nyes\nand more\n"),
            ("console", "$ (exit 2)\n$ echo $?\n1\n"),
            ("console", "$ exit 0\n$ true\n"),
            ("sh", "false\ntrue\n"),
            ("sh", "false | cat\n"),
            ("sh", "echo $no_such_variable\n"),
            ("sh", "exit 0\n"),
        ],
    )
    def test_an_answer_that_is_not_the_page_s_fails(self, language: str, text: str, tmp_path: Path) -> None:
        block = Block("page.md", 1, language, text, "section")
        with pytest.raises(AssertionError, match=r"page\.md:1"):
            page_reader.Reader(tmp_path, tmp_path).types([block, Block("page.md", 1, "sh", "true\n", "")])

    @pytest.mark.parametrize(
        ("language", "text"),
        [
            ("console", "$ echo a; echo b; echo c\na\n…\n$ echo one two three\none … three\n"),
            ("console", "$ false\n$ echo $?\n1\n"),
            ("console", "$ echo a \\\n  b\na b\n"),
            ("sh", "cd ..\nkept=1\n"),
        ],
    )
    def test_what_the_page_says_passes(self, language: str, text: str, tmp_path: Path) -> None:
        page_reader.Reader(tmp_path, tmp_path).types([Block("page.md", 1, language, text, "section")])

    def test_blocks_share_one_shell(self, tmp_path: Path) -> None:
        (tmp_path / "below").mkdir()
        blocks = [
            Block("p", n, "sh", text, "")
            for n, text in enumerate(("cd below\nname=x\n", "test -n $name\npwd > $name\n"))
        ]
        page_reader.Reader(tmp_path, tmp_path).types(blocks)
        assert (tmp_path / "below" / "x").is_file()

    def test_dots_stand_for_no_more_than_they_say(self) -> None:
        assert is_shown(["a … c", "…", "d"], "a b c\nd\n")
        assert not is_shown(["a …", "d"], "a b\nc\nd\n")
        assert not is_shown(["a"], "aa\n")

    def test_an_unmarked_block_is_seen_also_in_a_list(self, tmp_path: Path) -> None:
        text = (
            "1. one\n\n   ```sh\n   make test\n   ```\n\n<!-- not run: it would take the whole day -->\n```sh\nx\n```\n"
        )
        first, second = pages.read("page.md", text)
        assert (first.mark, first.text, first.is_typed) == (None, "make test\n", True)
        assert second.mark is not None
        assert second.mark.kind == "not run"


@cache
def _words_of(test: str) -> str:
    """The text of a test file and of the helpers of ours that it imports."""
    path = pages.ROOT / test
    assert path.is_file(), test
    # the acceptance's programs are run by tests/e2e/acceptance
    assert path.name.startswith("test_") or test.startswith("acceptance/local/"), test
    text = path.read_text(encoding="utf-8")
    found = [text]
    for module, names in re.findall(r"^from ((?:tests|acceptance)\.[\w.]+) import ([\w, ]+)$", text, re.MULTILINE):
        places = [pages.ROOT / (module.replace(".", "/") + ".py")]
        places += [pages.ROOT / module.replace(".", "/") / f"{name.strip()}.py" for name in names.split(",")]
        found += [place.read_text(encoding="utf-8") for place in places if place.is_file()]
    conftest = path.parent / "conftest.py"
    return "\n".join([*found, conftest.read_text(encoding="utf-8") if conftest.is_file() else ""])
