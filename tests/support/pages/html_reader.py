"""What a browser would make of a page, by Python's own parser: elements, attributes and visible text."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser

_HIDDEN = frozenset({"style", "title", "desc", "script"})
_VOID = frozenset({"br", "link", "meta"})


@dataclass
class Read(HTMLParser):
    """One page, once it was fed."""

    names: list[str] = field(default_factory=list)
    attributes: list[tuple[str, str, str]] = field(default_factory=list)
    """Element, attribute, value."""
    text: str = ""
    """What is shown, and nothing that is an element's own."""
    words: list[str] = field(default_factory=list)
    """The same, with those of different elements apart."""
    open: list[str] = field(default_factory=list)
    unbalanced: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in _VOID:
            self.open.append(tag)
        elif tag == "br":
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.unbalanced.append(tag)

    def handle_data(self, data: str) -> None:
        if not _HIDDEN & set(self.open):
            self.text += data
            self.words += data.split()


def read(page: bytes | str) -> Read:
    """Parse it. Fails the test if elements do not end where they began."""
    reader = Read()
    reader.feed(page if isinstance(page, str) else page.decode())
    reader.close()
    assert (reader.open, reader.unbalanced) == ([], []), (reader.open, reader.unbalanced)
    return reader
