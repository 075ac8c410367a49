"""What a page is made of: sections, tables, words with a colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

from aegis.report.html.element import Child, Html, is_address, joined, tag

Tone = Literal["good", "bad", "warn", "unknown", "plain"]
"""`good`: proven; `bad`: refused; `warn`: a person should look; `unknown`: could not decide; `plain`: neither."""

MARKS: Final[Mapping[Tone, str]] = {"good": "✓", "bad": "✗", "warn": "!", "unknown": "?", "plain": ""}
"""Beside each colour, so that nothing is told by colour alone (WCAG 2.2, 1.4.1)."""

MOST_ROWS: Final = 2_000
"""Of a table: a browser lays out so many at once without a pause; what is left out is said."""
_ANCHOR: Final = re.compile(r"[^a-z0-9]+")


def section(heading: str, *children: Child) -> Html:
    """A chapter; its anchor is made of the heading's letters."""
    anchor = _ANCHOR.sub("-", heading.lower()).strip("-")[:60]
    return tag("section", tag("h2", heading), *children, id=anchor or None)


def paragraph(*children: Child) -> Html:
    """A paragraph."""
    return tag("p", *children)


def note(tone: Tone, *children: Child) -> Html:
    """A paragraph that must not be overlooked."""
    return tag("p", _mark(tone), *children, class_=f"note {tone}")


def chip(word: str, tone: Tone) -> Html:
    """One or two words in a colour, with a sign that says the same."""
    return tag("span", _mark(tone), word, class_=f"chip {tone}")


def code(text: str) -> Html:
    """A name, a path, a digest."""
    return tag("code", text)


def link(words: str, address: str | None) -> Html:
    """A link to `https:` or to `#a-place`; any other address is shown as words, and leads nowhere."""
    if address is None or not is_address(address):
        return joined(words)
    return tag("a", words, href=address, rel="noopener noreferrer")


def bullets(items: Iterable[Child]) -> Html:
    """A list."""
    return tag("ul", *(tag("li", item) for item in items))


def facts(values: Mapping[str, Child]) -> Html:
    """Names with values, e.g. `{"commit": code("1f1f…")}`; a value of None is left out."""
    known = ((name, value) for name, value in values.items() if value is not None)
    return tag("dl", *(tag("div", tag("dt", name), tag("dd", value)) for name, value in known))


def tiles(values: Mapping[str, Child]) -> Html:
    """A row of large values with their names: what a reader looks for first."""
    shown = (tag("div", tag("span", name, class_="name"), tag("strong", value)) for name, value in values.items())
    return tag("div", *shown, class_="tiles")


def details(summary: Child, *children: Child) -> Html:
    """What is shown on demand; on paper always."""
    return tag("details", tag("summary", summary), *children)


def table(
    header: Sequence[str], rows: Iterable[Sequence[Child]], *, caption: str | None = None, empty: str = "None."
) -> Html:
    """A table that scrolls in itself where the screen is narrow. Without rows, the sentence `empty`.

    Raises ValueError where a row has more or fewer cells than the header.
    """
    every = list(rows)
    if any(len(row) != len(header) for row in every):
        raise ValueError(f"a row without {len(header)} cells")
    if not every:
        return tag("p", empty, class_="empty")
    body = (tag("tr", *(tag("td", cell) for cell in row)) for row in every[:MOST_ROWS])
    whole = tag(
        "table",
        tag("caption", caption) if caption is not None else None,
        tag("thead", tag("tr", *(tag("th", name, scope="col") for name in header))),
        tag("tbody", *body),
    )
    left_out = len(every) - MOST_ROWS
    return joined(
        wide(whole, caption or ", ".join(name for name in header if name)),
        note("warn", f"{left_out} of {len(every)} rows are left out here.") if left_out > 0 else None,
    )


def wide(child: Html, label: str) -> Html:
    """What may be wider than the screen: it scrolls by itself, by keyboard too (WCAG 2.2, 1.4.10 and 2.1.1)."""
    return tag("div", child, class_="wide", tabindex=0, role="region", aria_label=label)


def _mark(tone: Tone) -> Html | None:
    return tag("span", f"{MARKS[tone]} ", aria_hidden="true", class_="mark") if MARKS[tone] else None
