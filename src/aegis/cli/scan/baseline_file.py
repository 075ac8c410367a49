"""`--write-baseline`: the file that lets through what a repository has today."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from aegis.adapters.git.repository import open_repository
from aegis.cli.scan.options import ScanOptions
from aegis.core.errors import CouldNotDecide, UsageError
from aegis.core.in_the_way import in_the_way
from aegis.gates.scan import baseline
from aegis.gates.scan.model import Use
from aegis.report.escape import terminal


def write(uses: Sequence[Use], name: Any, options: ScanOptions) -> int:
    """Write the uses to the file that the policy names, which must lie in the repository."""
    if not isinstance(name, str):
        raise UsageError(
            "scan.baseline_invalid",
            "the policy names no baseline",
            expected="`scan.baseline: PATH` in the policy file",
            remedy="add the key, then run this again",
        )
    repository, prefix = open_repository(Path(options.path))
    if prefix or options.base is not None:
        part = f"the folder {prefix!r}" if prefix else f"the changes since {options.base!r}"
        raise UsageError(
            "core.wrong_usage",
            f"--write-baseline beside {part} would leave out every other use",
            expected="a run over the whole repository",
            remedy=f"run it in {str(repository.root)!r} without --base",
        )
    target = _inside(repository.root, name)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, baseline.render(uses))
    except OSError as error:
        raise CouldNotDecide(
            "core.output_unwritable",
            f"cannot write {str(target)!r}: {error.strerror}",
            expected="a place that can be written",
            remedy="correct its permissions, or `scan.baseline` in the policy file",
        ) from error
    sys.stdout.write(f"{terminal(str(target))}: {len(uses)} uses\n")
    return 0


def _inside(root: Path, name: str) -> Path:
    """The file's place. The policy may be a stranger's: it must not choose a file outside, git's own, or a link."""
    parts = PurePosixPath(name).parts
    places = [root.joinpath(*parts[:count]) for count in range(1, len(parts) + 1)]
    if (
        not parts
        or name.startswith("/")
        or any(part == ".." or part.lower() == ".git" or not part.isprintable() for part in parts)
        or any(place.is_symlink() for place in places)
        or in_the_way(places[-1]) is not None
    ):
        raise UsageError(
            "scan.baseline_invalid",
            f"scan.baseline is {name!r}, where no baseline is written",
            expected="a file inside the repository, without `..` and not behind a symbolic link",
            remedy="correct `scan.baseline` in the policy file",
        )
    return places[-1]


def _replace(target: Path, content: bytes) -> None:
    """The whole file or nothing."""
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        draft.write_bytes(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)
