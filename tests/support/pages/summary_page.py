"""A real step summary, and a page that looks as GitHub shows it: by markdown-it, and some of GitHub's style."""

from __future__ import annotations

import html
import re
import subprocess
import sys
from pathlib import Path

from markdown_it import MarkdownIt

from tests.support.scan.gitrepo import GitRepo

ROOT = Path(__file__).resolve().parents[3]

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


_BEFORE = {
    "src/shop/service.py": "from shop.storage import load\n\n\ndef model(name: str) -> bytes:\n    return load(name)\n",
    "Dockerfile": "FROM python:3.11-slim\nCOPY . /app\n",
}
_CHANGE = {
    "src/shop/service.py": (
        "import boto3\n\n\ndef model(name: str) -> bytes:\n"
        '    found = boto3.client("s3").get_object(Bucket="models", Key=name)\n'
        '    return found["Body"].read()\n'
    ),
    "Dockerfile": "FROM python:3.11-slim\nRUN pip install awscli && aws s3 sync s3://models /models\nCOPY . /app\n",
    "pyproject.toml": '[project]\nname = "shop"\nversion = "1"\ndependencies = ["google-cloud-storage==3.4.0"]\n',
}


def refused(folder: Path) -> str:
    """The summary of a scan over a change that uses two providers directly, in a repository made below a folder."""
    repo = GitRepo.init(folder / "shop")
    base = repo.commit({**_BEFORE, "aegis.yml": "version: 1\nscan: {}\n"})
    repo.commit(_CHANGE)
    told = subprocess.run(
        [sys.executable, "-m", "aegis", "scan", ".", "--base", base, "--output", str(folder / "out")],
        cwd=repo.root,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT / "src"), "HOME": str(Path.home())},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    if told.returncode != 1:
        raise AssertionError(f"the scan ended with {told.returncode}: {told.stdout}{told.stderr}")
    return (folder / "out" / "summary.md").read_text(encoding="utf-8")


def page(markdown: str) -> str:
    """The whole page. Raw HTML stays, as GitHub keeps the few elements that summaries have."""
    body = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown)
    body = _ALERT.sub(
        lambda found: f'<blockquote class="{html.escape(found[1].lower())}"><p><b>{found[1].capitalize()}</b><br>', body
    )
    head = f'<meta charset="utf-8"><title>Summary</title><style>{_STYLE}</style>'
    return f'<!doctype html><html lang="en">{head}{body}</html>'
