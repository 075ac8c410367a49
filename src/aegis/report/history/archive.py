"""Verdicts in a ZIP archive, as GitHub hands artifacts out.

Nothing is unpacked to disk, and nothing is believed of what the archive says about itself: sizes are counted while they
are read, since a small archive can claim little and give much (https://www.bamsoftware.com/hacks/zipbomb/).
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable
from functools import partial

from aegis.core.errors import CouldNotDecide
from aegis.core.verdict import Verdict
from aegis.report.history.collected import NAME, Collected
from aegis.signatures.verdict_document import LIMIT

MOST_MEMBERS = 10_000
MOST_BYTES = 64 << 20
"""Of all verdicts of one archive, unpacked."""
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)
"""What `zipfile` raises for archives that are cut, changed or encrypted."""


def collect(name: str, archive: bytes, into: Collected, fits: Callable[[Verdict], str | None] | None = None) -> int:
    """Take every `verdict.json` of an archive; how many there were. `name`: the archive's, for people."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as opened:
            found = _members(opened)
            room = MOST_BYTES
            for member in found:
                content = _content(opened, member, room)
                room -= len(content)
                into.take(f"{name}: {member.filename}", partial(bytes, content), fits)
            return len(found)
    except _BROKEN as error:
        into.refuse(name, _unfit(f"the archive cannot be read: {type(error).__name__}"))
    except CouldNotDecide as error:
        into.refuse(name, error)
    return 0


def _members(opened: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Those that are verdicts, once every name was looked at."""
    every = opened.infolist()
    if len(every) > MOST_MEMBERS:
        raise _unfit(f"the archive has {len(every):,} members; at most {MOST_MEMBERS:,} are looked through")
    names = [member.filename for member in every]
    for given in names:
        parts = given.split("/")
        if given.startswith("/") or "\\" in given or ":" in given or ".." in parts or not given.isprintable():
            raise _unfit(f"the archive has a member {given[:200]!r}, whose name leads elsewhere")
    if len(set(names)) != len(names):
        raise _unfit("the archive has two members of one name")
    return [member for member in every if member.filename.rsplit("/", 1)[-1] == NAME]


def _content(opened: zipfile.ZipFile, member: zipfile.ZipInfo, room: int) -> bytes:
    """The member, of one that is too large only so much as shows that it is."""
    if member.compress_type not in _METHODS:
        raise _unfit(f"{member.filename!r} is packed by method {member.compress_type}")
    with opened.open(member) as file:
        content = file.read(min(LIMIT, room) + 1)
    if len(content) > room:
        raise _unfit(f"the archive unpacks to more than {MOST_BYTES:,} bytes of verdicts")
    return content


def _unfit(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "report.archive_unfit",
        problem,
        expected="an artifact as actions/upload-artifact makes it",
        remedy="Look who made it; nothing in it was read beyond this.",
    )
