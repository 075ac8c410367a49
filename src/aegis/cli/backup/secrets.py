"""The secrets of `aegis backup`: a database's address, and the keys that open backups. Never from arguments."""

from __future__ import annotations

import argparse
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aegis.cli.files import open_file
from aegis.cli.masking import masker
from aegis.core.errors import UsageError

if TYPE_CHECKING:
    from aegis.adapters.age import Identities

_URL: Final = "AEGIS_DATABASE_URL"
_SERVICE_S: Final = "DATABASE_URL"
"""Which the service reads too."""
SOURCE: Final = (_URL, _SERVICE_S)
"""Variables with the address of what is backed up, the first one first."""
TARGET: Final = (_URL,)
"""The same of what is restored into: in a shell of the service, its variable names the live database."""
IDENTITY = "AEGIS_AGE_IDENTITY"
IDENTITY_FILE = "AEGIS_AGE_IDENTITY_FILE"
_LIMIT = 1 << 16
"""Bytes of such a file."""


def add_url_argument(parser: argparse.ArgumentParser, variables: Sequence[str]) -> None:
    """Where the database is: `SOURCE` or `TARGET`."""
    parser.add_argument(
        "--database-url-file", metavar="FILE", type=Path,
        help=f"holds the database's address, for nobody else to read (default: {' or '.join(variables)} of the"
        " environment)",
    )  # fmt: skip


def add_identity_argument(parser: argparse.ArgumentParser) -> None:
    """What opens encrypted backups."""
    parser.add_argument(
        "--identity-file", metavar="FILE", type=Path,
        help=f"age's secret keys, for nobody else to read (default: the file that {IDENTITY_FILE} names, or {IDENTITY}"
        " itself)",
    )  # fmt: skip


def database_url(file: Path | None, environ: Mapping[str, str], variables: Sequence[str]) -> str:
    """The address, which may hold a password: of the file, else of the first of the variables that is set.

    UsageError where there is none.
    """
    named = (environ[name] for name in variables if environ.get(name))
    url = _private(file) if file is not None else next(named, "")
    if not url.strip():
        ignored = environ.get(_SERVICE_S) and _SERVICE_S not in variables
        raise UsageError(
            "core.wrong_usage",
            f"there is no address of a database: {_URL} is not set"
            + (f"; {_SERVICE_S} is the service's own, and is not taken for this" if ignored else ""),
            expected="postgresql://USER@HOST:PORT/NAME",
            remedy=f"set {_URL}, or name a file by --database-url-file. Runs for forks get no secrets.",
        )
    masker(environ)(url.strip())
    return url.strip()


def read_identities(file: Path | None, environ: Mapping[str, str]) -> Identities | None:
    """The keys that were given; None where there are none, and no encrypted backup can be opened."""
    from aegis.adapters.age import parse_identities

    named = file or (Path(environ[IDENTITY_FILE]) if environ.get(IDENTITY_FILE) else None)
    if named is not None:
        return parse_identities(_private(named), what=str(named))
    text = environ.get(IDENTITY, "")
    if not text.strip():
        return None
    for line in text.splitlines():
        if line.strip():
            masker(environ)(line.strip())
    return parse_identities(text, what=IDENTITY)


def _private(file: Path) -> str:
    """A file's text, if nobody else can read or change it."""
    try:
        with open_file(file) as opened:
            about = os.fstat(opened.fileno())
            if about.st_mode & 0o077 or about.st_uid not in {0, os.geteuid()}:
                raise _exposed(file, stat.filemode(about.st_mode))
            content = opened.read(_LIMIT + 1)
    except OSError as error:
        raise UsageError(
            "core.wrong_usage",
            f"{str(file)!r} cannot be read: {error.strerror}",
            expected="a file",
            remedy="correct the argument",
        ) from error
    text = content.decode("utf-8", "replace")
    if len(content) > _LIMIT or "\ufffd" in text:
        raise UsageError(
            "core.wrong_usage",
            f"{str(file)!r} holds {'more than ' if len(content) > _LIMIT else ''}{len(content)} bytes of no text",
            expected=f"at most {_LIMIT} bytes of UTF-8",
            remedy="correct the argument",
        )
    return text


def _exposed(file: Path, mode: str) -> UsageError:
    return UsageError(
        "backup_check.secret_exposed",
        f"{str(file)!r} holds a secret and has the mode {mode}",
        expected="a file of this user (or root) that nobody else can read or write, e.g. of mode 0600",
        remedy="chmod 600 it, and change the secret if others may have read it",
    )
