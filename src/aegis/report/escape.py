"""Values from outside, made harmless: one function for each place that they are written to.

File names, package names, metric labels and error texts are chosen by whoever opens a pull request. In a log they could
start a workflow command, in a summary a link or a table cell, on a terminal an escape sequence.
"""

from __future__ import annotations

import re
from html import escape

_PUNCTUATION = re.compile(r"[!\"#$%&'()*+;<=>?@\[\\\]^_`{|}~]")
"""What Markdown and HTML could read as structure, except `-`, `.`, `,`, `/` and `:`, which can be structure only where
a line starts; no value is ever put there."""

_LINKED = re.compile(r"(?<=[@#])(?=\w)|(?<=:)(?=//)|(?<=www)(?=\.)", re.IGNORECASE)
"""Where GitHub would make a mention, an issue reference or a link of plain text, even of character references."""

_ZERO_WIDTH_SPACE = "\u200b"

_CODE = re.compile("`([^`]+)`")

_SURROGATE = re.compile("[\ud800-\udfff]")


def encodable(text: str) -> str:
    r"""Text that UTF-8 can hold: bytes of a file name that are no UTF-8 are shown as `\xff`."""
    return _SURROGATE.sub(lambda found: _shown(found[0]), text)


def visible(text: str) -> str:
    """One line on which every control, format and bidirectional character is shown by its number.

    `str.isprintable` is false for exactly the characters that a reader cannot see or that act instead of show
    (Unicode categories Other and Separator, except the space).
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else _shown(c) for c in text)


def terminal(text: str) -> str:
    """One line for a terminal or a build log.

    GitHub's runner reads each line of a log: `::name::` at its start and `##[name]` anywhere are commands
    (actions/runner, ActionCommand.cs).
    """
    shown = visible(text).replace("##[", r"##\x5b")
    lead = len(shown) - len(shown.lstrip())
    return f"{shown[:lead]}\\x3a{shown[lead + 1 :]}" if shown.startswith("::", lead) else shown


def terminal_block(text: str) -> str:
    """Several lines for a terminal or a build log, e.g. an error with what was expected and what to do."""
    return "\n".join(terminal(line) for line in _lines(text))


def command_data(text: str) -> str:
    """The message of a workflow command; line breaks are kept (actions/toolkit, `escapeData`)."""
    return "%0A".join(visible(line).replace("##[", r"##\x5b").replace("%", "%25") for line in _lines(text))


def command_property(text: str) -> str:
    """A property of a workflow command, e.g. its `file` (actions/toolkit, `escapeProperty`)."""
    return command_data(text).replace(":", "%3A").replace(",", "%2C")


def markdown(text: str) -> str:
    """Words inside a Markdown line or table cell; line breaks become `<br>`, and only `code` keeps its meaning.

    Numeric character references are never structure (CommonMark 0.31, 2.5). GitHub looks for mentions and links after
    that, in the text itself: an invisible space keeps it from finding any.
    """
    return "<br>".join(_words(visible(line)) for line in _lines(text))


def markdown_code(text: str) -> str:
    """A name or path inside a Markdown line or table cell, in a code element, where GitHub links nothing."""
    return f"<code>{_entities(visible(text))}</code>"


def html(text: str) -> str:
    """Text of an HTML element, or a value between double quotes in its tag, on one line (HTML Standard, 13.1.2)."""
    return escape(visible(text), quote=True)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").rstrip("\n").split("\n")


def _words(line: str) -> str:
    plain, code = _CODE.split(line)[::2], _CODE.findall(line)
    spans = [*map(markdown_code, code), ""]
    pairs = zip(plain, spans, strict=True)
    return "".join(_entities(_LINKED.sub(_ZERO_WIDTH_SPACE, words)) + span for words, span in pairs)


def _entities(text: str) -> str:
    return _PUNCTUATION.sub(lambda found: f"&#{ord(found[0])};", text)


def _shown(character: str) -> str:
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8, as PEP 383 carries it
        return f"\\x{number - 0xDC00:02x}"
    named = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}.get(character)
    if named:
        return named
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
