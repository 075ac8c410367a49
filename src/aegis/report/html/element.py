"""One element of HTML or SVG. What is no `Html` is text and is escaped."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

from aegis.report.escape import html

_VOID: Final = frozenset({"br", "link", "meta"})
"""Elements without an end (https://html.spec.whatwg.org/#void-elements)."""
_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]*")
_ACTIVE: Final = re.compile(r"on|style$|src", re.IGNORECASE)
"""Attributes that would run or fetch something; the page's own policy would stop them, too."""
_ADDRESS: Final = re.compile(r"#[A-Za-z0-9._-]+|https://[!-~]+|data:,")
"""Where a link may lead: a place of the page, or the web (empty data: the icon that a browser would ask for)."""


@dataclass(frozen=True, slots=True)
class Html:
    """Markup of this package's making."""

    markup: str


Child: TypeAlias = str | Html | None
"""Text, markup, or nothing."""


def tag(name: str, /, *children: Child, **attributes: str | float | None) -> Html:
    """An element: `class_` is its class, `_` in other names is a dash, and None leaves an attribute out.

    Raises ValueError for an attribute that would run or fetch something, and for an address that is neither a place of
    the page nor `https:`. Names are the program's own, never data.
    """
    written = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no element")
    if name in _VOID:
        return Html(f"<{name}{written}>")
    return Html(f"<{name}{written}>{joined(*children).markup}</{name}>")


def joined(*children: Child) -> Html:
    """Several parts, one after the other."""
    return Html("".join(_markup(child) for child in children))


def is_address(text: str) -> bool:
    """Whether a link may lead there."""
    return _ADDRESS.fullmatch(text) is not None


def _markup(child: Child) -> str:
    if child is None:
        return ""
    return child.markup if isinstance(child, Html) else "<br>".join(html(line) for line in child.splitlines())


def _attribute(key: str, value: str | float) -> str:
    name = key.rstrip("_").replace("_", "-")
    if not _NAME.fullmatch(name) or _ACTIVE.match(name):
        raise ValueError(f"{name!r} is no attribute for a page")
    if name.lower() == "href" and not is_address(str(value)):
        raise ValueError(f"a link to {str(value)[:100]!r}")
    return f' {name}="{html(str(value))}"'
