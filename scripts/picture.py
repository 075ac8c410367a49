"""Make docs/pictures/summary.png: the step summary of a pull request that the scan gate refuses, as GitHub shows it.

    python scripts/picture.py [FILE]

The summary is a real one: of `aegis scan` in a repository that is made for it. Only the page around it is ours.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "src")]

from tests.support.pages.summary_page import page, refused  # noqa: E402
from tests.support.programs.chromium import browser  # noqa: E402 - scripts run without being installed

PICTURE = ROOT / "docs/pictures/summary.png"
_WIDTH = 880


def picture(markdown: str, folder: Path) -> bytes:
    """The summary as GitHub shows it, twice as fine as a screen."""
    file = folder / "summary.html"
    file.write_text(page(markdown), encoding="utf-8")
    with browser() as chromium, chromium.page(file.as_uri(), width=_WIDTH, height=200, scale=2) as shown:
        return shown.picture()


def main(target: Path) -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        target.write_bytes(picture(refused(Path(scratch)), Path(scratch)))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE))
