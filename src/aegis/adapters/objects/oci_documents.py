"""What OCI Object Storage says in JSON: listings and errors.

https://docs.oracle.com/en-us/iaas/api/#/en/objectstorage/20160918/ListObjects/,
…/ObjectVersionCollection/ListObjectVersions, https://docs.oracle.com/en-us/iaas/Content/API/References/apierrors.htm
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults

MAX_DOCUMENT = 16 * 1024 * 1024
"""Bytes; a page of 1,000 entries with the longest escaped names has about 7 MB."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing."""

    objects: tuple[ObjectInfo, ...]
    next: str | None
    """The name with which the next page starts; None on the last page."""


def parse_objects(document: bytes, where: str, prefix: str) -> Page:
    """A page of ListObjects."""
    fields = _object(document, where)
    objects = tuple(_summary(entry, where, prefix) for entry in _entries(fields, "objects", where))
    following = fields.get("nextStartWith")
    if following is not None and (not isinstance(following, str) or not following):
        raise faults.bad_listing(where, "the listing does not say how it goes on")
    return Page(objects, following)


def parse_folders(document: bytes, where: str, prefix: str) -> tuple[tuple[str, ...], str | None]:
    """The folders on a page of ListObjects with the delimiter `/`, and with which name the next one starts."""
    fields = _object(document, where)
    folders = [] if fields.get("prefixes") is None else fields["prefixes"]
    following = fields.get("nextStartWith")
    if not isinstance(folders, list) or not isinstance(fields.get("objects"), list):
        raise faults.bad_listing(where, "the listing has no folders")
    if following is not None and (not isinstance(following, str) or not following):
        raise faults.bad_listing(where, "the listing does not say how it goes on")
    for folder in folders:
        name = folder.removeprefix(prefix) if isinstance(folder, str) and folder.startswith(prefix) else ""
        if len(name) < 2 or name.find("/") != len(name) - 1:
            raise faults.bad_listing(where, f"the listing has the folder {str(folder)[:200]!r}, which is elsewhere")
    return tuple(folders), following


def parse_versions(document: bytes, where: str, prefix: str) -> tuple[tuple[str, str, str], ...]:
    """Key, ETag and version of a page of ListObjectVersions; without what has no version or was deleted."""
    found = []
    for entry in _entries(_object(document, where), "items", where):
        version, deleted = entry.get("versionId"), entry.get("isDeleteMarker")
        if deleted is not None and not isinstance(deleted, bool):
            raise faults.bad_listing(where, "the listing does not say what is deleted")
        if version is None or deleted:
            continue
        info = _summary(entry, where, prefix)
        if not isinstance(version, str) or not version:
            raise faults.bad_listing(where, f"the listing has no version of {info.key[:200]!r}")
        found.append((info.key, info.etag or "", version))
    return tuple(found)


def parse_started(document: bytes, where: str, key: str) -> str:
    """The id of an upload in parts that CreateMultipartUpload has begun."""
    try:
        ((found, upload),) = parse_uploads(b"[%b]" % document, where)
    except (CouldNotDecide, ValueError) as error:
        raise faults.failed(where, "the store began an upload without an id") from error
    if found != key:
        raise faults.failed(where, f"the store began an upload of {found[:200]!r}")
    return upload


def parse_uploads(document: bytes, where: str) -> tuple[tuple[str, str], ...]:
    """Key and id of the uploads on a page of ListMultipartUploads."""
    try:
        found = [(each["object"], each["uploadId"]) for each in json.loads(document)]
    except (ValueError, RecursionError, TypeError, KeyError) as error:
        raise faults.bad_listing(where, "the listing has no uploads") from error
    if not all(isinstance(part, str) and part for each in found for part in each):
        raise faults.bad_listing(where, "the listing tells of an upload without its object or id")
    return tuple(found)


def error_code(document: bytes) -> str:
    """OCI's own word for an error, e.g. `ObjectNotFound`; empty where there is none."""
    try:
        code = json.loads(document).get("code")
    except (ValueError, RecursionError, AttributeError):
        return ""
    return code if isinstance(code, str) and re.fullmatch(r"[A-Za-z0-9.]{1,64}", code) else ""


def _object(document: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(document, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise faults.bad_listing(where, "the listing cannot be read") from error
    if not isinstance(value, dict):
        raise faults.bad_listing(where, "the listing cannot be read")
    return value


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice")
    return value


def _entries(fields: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    entries = fields.get(name)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise faults.bad_listing(where, f"the listing has no {name}")
    if fields.get("prefixes"):
        raise faults.bad_listing(where, "the listing holds prefixes, which nobody asked for")
    return entries


def _summary(entry: dict[str, Any], where: str, prefix: str) -> ObjectInfo:
    key, size, etag = entry.get("name"), entry.get("size"), entry.get("etag")
    if not isinstance(key, str) or not key.startswith(prefix) or not key:
        raise faults.bad_listing(where, f"the listing has {str(key)[:200]!r}, which is elsewhere")
    if isinstance(size, bool) or not isinstance(size, int) or not 0 <= size < 10**15:
        raise faults.bad_listing(where, f"the listing gives {str(size)[:40]!r} as the size of {key[:200]!r}")
    if not isinstance(etag, str) or not re.fullmatch(r"[!-~]{1,200}", etag):
        raise faults.bad_listing(where, f"the listing gives no ETag of {key[:200]!r}")
    return ObjectInfo(key, size, None, etag)
