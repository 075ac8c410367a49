"""Text stays text, whatever it holds; and nothing that runs or fetches can be written."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis.report.escape import visible
from aegis.report.html import Html, joined, tag
from tests.support.pages.html_reader import read
from tests.support.verdicts.verdicts import HOSTILE


class TestText:
    @pytest.mark.parametrize("value", HOSTILE)
    def test_shows_what_it_is_and_is_no_structure(self, value: str) -> None:
        found = read(tag("p", value).markup)
        assert set(found.names) <= {"p", "br"}
        assert found.text == "\n".join(visible(line) for line in value.splitlines())

    @pytest.mark.parametrize("value", HOSTILE)
    def test_stays_in_its_attribute(self, value: str) -> None:
        found = read(tag("p", "x", title=value).markup)
        assert found.attributes == [("p", "title", visible(value))]

    @given(st.text(max_size=60))
    @settings(max_examples=150, deadline=None)
    def test_of_any_kind(self, value: str) -> None:
        found = read(tag("td", value, title=value).markup)
        assert set(found.names) <= {"td", "br"}
        assert [name for _, name, _ in found.attributes] == ["title"]

    def test_is_shown_where_a_reader_could_not_see_it(self) -> None:
        assert tag("p", "a\u202eb\x00\x1b").markup == r"<p>a\u202eb\x00\x1b</p>"

    def test_is_nothing_where_there_is_none(self) -> None:
        assert joined("a", None, tag("br"), Html("<i></i>")).markup == "a<br><i></i>"


class TestAttributes:
    def test_are_written_as_given_and_left_out_where_none(self) -> None:
        made = tag("a", "x", class_="chip", aria_label="y", href="#z", title=None, tabindex=0)
        assert made.markup == '<a class="chip" aria-label="y" href="#z" tabindex="0">x</a>'

    @pytest.mark.parametrize("name", ["onclick", "onLoad", "style", "src", "srcdoc", "a b", "x="])
    def test_that_run_or_fetch_are_refused(self, name: str) -> None:
        with pytest.raises(ValueError, match="is no attribute for a page"):
            tag("a", "x", **{name: "y"})

    @pytest.mark.parametrize(
        "address",
        [
            "javascript:alert(1)",
            "http://evil.example",
            "//evil.example",
            "data:text/html,x",
            "https://a b",
            "",
            "x",
            "#a b",
        ],
    )
    def test_an_address_is_https_or_a_place_of_the_page(self, address: str) -> None:
        with pytest.raises(ValueError, match="a link to"):
            tag("a", "x", href=address)

    @pytest.mark.parametrize("name", ["", "p>", "a b", "1"])
    def test_an_element_has_a_name(self, name: str) -> None:
        with pytest.raises(ValueError, match="is no element"):
            tag(name)
