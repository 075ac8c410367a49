"""Criteria of a run that was broken off: what was decided about the same things is not looked at again.

Only an answer (pass or fail) is kept, only of a commit without uncommitted changes, and only while the files of its
probes are the ones that were hashed then.
"""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

import msgspec

from aegis.acceptance import files
from aegis.acceptance.catalogue import LoadedCatalogue, Mode
from aegis.acceptance.evidence import encode
from aegis.acceptance.result import CriterionResult
from aegis.core import typed
from aegis.core.errors import AegisError
from aegis.signatures import strict_json

FILE: Final = "criterion.json"
_MAX: Final = 8 << 20


class Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`criterion.json`."""

    key: str
    result: CriterionResult
    files: tuple[files.File, ...]


def key_of(
    *, commit: str | None, uncommitted: bool, catalogue: LoadedCatalogue, mode: Mode, config: bytes | None, tool: str
) -> str | None:
    """What an answer depends on, as one digest; None where the tree is no commit, and nothing may be kept."""
    if commit is None or uncommitted:
        return None
    parts: dict[str, Any] = {"commit": commit, "catalogue": catalogue.sha256, "mode": mode, "tool": tool}
    parts["config"] = None if config is None else hashlib.sha256(config).hexdigest()
    return hashlib.sha256(encode(parts)).hexdigest()


def keep(folder: Path, key: str | None, result: CriterionResult) -> None:
    """Remember an answer beside the files that it rests on."""
    if key is None or result.status not in ("pass", "fail"):
        return
    place = folder / result.id
    listed = files.hashed(place)
    document = {
        "key": key, "result": msgspec.to_builtins(result), "files": [asdict(file) for file in listed],
    }  # fmt: skip
    files.write(place / FILE, encode(document))


def kept(folder: Path, key: str | None, criterion: str) -> CriterionResult | None:
    """The answer about the same things, if it was kept and its files are whole."""
    place = folder / criterion
    if key is None or not (place / FILE).is_file():
        return None
    try:
        found = typed.convert(strict_json.parse(files.read_regular(place / FILE, _MAX), what=FILE, limit=_MAX), Kept)
        whole = files.hashed(place, (FILE,)) == found.files
    except (AegisError, msgspec.ValidationError):
        return None  # it is looked at again
    if found.key != key or not whole or found.result.id != criterion or found.result.status not in ("pass", "fail"):
        return None
    return replace(found.result, kept=True)
