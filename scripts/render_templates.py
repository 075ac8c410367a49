"""Render templates/ into examples/consumer; `--check` says what differs and changes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "src"))

from aegis.scaffold import templates, workflows  # noqa: E402 - the source tree must be found first
from aegis.scaffold.choices import Artifact, Choices  # noqa: E402

TEMPLATES = ROOT / "templates"
CONSUMER = ROOT / "examples" / "consumer"
CHOICES = Choices(
    gates=("scan", "verify", "canary", "backup-check"),
    repository="octo/shop-ml",
    artifacts=(Artifact("ranking", "s3://octo-models-staging/ranking/"),),
)


def rendered() -> Iterator[tuple[Path, str]]:
    """Each file of the consumer that comes from a template, with its text."""
    values = workflows.values(CHOICES, minute=23)
    for source in sorted(TEMPLATES.glob("workflows/*.j2")):
        text = templates.render(source.relative_to(TEMPLATES).as_posix(), values)
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
