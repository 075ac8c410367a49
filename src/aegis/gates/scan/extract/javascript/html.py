"""Scripts of HTML pages: what they load, and what the code in them names.

https://html.spec.whatwg.org/multipage/scripting.html#attr-script-type
"""

from __future__ import annotations

import html
import re

from aegis.gates.scan.extract._code import CodeText, blank
from aegis.gates.scan.extract._code_names import in_order, statement_of
from aegis.gates.scan.extract._lines import moved
from aegis.gates.scan.extract.javascript import file as javascript
from aegis.gates.scan.extract.javascript.specifier import package_path
from aegis.gates.scan.extract.manifests.npm import deno
from aegis.gates.scan.model import Statement, Unreadable

_SCRIPT = re.compile(
    r"<!--.*?(?:-->|\Z)|<script(?=[\s>/])(?P<attributes>(?:[^\"'<>]|\"[^\"]*+\"|'[^']*+')*+)>(?P<code>.*?)(?:</script|\Z)",
    re.DOTALL | re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"(?<![^\s/\"'])(src|type)\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s\"'>]++))", re.IGNORECASE)
_CODE = re.compile(r"module|(?:text|application)/(?:x-)?(?:java|ecma)script(?:;.*)?|(?:text/)?babel|text/typescript|")


def extract(source: str, wanted: re.Pattern[str], last_line: int | None = None) -> list[Statement | Unreadable]:
    """Return every statement of a page's scripts that names something wanted."""
    found: list[Statement | Unreadable] = []
    kept: list[str] = []
    position, page = 0, CodeText(source, source, {})
    for script in _SCRIPT.finditer(source):
        if script["code"] is None:
            continue
        attributes = _attributes(script["attributes"])
        name = package_path(attributes.get("src", ""))
        if wanted.search(name):
            found.extend(statement_of(page, script.start(), "npm", "import", name, 'import "{}";'))
        kind = attributes.get("type", "").lower()
        if kind == "importmap":
            found.extend(moved(deno(script["code"], wanted), *page.at(script.start("code"))))
        elif _CODE.fullmatch(kind):
            kept += [blank(source[position : script.start("code")]), script["code"]]
            position = script.end("code")
    if wanted.search(code := "".join(kept)):
        found.extend(javascript.extract(code, wanted))
    return sorted(dict.fromkeys(found), key=in_order)


def _attributes(text: str) -> dict[str, str]:
    """The first `src` and the first `type` of a tag."""
    found: dict[str, str] = {}
    for match in _ATTRIBUTE.finditer(text):
        found.setdefault(match[1].lower(), html.unescape(match[2] or match[3] or match[4] or "").strip())
    return found
