"""What a release asks of a tag, and tells about its images.

`release.py check TAG` refuses a tag that is not this commit's version, or a commit that main does not have.
`release.py tell FOLDER` prints what was published, in Markdown, from the files `NAME.digest` that the builds left.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ("aegis", "aegis-backup", "aegis-backup-oci", "aegis-judge", "aegis-oci")
"""Every release has them all; the workflow's matrix builds them (a test compares)."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_TAG = re.compile(r"v((?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*)\.(?:0|[1-9][0-9]*))")


class ReleaseError(Exception):
    """A release that must not be."""


def check(tag: str, root: Path = ROOT) -> str:
    """The version of a tag that may be released. `root` is its checkout, with the history of main."""
    found = _TAG.fullmatch(tag)
    if found is None:
        raise ReleaseError(f"the tag is {tag!r}; expected v1.2.3")
    text = (root / "src" / "aegis" / "__init__.py").read_text("utf-8")
    stated = re.search(r'(?m)^__version__ = "([^"]+)"$', text)
    if stated is None or stated[1] != found[1]:
        raise ReleaseError(
            f"the tag is {tag}, and the version of src/aegis/__init__.py {stated[1] if stated else 'missing'}"
        )
    if not re.search(rf"(?m)^## \[{re.escape(found[1])}\]", (root / "CHANGELOG.md").read_text("utf-8")):
        raise ReleaseError(f"CHANGELOG.md has no section [{found[1]}]")
    if _git(root, "merge-base", "--is-ancestor", "HEAD", "origin/main").returncode != 0:
        raise ReleaseError("the commit is not on main: only what was reviewed is released")
    tags = _git(root, "tag", "--list", "v*")
    others = [_TAG.fullmatch(name) for name in tags.stdout.split()]
    own = _numbers(found[1])
    newest = max((_numbers(one[1]) for one in others if one and _numbers(one[1])[0] == own[0]), default=own)
    if own < newest:
        # whoever follows the moving tag of the major version would go back
        raise ReleaseError(f"{tag} is older than v{'.'.join(map(str, newest))}, which was released already")
    return found[1]


def digests(folder: Path) -> Mapping[str, str]:
    """Of each image, as its build told it."""
    told = {file.stem: file.read_text("utf-8").strip() for file in folder.glob("*.digest")}
    for name in sorted({*IMAGES, *told}):
        if name not in told:
            raise ReleaseError(f"no digest of {name} in {folder}: it was not built")
        if name not in IMAGES:
            raise ReleaseError(f"{folder} has a digest of {name}, which is no image of a release")
        if _DIGEST.fullmatch(told[name]) is None:
            raise ReleaseError(f"the digest of {name} is {told[name][:100]!r}; expected sha256: and 64 hex digits")
    return told


def tell(found: Mapping[str, str], registry: str) -> str:
    """For people: what to write where. `registry` is `host/owner`."""
    lines = ["| image | |", "|---|---|", *(f"| `{name}` | `{registry}/{name}@{found[name]}` |" for name in IMAGES), ""]
    for cloud, service, backup in (("aws", "aegis", "aegis-backup"), ("oci", "aegis-oci", "aegis-backup-oci")):
        lines += [
            "```sh",
            f"aegis render values --from infra/terraform/overlays/{cloud} --to helm/values.{cloud}.yaml \\",
            f"  --image-digest {found[service]} \\",
            f"  --backup-image-digest {found[backup]}",
            "```",
        ]
    return "\n".join(lines) + "\n"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *words], check=False, capture_output=True, text=True, timeout=60)


def main() -> int:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("tag")
    told = commands.add_parser("tell")
    told.add_argument("folder", type=Path)
    told.add_argument("--registry", required=True)
    options = parser.parse_args()
    try:
        if options.command == "check":
            print(check(options.tag))
        else:
            print(tell(digests(options.folder), options.registry), end="")
    except ReleaseError as problem:
        print(f"::error::{problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
