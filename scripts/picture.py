"""Make docs/pictures/summary.png: the step summary of a pull request that the scan gate refuses, as GitHub shows it.

    python scripts/picture.py [FILE]

The summary is a real one: of `aegis scan` in a repository that is made for it. Only the page around it is ours.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT), str(ROOT / "src")]

from tests.support.chromium import browser  # noqa: E402 - scripts run without being installed
from tests.support.gitrepo import GitRepo  # noqa: E402
from tests.support.summary_page import page  # noqa: E402

PICTURE = ROOT / "docs/pictures/summary.png"
_WIDTH = 880
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


def summary(folder: Path) -> str:
    """The Markdown of a run over a change that uses three providers directly."""
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
        raise SystemExit(f"the scan ended with {told.returncode}: {told.stdout}{told.stderr}")
    return (folder / "out" / "summary.md").read_text(encoding="utf-8")


def picture(markdown: str, folder: Path) -> bytes:
    """The summary as GitHub shows it, twice as fine as a screen."""
    file = folder / "summary.html"
    file.write_text(page(markdown), encoding="utf-8")
    with browser() as chromium, chromium.page(file.as_uri(), width=_WIDTH, height=200, scale=2) as shown:
        return shown.picture()


def main(target: Path) -> int:
    """Write the picture."""
    with tempfile.TemporaryDirectory() as scratch:
        target.write_bytes(picture(summary(Path(scratch)), Path(scratch)))
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURE))
