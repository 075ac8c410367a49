"""The pages in a browser: nothing is fetched, nothing is complained about, everything can be read on every screen."""

from __future__ import annotations

import base64
import datetime
import struct
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from aegis.core.verdict import Verdict
from aegis.report import acceptance_page, json_report
from aegis.report.history import page as history_page
from aegis.report.history.collected import Collected, Unread
from aegis.report.history.facts import history
from aegis.report.html import page as html_page
from aegis.report.html import paragraph
from scripts import picture
from tests.support.acceptance.runs import mixed
from tests.support.pages import summary_page
from tests.support.programs.chromium import Browser, Page, browser
from tests.support.verdicts import verdicts
from tests.support.verdicts.past_verdicts import (
    NOW,
    ago,
    artifact,
    database,
    of_backups,
    of_models,
    of_rollout,
    past,
    weeks,
)

pytestmark = pytest.mark.xdist_group("chromium")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as running:
        yield running


def _history(*given: Verdict) -> bytes:
    found = Collected(now=NOW)
    for number, verdict in enumerate(given):
        found.take(f"{number}/verdict.json", partial(bytes, json_report.render(verdict)))
    found.unread.append(Unread("downloads/old/verdict.json", "core.verdict_invalid", "it is cut"))
    return history_page.render(history(found, datetime.timedelta(days=7)), found, ["downloads"], "aegis 1.0.0")


PAGES = {"report": lambda: _history(*weeks()), "acceptance": lambda: acceptance_page.render(mixed())}
VISIBLE = {
    "report": ("Aegis: past verdicts", "Gates over time", "Restores of orders", "shop/web 5", "it is cut"),
    "acceptance": ("Acceptance", "not accepted", "The criterion A5", "Restores"),
}
TEXT = "document.body.innerText"
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
OUTSIDE = """[...document.querySelectorAll('body *')].filter(e => {
  const place = e.getBoundingClientRect();
  return place.right > innerWidth + 1 && !e.closest('.wide') && place.width > 0;
}).map(e => e.outerHTML.slice(0, 100))"""
SMALL = """[...document.querySelectorAll('svg text')].filter(e => e.getBoundingClientRect().height < 8).length"""


@pytest.fixture(params=sorted(PAGES))
def written(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """A page's name and its address."""
    file = tmp_path / "index.html"
    file.write_bytes(PAGES[request.param]())
    return request.param, file.as_uri()


def quiet(page: Page) -> None:
    assert (page.errors, page.requests) == ([], [])


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [320, 1280])
def test_it_shows_everything_on_every_screen(
    written: tuple[str, str], width: int, dark: bool, chromium: Browser
) -> None:
    name, address = written
    with chromium.page(address, width=width, dark=dark) as page:
        quiet(page)
        shown = page.value(TEXT)
        assert [words for words in VISIBLE[name] if words not in shown] == []
        assert page.value(OVERFLOW) == 0
        assert page.value(OUTSIDE) == []
        assert page.value(SMALL) == 0
        assert page.value("getComputedStyle(document.body).backgroundColor") == (
            "rgb(13, 17, 23)" if dark else "rgb(255, 255, 255)"
        )
        quiet(page)


def test_a_picture_of_it_has_its_colours(written: tuple[str, str], chromium: Browser) -> None:
    """Something was drawn: charts in red and green on both papers."""
    _, address = written
    for dark, paper in ((False, (255, 255, 255)), (True, (13, 17, 23))):
        with chromium.page(address, dark=dark) as page:
            png = page.picture()
        colours = colours_of(png, chromium)
        assert paper in colours
        assert any(red > green + 60 and red > blue + 60 for red, green, blue in colours)
        assert any(green > red + 40 and green > blue + 40 for red, green, blue in colours)


def test_on_paper_every_detail_is_open_and_nothing_is_cut(written: tuple[str, str], chromium: Browser) -> None:
    _, address = written
    with chromium.page(address, paper=True, dark=True, width=794) as page:
        quiet(page)
        heights = page.value("[...document.querySelectorAll('details > :not(summary)')].map(e => e.offsetHeight)")
        assert heights
        assert min(heights) > 0
        assert page.value("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert page.value(
            "[...document.querySelectorAll('.wide')].every(e => getComputedStyle(e).overflowX == 'visible')"
        )


def test_a_reader_without_a_mouse_reaches_what_scrolls(written: tuple[str, str], chromium: Browser) -> None:
    _, address = written
    with chromium.page(address, width=320) as page:
        assert page.value("[...document.querySelectorAll('.wide')].every(e => e.tabIndex == 0 && e.ariaLabel)")
        assert page.value("[...document.querySelectorAll('svg[role=img]')].every(e => e.querySelector('title'))")


def test_hostile_text_is_shown_and_does_nothing(tmp_path: Path, chromium: Browser) -> None:
    """Whoever made a verdict chose every string in it."""
    evil = (
        "</title></style></script><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    )
    values = [*verdicts.HOSTILE, evil]
    given = []
    for number, value in enumerate(values):
        source = replace(past(ago(hours=number)).source, repository=value, actor=value, event=value)
        given += [
            past(ago(hours=number, minutes=1), source=source),
            of_backups(ago(hours=number, minutes=2), database(value, outcome=value)),
            of_models(ago(hours=number, minutes=3), artifact(value, source=value)),
            of_rollout(ago(hours=number, minutes=4), run=number, decision=value),
        ]
    file = tmp_path / "index.html"
    file.write_bytes(_history(*given))
    with chromium.page(file.as_uri(), width=320) as page:
        quiet(page)
        assert page.value("document.title") == "Aegis: past verdicts"
        assert page.value("document.querySelectorAll('script, img, iframe, object, form').length") == 0
        assert evil in page.value(TEXT)
        assert page.value(OVERFLOW) == 0


def test_should_markup_get_in_after_all_the_page_s_own_policy_stops_it(tmp_path: Path, chromium: Browser) -> None:
    """The same eyes see what they are to see: a page with markup in it is noisy."""
    inside = (
        '<script>document.title="owned"</script><img src="https://evil.example/x.png"><p style="color:red">x</p>'
        '<iframe src="https://evil.example/"></iframe><form action="https://evil.example/"></form>'
    )
    made = html_page("Safe", [paragraph("x")])
    file = tmp_path / "index.html"
    file.write_bytes(made.replace(b"<p>x</p>", inside.encode()))
    with chromium.page(file.as_uri()) as page:
        assert page.value("document.title") == "Safe"
        assert page.value("getComputedStyle(document.querySelector('p')).color") != "rgb(255, 0, 0)"
        assert sum("Content Security Policy" in each for each in page.errors) >= 3
    file.write_text(f"<!doctype html><title>Safe</title>{inside}")
    with chromium.page(file.as_uri()) as page:
        assert page.value("document.title") == "owned"
        assert "https://evil.example/x.png" in page.requests


def test_the_readme_s_picture_is_of_a_real_summary(tmp_path: Path, chromium: Browser) -> None:
    markdown = summary_page.refused(tmp_path)
    file = tmp_path / "summary.html"
    file.write_text(summary_page.page(markdown), encoding="utf-8")
    with chromium.page(file.as_uri(), width=880) as page:
        quiet(page)
        shown = page.value(TEXT)
        for words in ("scan: FAIL. Your change: mend the findings below.", "import boto3", "What to do", "Reproduce:"):
            assert words in shown
        assert page.value(OVERFLOW) == 0
        height = page.value("document.documentElement.scrollHeight")
    size = struct.unpack(">II", picture.PICTURE.read_bytes()[16:24])
    assert size[0] == 2 * 880
    # of a summary with these findings, not of another page: other words of a remedy make a line or two
    assert abs(size[1] / 2 - height) <= 120


COLOURS = """(async () => {
  const answer = await fetch('data:image/png;base64,%s');
  const picture = await createImageBitmap(await answer.blob());
  const canvas = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
  canvas.drawImage(picture, 0, 0);
  const data = canvas.getImageData(0, 0, picture.width, picture.height).data;
  const seen = new Set();
  for (let i = 0; i < data.length; i += 4) seen.add(data[i] << 16 | data[i + 1] << 8 | data[i + 2]);
  return [...seen];
})()"""


def colours_of(png: bytes, chromium: Browser) -> set[tuple[int, int, int]]:
    """The colours of a picture, by the browser's own decoder."""
    with chromium.page("about:blank") as page:
        found = page.value(COLOURS % base64.b64encode(png).decode())
    return {(each >> 16, each >> 8 & 255, each & 255) for each in found}
