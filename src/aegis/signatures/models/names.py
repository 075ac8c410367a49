"""Names of files in manifests and listings: refused unless they mean one file below the folder, on every system.

A name that one system takes for another file, or for one outside of the folder, lets a signed name bring in unsigned
bytes: CVE-2021-41131 (python-tuf), CVE-2026-24686 (go-tuf), CVE-2024-37032 (Ollama). So the rules of POSIX, Windows
and macOS hold together, wherever the gate runs; what is refused here could not be unpacked everywhere anyway.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from aegis.core.errors import Refused
from aegis.signatures.shown import shown

MAX_PART = 255
"""Bytes of one part: `NAME_MAX` of Linux, and the limit of NTFS and APFS."""
MAX_NAME = 1024
"""Bytes of the whole name: the longest key of S3 and of OCI Object Storage."""

_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)
"""Windows opens a device for these, with any ending (learn.microsoft.com, "Naming Files, Paths, and Namespaces")."""
_DRIVE = re.compile(r"[A-Za-z]:")
_BIDIRECTIONAL = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They make a name look like another one (CVE-2021-42574)."""


def check_name(name: str) -> None:
    """Refuse with `verify.unsafe_name` what is no plain relative name with `/` between its parts."""
    problem = _problem(name)
    if problem:
        raise _unsafe(name, problem)
    for part in name.split("/"):
        problem = _problem_of_part(part)
        if problem:
            raise _unsafe(name, problem)


def check_names(names: Iterable[str]) -> None:
    """Check each name, and that all of them can lie in one folder on every system.

    Refuses with `verify.duplicate_name` a name that stands twice, two that differ only in case or in the composition
    of their characters (NFC, NFD), and a file that is also a folder.
    """
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        check_name(name)
        _claim(files, name, again=False)
        for end in (at for at, character in enumerate(name) if character == "/"):
            _claim(folders, name[:end], again=True)
    for key in files.keys() & folders.keys():
        raise _twins(files[key], f"{folders[key]}/", "one is a file, and the other a folder of the same name")


def _problem(name: str) -> str | None:
    try:
        size = len(name.encode("utf-8"))
    except UnicodeEncodeError:
        return "is not UTF-8"
    if size > MAX_NAME:
        return f"has {size} bytes, and {MAX_NAME} are the most"
    if name.startswith("/"):
        return "is absolute"
    if "\\" in name:
        return "has a backslash, which separates folders on Windows"
    if not name.isprintable():
        # Cc: control characters; Zl, Zp: separators of lines and paragraphs, which break a log's line.
        for character in name:
            if unicodedata.category(character) in {"Cc", "Zl", "Zp"} or character in _BIDIRECTIONAL:
                return f"has the control character U+{ord(character):04X}"
    return None


def _problem_of_part(part: str) -> str | None:
    if not part:
        return "has an empty part"
    if part in {".", ".."}:
        return f"has the part {part!r}, which is another folder"
    if part[-1] in {".", " "}:
        return "has a part that ends in a dot or space, which Windows drops"
    if _DRIVE.match(part):
        return "has a drive letter"
    if part.partition(".")[0].rstrip(" ").lower() in _DEVICES:
        return "has the name of a Windows device"
    if len(part.encode()) > MAX_PART:
        return f"has a part of {len(part.encode())} bytes, and {MAX_PART} are the most"
    return None


def _claim(taken: dict[str, str], spelling: str, *, again: bool) -> None:
    """Note a spelling; `again`: it may come again, as a folder does with each of its files."""
    key = _folded(spelling)
    before = taken.get(key)
    if before is None:
        taken[key] = spelling
    elif before != spelling:
        raise _twins(before, spelling, "they differ only in case or in the composition of characters")
    elif not again:
        raise _twins(before, spelling, "it stands there twice")


def _folded(name: str) -> str:
    """Equal for names that a file system may take for one (canonical caseless match, Unicode 3.13 D145)."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFD", unicodedata.normalize("NFD", name).casefold())


def _unsafe(name: str, problem: str) -> Refused:
    return Refused(
        "verify.unsafe_name",
        f"the name {shown(name)} {problem}",
        expected="a relative name of plain parts with `/` between them",
        remedy="Rename the file and sign again; if you did not expect this, treat the store as compromised.",
    )


def _twins(one: str, other: str, problem: str) -> Refused:
    return Refused(
        "verify.duplicate_name",
        f"the names {shown(one)} and {shown(other)} mean one file: {problem}",
        expected="names that are different files on every system",
        remedy="Rename or remove one of them and sign again.",
    )
