"""What an answer's headers must say before its body is believed to be the object's: for S3 and plain HTTPS alike.

RFC 9110: 8.4 (Content-Encoding), 8.6 (Content-Length), 14.4 (Content-Range).
"""

from __future__ import annotations

import re

from aegis.adapters.objects.store_http import Reply
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults


def info_of(reply: Reply, key: str, where: str, *, version: str | None) -> ObjectInfo:
    """What the answer to a HEAD request tells. Without a length nobody could tell a cut transfer from a whole one."""
    _check_encoding(reply, where)
    length = reply.headers.get("content-length", "")
    if not re.fullmatch(r"[0-9]{1,15}", length):
        raise faults.failed(where, f"the store gives {length[:40]!r} as Content-Length")
    return ObjectInfo(key, int(length), version, reply.headers.get("etag"))


def check_body(reply: Reply, info: ObjectInfo, start: int, where: str, *, version: str | None) -> None:
    """Raise unless the body is this version of the object, as it is stored, from `start` to its end."""
    _check_encoding(reply, where)
    if info.version is not None and version != info.version:
        raise faults.changed(where, f"asked for version {info.version!r}, got {(version or 'none')[:200]!r}")
    etag = reply.headers.get("etag")
    if info.etag is not None and quoted(etag or "") != quoted(info.etag):
        raise faults.changed(where, f"its ETag was {info.etag[:100]!r}, and is {(etag or 'none')[:100]!r}")
    _check_range(reply, info, start, where)
    length = reply.headers.get("content-length")
    if length != str(info.size - start):
        raise faults.wrong_size(
            where, f"from byte {start} on, Content-Length is {(length or 'missing')[:40]}", info.size
        )


def quoted(etag: str) -> str:
    """The one form of an ETag, which some stores give without its quotation marks in listings."""
    return etag if etag.startswith(('"', "W/")) else f'"{etag}"'


def _check_range(reply: Reply, info: ObjectInfo, start: int, where: str) -> None:
    span = reply.headers.get("content-range")
    if not start and reply.status == 200 and span is None:
        return
    wanted = f"bytes {start}-{info.size - 1}/{info.size}"
    if reply.status != 206 or span != wanted or not start:
        got = f"status {reply.status} with Content-Range {(span or 'missing')[:80]!r}"
        raise faults.wrong_range(where, got, wanted if start else "the whole object, with status 200")


def _check_encoding(reply: Reply, where: str) -> None:
    encoding = reply.headers.get("content-encoding", "identity")
    if encoding.lower() not in {"identity", ""}:
        raise faults.encoded(where, encoding)
