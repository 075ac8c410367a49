"""A page of HTML that stands alone: no script, nothing that is fetched, in light, in dark and on paper.

Comes in: text, numbers, and parts that this package made (`Html`). Goes out: the bytes of one page. A `str` is always
text, whatever it holds; there is no way to hand markup in but `tag` and the parts built on it.

    page("Backups", [section("Last proof", table(("Database", "Age"), [("orders", chip("3 h", "good"))]))])
"""

from aegis.report.html.charts import Band, Level, Moment, Row, Series, line_chart, timeline, utc
from aegis.report.html.element import Child, Html, joined, tag
from aegis.report.html.page import page
from aegis.report.html.parts import (
    Tone,
    bullets,
    chip,
    code,
    details,
    facts,
    link,
    note,
    paragraph,
    section,
    table,
    tiles,
)

__all__ = [
    "Band",
    "Child",
    "Html",
    "Level",
    "Moment",
    "Row",
    "Series",
    "Tone",
    "bullets",
    "chip",
    "code",
    "details",
    "facts",
    "joined",
    "line_chart",
    "link",
    "note",
    "page",
    "paragraph",
    "section",
    "table",
    "tag",
    "tiles",
    "timeline",
    "utc",
]
