"""Whether a secret stands in a log or in a file, byte by byte."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from tests.support.actions.act import Run

WHEELS = ("site-packages", "uv-cache")
"""Folders of files that were installed by their hashes, before there was any secret but the request token."""


def without_masks(run: Run) -> bytes:
    """All that act said of a run, but for the commands by which GitHub's runner learns what to hide.

    Meaningful only for a run with `--insecure-secrets`: act hides what it was told to hide, as GitHub does.
    """
    kept = [record for record in run.records if record.get("command") != "add-mask"]
    return json.dumps(kept, ensure_ascii=False).encode() + run.stderr.encode()


def secrets_in(secrets: Collection[str], log: bytes, places: Sequence[Path]) -> list[str]:
    """Where one was found; of the secret itself only its beginning."""
    forms = [(secret, form) for secret in dict.fromkeys(filter(None, secrets)) for form in _forms(secret)]
    found = {
        f"{secret[:6]}… in {name}"
        for name, content in _everything(log, places)
        for secret, form in forms
        if form in content
    }
    return sorted(found)


def _forms(secret: str) -> set[bytes]:
    plain = secret.encode()
    # without the last characters, which depend on what follows
    encoded = base64.b64encode(plain)[: len(plain) // 3 * 4]
    return {plain, encoded, quote(secret, safe="").encode(), json.dumps(secret)[1:-1].encode()}


def _everything(log: bytes, places: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    yield "the log", log
    for place in places:
        # links are not followed
        for folder, folders, names in os.walk(place):
            folders[:] = [name for name in folders if name not in WHEELS]
            for name in names:
                file = Path(folder, name)
                if file.is_file() and not file.is_symlink():
                    yield str(file), file.read_bytes()
