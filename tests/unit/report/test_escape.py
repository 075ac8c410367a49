from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from aegis.report import escape
from tests.support.actions import runner_commands
from tests.support.verdicts.verdicts import HOSTILE

ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(),
    st.text(alphabet="`|<>&[]()!*_~@#:%\\\n\r,;=x w/.0", max_size=30),
    st.lists(st.sampled_from(HOSTILE), max_size=4).map("".join),
)
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])


def shape(tokens: list[Token]) -> list[tuple[str, str]]:
    """What a document is made of, without its words."""
    inner = [child for token in tokens for child in (token, *(token.children or []))]
    return [(token.type, token.content if token.type == "html_inline" else "") for token in inner]


def words(tokens: list[Token]) -> str:
    return "".join(child.content for token in tokens for child in token.children or [] if child.type == "text")


def read(tokens: list[Token]) -> str:
    return words(tokens).replace("\u200b", "")


def plain(text: str) -> str:
    """What a reader sees of a text: its lines put together, the marks of code taken away."""
    lines = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    return "".join(re.sub("`([^`]+)`", r"\1", escape.visible(line)) for line in lines)


class TestVisible:
    @given(ANYTHING)
    def test_every_character_that_acts_or_hides_is_shown_by_its_number(self, text: str) -> None:
        shown = escape.visible(text)
        assert not {unicodedata.category(c) for c in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
        assert len(shown.splitlines()) <= 1

    @pytest.mark.parametrize(
        ("text", "shown"),
        [
            ("src/a b.py", "src/a b.py"),
            ("日本語-é", "日本語-é"),
            ("\x1b[31m", r"\x1b[31m"),
            ("\u202egnp", r"\u202egnp"),
            ("a\nb\tc\r", r"a\nb\tc\r"),
            ("caf\udce9", r"caf\xe9"),
            ("\ud800", r"\ud800"),
            ("\U000e0041", r"\U000e0041"),
        ],
    )
    def test_examples(self, text: str, shown: str) -> None:
        assert escape.visible(text) == shown

    @given(st.binary(max_size=20))
    def test_any_file_name_can_be_written_as_utf8(self, name: bytes) -> None:
        escape.encodable(name.decode("utf-8", "surrogateescape")).encode()


class TestTerminal:
    @given(ANYTHING, st.sampled_from(["", " ", "note: "]))
    def test_never_a_command_of_the_runner(self, text: str, before: str) -> None:
        assert runner_commands.parse(before + escape.terminal(text)) is None

    @given(ANYTHING)
    def test_no_line_of_a_block_is_a_command(self, text: str) -> None:
        shown = escape.terminal_block(text)
        assert [line for line in shown.splitlines() if runner_commands.parse(line)] == []
        assert shown.replace("\n", "").isprintable()

    def test_a_block_keeps_its_lines(self) -> None:
        assert escape.terminal_block("problem\n  expected: x\n") == "problem\n  expected: x"

    def test_names_of_code_stay_as_they_are(self) -> None:
        assert escape.terminal("std::filesystem::path") == "std::filesystem::path"


class TestCommands:
    @given(ANYTHING, ANYTHING)
    def test_values_come_back_whole_and_nothing_else_does(self, path: str, message: str) -> None:
        line = f"::error file={escape.command_property('f' + path)},line=3::{escape.command_data(message)}"
        assert len(line.splitlines()) == 1
        found = runner_commands.parse(line)
        assert found is not None
        assert found.name == "error"
        assert set(found.properties) == {"file", "line"}
        assert runner_commands.parse(found.data) is None or found.data.lstrip().startswith("::")

    @given(st.text(alphabet="ab%,:=;0D2CA /é", min_size=1))
    def test_a_printable_path_comes_back_exactly(self, path: str) -> None:
        found = runner_commands.parse(f"::error file={escape.command_property(path)},line=3::x")
        assert found is not None
        assert found.properties == {"file": path, "line": "3"}

    def test_line_breaks_of_a_message_are_kept(self) -> None:
        assert escape.command_data("a\r\nb\nc\n") == "a%0Ab%0Ac"


class TestMarkdown:
    @given(ANYTHING)
    def test_code_holds_exactly_the_text(self, text: str) -> None:
        tokens = MARKDOWN.parse(f"x {escape.markdown_code(text)} y")
        plain = MARKDOWN.parse("x <code>a</code> y" if text else "x <code></code> y")
        assert shape(tokens) == shape(plain)
        assert words(tokens) == f"x {escape.visible(text)} y"

    @given(ANYTHING)
    def test_words_are_words(self, text: str) -> None:
        tokens = MARKDOWN.parse(f"x {escape.markdown(text)} y")
        html = [content for kind, content in shape(tokens) if kind == "html_inline" and content != "<br>"]
        assert html == ["<code>", "</code>"] * (len(html) // 2)
        assert {kind for kind, _ in shape(tokens)} - {"html_inline"} == {kind for kind, _ in shape(MARKDOWN.parse("x"))}
        assert read(tokens) == f"x {plain(text)} y"

    @given(ANYTHING, ANYTHING)
    def test_a_table_cell_is_never_left(self, path: str, message: str) -> None:
        row = f"| {escape.markdown_code(path)} | {escape.markdown(message)} |"
        tokens = MARKDOWN.parse(f"| a | b |\n| --- | --- |\n{row}\n")
        kinds = [kind for kind, _ in shape(tokens)]
        assert kinds.count("tr_open") == 2
        assert kinds.count("table_open") == 1
        assert kinds[-1] == "table_close"
        # A row's cells beyond the header's are dropped, so the words must be all there.
        cells = [read([token]) for token in tokens if token.type == "inline"]
        assert [cell.strip() for cell in cells] == ["a", "b", escape.visible(path).strip(), plain(message).strip()]

    def test_no_mark_of_markup_is_left(self) -> None:
        marks = "!\"#$%&'()*+;<=>?@[\\]^_`{|}~"
        assert escape.markdown_code(marks) == f"<code>{''.join(f'&#{ord(mark)};' for mark in marks)}</code>"

    def test_code_is_shown_as_code(self) -> None:
        assert escape.markdown("`a|b` and `c") == "<code>a&#124;b</code> and &#96;c"

    @pytest.mark.parametrize("text", ["@octocat", "see #1", "https://evil.example", "WWW.evil.example", "a@b.example"])
    def test_what_github_would_link_is_kept_apart(self, text: str) -> None:
        read = words(MARKDOWN.parse(escape.markdown(text)))
        assert read.replace("\u200b", "") == text
        assert not re.search(r"[@#]\w|://|www\.", read, re.IGNORECASE)
