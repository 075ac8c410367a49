"""docs/troubleshooting.md: by reason code what one sees, what usually causes it, and what to do.

Cause and remedy are the registry's; docs/hints has for each code how the cause is found, written by hand; what one sees
is the problem of the gallery's example.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from aegis.core.codes import CODES, Code
from aegis.report.escape import markdown_code
from scripts.pages import gallery

ROOT = Path(__file__).resolve().parents[2]
HINTS = ROOT / "docs" / "hints"
PAGE = ROOT / "docs" / "troubleshooting.md"
_HEAD = """\
# Troubleshooting

By reason code: it stands in the summary of a red step, in a message on the terminal, in a line of a log. Search this
page for it. What each looks like as a whole is in the [gallery](gallery/README.md); `aegis explain CODE` says cause and
remedy on the terminal.

This page is generated from the registry (`aegis.core.codes`) and docs/hints; `make docs` writes it anew.
"""


def hints() -> dict[str, str]:
    """Code → its hint. Raises ValueError where one is not of its file's chapter or is no sentence."""
    found: dict[str, str] = {}
    for file in sorted(HINTS.glob("*.yml")):
        for code, hint in yaml.safe_load(file.read_text("utf-8")).items():
            if not (isinstance(hint, str) and hint.rstrip().endswith((".", '."')) and code.startswith(f"{file.stem}.")):
                raise ValueError(f"{file.name}: {code}: {hint!r} is no sentence, or stands in another code's file")
            found[code] = hint
    return found


def render() -> str:
    """The page."""
    told, examples = hints(), gallery.recorded()
    lines = [_HEAD]
    for prefix, codes in groupby(CODES.values(), key=lambda code: code.gate):
        lines += [f"## {prefix}", ""]
        for code in codes:
            lines += _section(code, told.get(code.id, ""), examples.get(code.id))
    return "\n".join(lines).rstrip("\n") + "\n"


def _section(code: Code, hint: str, example: Mapping[str, Any] | None) -> list[str]:
    seen = _seen(code, example) if example is not None else ""
    shown = f" You see, for example, {markdown_code(seen)}" if seen else ""
    return [
        f"### {code.id}",
        "",
        f"- **Symptom:** {code.title}.{shown} ([whole](gallery/{code.gate}.md#{_anchor(code.id)}))",
        f"- **Cause:** {code.why} {hint}".rstrip(),
        f"- **Remedy:** {code.remedy}",
        "",
    ]


def _seen(code: Code, example: Mapping[str, Any]) -> str:
    """The problem alone, on one line."""
    if "weakness" in example:
        text = str(example["weakness"]["message"])
    elif "finding" in example:
        text = str(example["finding"]["message"])
    elif "error" in example:
        text = str(example["error"]["problem"])
    elif "printed" in example:
        text = next(line for line in example["printed"]["text"].splitlines() if code.id in line)
    else:
        messages = [each["message"] for each in example["verdict"]["findings"] if each["rule"] == code.id]
        text = str(messages[0]).partition(" (expected: ")[0] if messages else ""
    line = " ".join(text.split())
    return line if len(line) <= 200 else f"{line[:200]} …"


def _anchor(heading: str) -> str:
    return heading.replace(".", "")
