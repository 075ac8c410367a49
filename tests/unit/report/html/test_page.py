"""The page stands alone, and its own policy would hold whatever might get into it."""

from __future__ import annotations

import base64
import hashlib
import re
from itertools import pairwise

import pytest

from aegis.report.html import chip, page, paragraph, section
from tests.support.pages.html_reader import read

MADE = page("A page", [section("One", paragraph("text")), chip("pass", "good")], subtitle="of tests", footer="end")
SHEET = MADE.decode().partition("<style>")[2].partition("</style>")[0]


def test_its_policy_lets_nothing_in_but_its_own_sheet() -> None:
    policy = next(value for _, name, value in read(MADE).attributes if name == "content" and "default-src" in value)
    digest = base64.b64encode(hashlib.sha256(SHEET.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_it_fetches_nothing_and_runs_nothing() -> None:
    found = read(MADE)
    assert not {"script", "iframe", "img", "object", "form", "base"} & set(found.names)
    assert [value for _, name, value in found.attributes if name in {"src", "href"}] == ["data:,"]
    assert not re.search(r"url\(|@import|@font-face|expression", SHEET)


def test_the_same_parts_give_the_same_bytes() -> None:
    assert (
        page("A page", [section("One", paragraph("text")), chip("pass", "good")], subtitle="of tests", footer="end")
        == MADE
    )


def test_it_says_what_it_holds() -> None:
    found = read(MADE)
    assert found.words == ["A", "page", "of", "tests", "One", "text", "✓", "pass", "end"]
    assert ("html", "lang", "en") in found.attributes
    assert ("meta", "charset", "utf-8") in found.attributes


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


SCHEMES = dict(
    zip(
        ("light", "dark", "paper"),
        (dict(re.findall(r"--([a-z-]+): (#[0-9a-f]{6})", part)) for part in SHEET.split(":root {")[1:]),
        strict=True,
    )
)


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("tone", ["good", "bad", "warn", "unknown"])
def test_every_colour_can_be_read(scheme: str, tone: str) -> None:
    """WCAG 2.2, 1.4.3: at least 4.5 to 1."""
    colours = SCHEMES[scheme]
    assert contrast(colours[tone], colours[f"{tone}-paper"]) >= 4.5
    assert contrast(colours[tone], colours["paper"]) >= 4.5


@pytest.mark.parametrize("scheme", sorted(SCHEMES))
@pytest.mark.parametrize("ink", ["ink", "soft", "link"])
def test_so_can_all_text(scheme: str, ink: str) -> None:
    colours = SCHEMES[scheme]
    assert min(contrast(colours[ink], colours[paper]) for paper in ("paper", "raised")) >= 4.5


def test_the_measure_is_the_published_one() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_headings_go_down_step_by_step() -> None:
    levels = [int(name[1]) for name in read(MADE).names if re.fullmatch(r"h[1-6]", name)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
