from __future__ import annotations

import pytest

from aegis.report.html import (
    bullets,
    chip,
    code,
    details,
    facts,
    link,
    note,
    section,
    table,
    tiles,
)
from aegis.report.html.parts import MARKS, MOST_ROWS, Tone
from tests.support.pages.html_reader import read
from tests.support.verdicts.verdicts import HOSTILE


def test_a_table_shows_its_rows_below_its_header() -> None:
    found = read(table(("Gate", "Result"), [("scan", chip("fail", "bad")), ("verify", None)], caption="All").markup)
    assert found.words == ["All", "Gate", "Result", "scan", "✗", "fail", "verify"]
    assert [name for name in found.names if name in {"tr", "td", "th"}] == [
        "tr",
        "th",
        "th",
        "tr",
        "td",
        "td",
        "tr",
        "td",
        "td",
    ]
    assert ("div", "role", "region") in found.attributes  # it scrolls by itself, so that a narrow page does not


def test_a_table_without_rows_says_so() -> None:
    assert table(("Gate",), [], empty="No gate.").markup == '<p class="empty">No gate.</p>'


def test_a_row_of_another_length_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="a row without 2 cells"):
        table(("a", "b"), [("1", "2", "3")])


def test_a_long_table_says_what_it_leaves_out() -> None:
    found = read(table(("n",), [(str(number),) for number in range(MOST_ROWS + 3)]).markup)
    assert f"3 of {MOST_ROWS + 3} rows are left out here." in found.text
    assert found.names.count("td") == MOST_ROWS


@pytest.mark.parametrize("value", HOSTILE)
def test_every_part_keeps_text_as_text(value: str) -> None:
    parts = [
        table((value,), [(value,)], caption=value),
        table((value,), [], empty=value),
        chip(value, "bad"),
        code(value),
        note("warn", value),
        facts({value: value}),
        tiles({value: value}),
        bullets([value]),
        details(value, value),
        link(value, value),
        link(value, f"https://{value}"),
        section(value, value),
    ]
    known = {"div", "table", "caption", "thead", "tbody", "tr", "th", "td", "p", "span", "code", "dl", "dt", "dd"}
    known |= {"strong", "ul", "li", "details", "summary", "section", "h2", "br", "a"}
    for part in parts:
        found = read(part.markup)
        assert set(found.names) <= known, part
        assert {name for _, name, _ in found.attributes} <= {
            "class",
            "tabindex",
            "role",
            "aria-label",
            "aria-hidden",
            "scope",
            "id",
            "href",
            "rel",
        }


@pytest.mark.parametrize(
    ("address", "leads"),
    [
        ("https://github.com/octo/widgets/actions/runs/7", True),
        ("#gates", True),
        ("javascript:alert(1)", False),
        ("http://github.com/", False),
        ("https://evil.example/ x", False),
        (None, False),
    ],
)
def test_a_link_leads_to_https_or_to_the_page_itself(address: str | None, leads: bool) -> None:
    found = read(link("words", address).markup)
    assert found.text == "words"
    assert ("a" in found.names) is leads
    if leads:
        assert ("a", "rel", "noopener noreferrer") in found.attributes


def test_a_section_can_be_linked_to() -> None:
    assert ("section", "id", "not-read") in read(section("Not read").markup).attributes


def test_no_tone_is_told_by_colour_alone() -> None:
    tones: tuple[Tone, ...] = ("good", "bad", "warn", "unknown")
    assert len({MARKS[tone] for tone in tones}) == 4
    assert all(MARKS[tone] in read(chip("x", tone).markup).text for tone in tones)
