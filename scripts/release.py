"""What a release asks of a tag, and tells about its images.

`release.py check TAG` refuses a tag that is not this commit's version, or a commit that main does not have.
`release.py guarded FILE` refuses rulesets of the repository that let everybody who writes make or move a version's tag.
`release.py tell FOLDER` prints what was published, in Markdown, from the files `NAME.digest` that the builds left.
`release.py pin TAG` prints how workflows name this release by its commit, in Markdown.
`release.py name FOLDER` gives the images of that folder the version's name, if no other image has it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ("aegis", "aegis-backup", "aegis-backup-oci", "aegis-judge", "aegis-oci")
"""Every release has them all; the workflow's matrix builds them (a test compares)."""
DEMANDED = ("creation", "deletion", "update")
"""Types of rules. https://docs.github.com/en/rest/repos/rules"""
_EVERY_VERSION = ("refs/tags/v*", "~ALL")
"""Patterns under which v1 is, and v1.2.3 too."""
_SECONDS = 120.0
"""For one question to the registry."""
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_CALLED = re.compile(r"(?m)^ +workflow_call:|^on: .*\bworkflow_call\b")
"""A workflow that others may use as a job."""
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


def guarded(rulesets: Any) -> None:
    """Demand that only who is let past the rules makes, moves or takes away a tag of a version.

    A tag is what starts a release, with the workflow of its own commit, and v1 is what others run. `rulesets` are those
    for tags, each as `GET /repos/OWNER/NAME/rulesets/ID` tells it.
    """
    if not isinstance(rulesets, list) or not all(isinstance(one, dict) for one in rulesets):
        raise ReleaseError("the rulesets are no list of objects")
    held = {
        rule.get("type")
        for one in rulesets
        if one.get("target") == "tag" and one.get("enforcement") == "active"
        for names in [(one.get("conditions") or {}).get("ref_name") or {}]
        if set(_EVERY_VERSION) & set(names.get("include") or ()) and not names.get("exclude")
        for rule in one.get("rules") or ()
    }
    missing = [kind for kind in DEMANDED if kind not in held]
    if missing:
        raise ReleaseError(
            f"no active ruleset restricts {', '.join(missing)} of the tags {_EVERY_VERSION[0]}: whoever may push could "
            "be this workflow. Make one, and let only the releasers past it"
        )


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


def pinned(tag: str, commit: str, repository: str, root: Path = ROOT) -> str:
    """For people: each action and reusable workflow of `repository` by this commit, to be pasted.

    A tag may be another commit tomorrow for whoever reads it by name; a commit's id is its content.
    """
    if _TAG.fullmatch(tag) is None:
        raise ReleaseError(f"the tag is {tag!r}; expected v1.2.3")
    if _COMMIT.fullmatch(commit) is None:
        raise ReleaseError(f"the commit is {commit!r}; expected 40 hex digits")
    actions = [file.parent.relative_to(root).as_posix() for file in sorted(root.glob("actions/*/action.yml"))]
    flows = [
        file.relative_to(root).as_posix()
        for file in sorted((root / ".github" / "workflows").glob("*.yml"))
        if _CALLED.search(file.read_text("utf-8"))
    ]
    lines = [f"uses: {'/'.join(filter(None, (repository, path)))}@{commit} # {tag}" for path in ("", *actions, *flows)]
    return "\n".join(["Pinned:", "", "```yaml", *lines, "```", ""])


def name(found: Mapping[str, str], registry: str, tag: str) -> None:
    """Let `registry/IMAGE:tag` be these images. A name that is another image's already refuses them all."""
    todo = []
    for image in IMAGES:
        there = _named(f"{registry}/{image}:{tag}")
        if there is None:
            todo.append(image)
        elif there != found[image]:
            raise ReleaseError(f"{registry}/{image}:{tag} is {there} already, and a version never changes")
    for image in todo:
        own = f"{registry}/{image}"
        done = _docker("create", "--prefer-index=false", "--tag", f"{own}:{tag}", f"{own}@{found[image]}")
        if done.returncode != 0:
            raise ReleaseError(f"{own}:{tag} was not made: {_last(done.stderr)}")


def _named(reference: str) -> str | None:
    """The digest that a name stands for; none only where the registry says that there is no such name."""
    done = _docker("inspect", "--format", "{{ .Manifest.Digest }}", reference)
    if done.returncode == 0 and _DIGEST.fullmatch(done.stdout.strip()):
        return done.stdout.strip()
    if done.returncode != 0 and f" {_last(done.stderr)}".endswith(f" {reference}: not found"):
        return None
    # a registry that is down, or lets nobody in, may have it
    raise ReleaseError(f"whether there is a {reference} could not be learnt: {_last(done.stderr)}")


def _docker(*words: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "buildx", "imagetools", *words]
    try:
        return subprocess.run(command, check=False, capture_output=True, text=True, timeout=_SECONDS)
    except subprocess.TimeoutExpired as problem:
        raise ReleaseError(f"docker buildx imagetools {words[0]} took longer than {_SECONDS} s") from problem


def _last(told: str) -> str:
    lines = told.strip().splitlines()
    return lines[-1][:300] if lines else "it said nothing"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _git(root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["git", "-C", str(root), *words], check=False, capture_output=True, text=True, timeout=60)


def main() -> int:
    """Do what the words say."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("check").add_argument("tag")
    commands.add_parser("guarded").add_argument("rulesets", type=Path)
    pin = commands.add_parser("pin")
    pin.add_argument("tag")
    pin.add_argument("--commit", required=True)
    pin.add_argument("--repository", required=True, metavar="OWNER/NAME")
    told = commands.add_parser("tell")
    named = commands.add_parser("name")
    for command in (told, named):
        command.add_argument("folder", type=Path)
        command.add_argument("--registry", required=True)
    named.add_argument("--tag", required=True)
    options = parser.parse_args()
    try:
        if options.command == "check":
            print(check(options.tag))
        elif options.command == "guarded":
            guarded(json.loads(options.rulesets.read_text("utf-8")))
        elif options.command == "pin":
            print(pinned(options.tag, options.commit, options.repository), end="")
        elif options.command == "name":
            name(digests(options.folder), options.registry, options.tag)
        else:
            print(tell(digests(options.folder), options.registry), end="")
    except ReleaseError as problem:
        print(f"::error::{problem}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
