"""`--output DIR`: a verdict in all its file forms, written so that a reader finds either the whole or nothing."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from aegis.core.errors import CouldNotDecide
from aegis.core.in_the_way import in_the_way
from aegis.core.verdict import Verdict
from aegis.report import json_report, markdown, predicate, sarif

NAMES = ("verdict.sarif", "summary.md", "predicate.json", "subjects.txt", "verdict.json")
"""`verdict.json` last: whoever finds it finds the others."""


def write_all(verdict: Verdict, directory: Path, root: Path | None = None) -> dict[str, Path]:
    """Write the files and say where each is.

    `root` is the checkout: a folder inside it must not lead out of it by a symbolic link that a change brought along.
    """
    contents = _contents(verdict)
    try:
        _refuse_links(directory, root)
        directory.mkdir(parents=True, exist_ok=True)
        _refuse_links(directory, root)
        for name in NAMES:
            _replace(directory / name, contents.get(name))
    except OSError as error:
        raise _unwritable(f"cannot write {error.filename or directory}: {error.strerror}") from error
    return {name: directory / name for name in contents}


def _contents(verdict: Verdict) -> dict[str, bytes]:
    document = json_report.render(verdict)
    contents = {
        "verdict.json": document,
        "summary.md": markdown.render(verdict).encode(),
        "predicate.json": predicate.render(verdict, document),
        "subjects.txt": predicate.subjects(verdict, document),
    }
    if verdict.gate in {"scan", "all"} or any(finding.path for finding in verdict.findings):
        contents["verdict.sarif"] = sarif.render(verdict)
    return contents


def _refuse_links(directory: Path, root: Path | None) -> None:
    if directory.is_symlink():
        raise _unwritable(f"{directory} is a symbolic link")
    if root is not None:
        written = Path(os.path.abspath(directory))  # noqa: PTH100 - `resolve` would follow the links in question
        inside = written.is_relative_to(Path(os.path.abspath(root)))  # noqa: PTH100 - the same
        if inside and not directory.resolve().is_relative_to(root.resolve()):
            raise _unwritable(f"{directory} leads out of {root} to {directory.resolve()}")


def _replace(target: Path, content: bytes | None) -> None:
    """Put the content there in one step; without content, take away what an earlier run left."""
    if (kind := in_the_way(target)) is not None:
        raise _unwritable(f"{target} is {kind}")
    if content is None:
        target.unlink(missing_ok=True)
        return
    draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    try:
        with draft.open("xb") as file:
            file.write(content)
        draft.replace(target)
    finally:
        draft.unlink(missing_ok=True)


def _unwritable(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "core.output_unwritable",
        problem,
        expected="a folder that can be written, in which the reports are regular files or missing",
        remedy="Name another folder in `--output`.",
    )
