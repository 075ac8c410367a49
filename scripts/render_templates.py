"""Render templates/ into examples/consumer; `--check` says what differs and changes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = ROOT / "templates"
CONSUMER = ROOT / "examples" / "consumer"
VALUES = {
    "branch": "main",
    "minute": 23,
    "checkout": "actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2",
    "upload": "actions/upload-artifact@330a01c490aca151604b8cf639adc76d48f6c5d4 # v5.0.0",
    "download": "actions/download-artifact@018cc2cf5baa6db3ef3c5f8a56943fffe632ef53 # v6.0.0",
    "environment": "staging",
    "scan": "org/aegis/actions/scan@v1",
    "verify": "org/aegis/actions/verify@v1",
    "backup_check": "org/aegis/actions/backup-check@v1",
    "root": "org/aegis@v1",
}


def rendered() -> Iterator[tuple[Path, str]]:
    """Each file of the consumer that comes from a template, with its text."""
    # GitHub's own expressions use `{{`, so the templates' delimiters are others
    jinja = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        variable_start_string="[=",
        variable_end_string="=]",
        autoescape=False,  # noqa: S701 - the output is YAML, and every value stands in this file
    )
    for source in sorted(TEMPLATES.glob("workflows/*.j2")):
        text = jinja.get_template(source.relative_to(TEMPLATES).as_posix()).render(VALUES)
        yield CONSUMER / ".github" / "workflows" / source.stem, text


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="fail if a file differs from its template")
    check = parser.parse_args().check
    stale = [(place, text) for place, text in rendered() if not place.is_file() or place.read_text("utf-8") != text]
    for place, text in stale:
        print(f"{'differs' if check else 'written'}: {place.relative_to(ROOT)}")
        if not check:
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_text(text, "utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
