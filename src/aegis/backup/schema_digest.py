"""One digest for all definitions of a database: of what `pg_dump --schema-only` writes, as plain text."""

from __future__ import annotations

import hashlib
import re

_HEADER = re.compile(rb"-- Dumped (?:from database|by pg_dump) version [^\n]*\n|\\restrict ([A-Za-z0-9]+)\n")
"""What differs between two dumps of the same database, before the first statement."""


def schema_digest(dump: bytes) -> str:
    r"""SHA-256 in hex, without versions and the random word of `\restrict` (CVE-2025-8714).

    Comparable between databases of one major, dumped by one client. Only pg_dump's own lines are left out: the same
    words in the body of a function count.
    """
    start = re.search(rb"^SET ", dump, re.MULTILINE)
    head, body = (dump[: start.start()], dump[start.start() :]) if start else (dump, b"")
    for word in _HEADER.findall(head):
        if word:
            before, _, after = body.rpartition(b"\\unrestrict %b\n" % word)
            body = before + after
    return hashlib.sha256(_HEADER.sub(b"", head) + body).hexdigest()
