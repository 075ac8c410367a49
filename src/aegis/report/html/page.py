"""The page around the parts."""

from __future__ import annotations

import base64
import functools
import hashlib
from collections.abc import Iterable
from pathlib import Path

from aegis.report.html.element import Child, Html, joined, tag


def page(title: str, parts: Iterable[Child], *, subtitle: Child = None, footer: Child = None) -> bytes:
    """The whole page in UTF-8, ending in a line break. The same parts give the same bytes.

    Its Content-Security-Policy lets nothing be fetched, run, framed or sent: should text ever become markup after all,
    it still could do nothing (https://www.w3.org/TR/CSP3/).
    """
    style, allowed = _style()
    policy = f"default-src 'none'; style-src 'sha256-{allowed}'; img-src data:; base-uri 'none'; form-action 'none'"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("link", rel="icon", href="data:,"),
        tag("title", title),
        tag("style", style),
    )
    body = tag(
        "body",
        tag("header", tag("h1", title), tag("p", subtitle) if subtitle is not None else None),
        tag("main", joined(*parts)),
        tag("footer", tag("p", footer)) if footer is not None else None,
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en').markup}\n".encode()


@functools.cache
def _style() -> tuple[Html, str]:
    """The sheet, and its digest as the policy names it."""
    sheet = Path(__file__).with_name("style.css").read_text(encoding="utf-8")
    if "</" in sheet:
        raise AssertionError("the sheet would end its element")
    return Html(sheet), base64.b64encode(hashlib.sha256(sheet.encode()).digest()).decode()
