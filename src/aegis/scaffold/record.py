"""What was written, kept in the repository: the choices, and each file as it left us.

With it a later version can tell a person's edits from its own words, and merge the two.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import msgspec

import aegis
from aegis.core.errors import UsageError
from aegis.core.typed import convert
from aegis.scaffold.choices import Choices, check
from aegis.scaffold.files import OURS

PATH = ".github/aegis-init.json"
_MAX_BYTES = 4 << 20


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's form, version 1."""

    version: int
    aegis: str
    choices: dict[str, Any]
    files: dict[str, tuple[str, ...]]
    """Lines, so that a change of it can be read in a review."""
    kept: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """The last writing."""

    choices: Choices
    files: Mapping[str, str]
    """Text by path; of CODEOWNERS our own lines."""
    kept: frozenset[str] = frozenset()
    """Paths that the owner writes himself."""


def dump(record: Record) -> str:
    """As it stands in the repository: the same record, the same bytes."""
    choices = {key: value for key, value in asdict(record.choices).items() if value not in (None, (), False)}
    document = {
        "version": 1,
        "aegis": aegis.__version__,
        "choices": choices,
        "files": {path: record.files[path].splitlines(keepends=True) for path in sorted(record.files)},
        "kept": sorted(record.kept),
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def load(data: bytes) -> Record:
    """Read it. UsageError `init.record_invalid` for anything else."""
    try:
        if len(data) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        document = convert(json.loads(data), _Document)
        if document.version != 1:
            raise ValueError(f"version {document.version}")
        if foreign := sorted({*document.files, *document.kept} - OURS):
            raise ValueError(f"{foreign[0][:100]!r} is none of the files that are ever written")
        choices = _choices(document.choices)
    except (ValueError, RecursionError, msgspec.ValidationError) as error:
        raise UsageError(
            "init.record_invalid",
            f"{PATH} is not what was written: {str(error)[:200]}",
            expected="the file as `aegis init` left it, version 1",
            remedy="Restore it from git, or delete it and run `aegis init` again.",
        ) from error
    files = {path: "".join(lines) for path, lines in document.files.items()}
    return Record(check(choices), files, frozenset(document.kept))


def _choices(written: Mapping[str, Any]) -> Choices:
    """Strictly: a key that this version does not know may be a rule that it would drop."""
    unknown = set(written) - set(Choices.__dataclass_fields__)
    if unknown:
        raise ValueError(f"unknown choice {sorted(unknown)[0]!r}")
    return convert(dict(written), Choices)
