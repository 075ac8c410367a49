"""A step summary as a page that looks as GitHub shows it: Markdown by markdown-it, and some of GitHub's style."""

from __future__ import annotations

import html
import re

from markdown_it import MarkdownIt

_STYLE = """
body { margin: 0; padding: 24px; width: 832px; background: #fff; color: #1f2328;
  font: 14px/1.5 "Noto Sans", "DejaVu Sans", Helvetica, Arial, sans-serif; }
h2 { margin: 0 0 16px; padding-bottom: 6px; border-bottom: 1px solid #d1d9e0; font-size: 20px; }
h3 { margin: 20px 0 12px; font-size: 17px; }
p, ul, table, blockquote { margin: 0 0 14px; }
ul { padding-left: 28px; }
code { padding: 2px 5px; border-radius: 6px; background: #eff1f3; font: 12px "DejaVu Sans Mono", monospace; }
table { border-collapse: collapse; }
th, td { padding: 6px 13px; border: 1px solid #d1d9e0; text-align: left; }
th { font-weight: 600; }
tr:nth-child(2n) td { background: #f6f8fa; }
blockquote { padding: 0 14px; border-left: 4px solid #d1d9e0; }
blockquote.warning { border-color: #9a6700; }
"""
_ALERT = re.compile(r"<blockquote>\n<p>\[!(\w+)\]\n")


def page(markdown: str) -> str:
    """The whole page. Raw HTML stays, as GitHub keeps the few elements that summaries have."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = _ALERT.sub(
        lambda found: f'<blockquote class="{html.escape(found[1].lower())}"><p><b>{found[1].capitalize()}</b><br>', body
    )
    head = f'<meta charset="utf-8"><title>Summary</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}{body}</html>'
