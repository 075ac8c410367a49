"""What S3 says in XML: listings and errors.

https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectVersions.html, …/API_ListObjectsV2.html,
…/ErrorResponses.html. Keys are asked for percent-encoded (`encoding-type=url`), since XML cannot hold every key; stores
that do not know that say nothing of an encoding.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import unquote_plus
from xml.parsers.expat import ExpatError

from aegis.core.ports.objects import ObjectInfo
from aegis.storage import faults

MAX_DOCUMENT = 4 * 1024 * 1024
"""Bytes; a page of 1,000 entries with the longest keys, all of it percent-encoded, has 3.7 MB."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a listing."""

    objects: tuple[ObjectInfo, ...]
    names: tuple[tuple[str, str], ...]
    """Key and version of everything on the page, old versions and delete markers too, as they came."""
    next: tuple[tuple[str, str], ...] | None
    """What the next request must say; None on the last page."""
    versions: bool
    """Whether the listing is one of versions."""


def parse_versions(document: bytes, where: str, prefix: str) -> Page:
    """A page of ListObjectVersions: the latest versions are the objects, unless deleted."""
    root = _root(document, "ListVersionsResult", where, prefix)
    objects, names = [], []
    for entry in root:
        if entry.tag not in {"Version", "DeleteMarker"}:
            continue
        key, version = _key(root, entry, where, prefix), _text(entry, "VersionId", where)
        names.append((key, version))
        if entry.tag == "Version" and _flag(entry, "IsLatest", where):
            # `null` names what was stored while the bucket kept no versions.
            objects.append(_object(entry, key, where, None if version == "null" else version))
    follow = None
    if _flag(root, "IsTruncated", where):
        # A page that ends between two keys has no version marker.
        marker = root.findtext("NextVersionIdMarker") or ""
        key = _decoded(root, _text(root, "NextKeyMarker", where), where)
        follow = (("key-marker", key), *((("version-id-marker", marker),) if marker else ()))
    return Page(tuple(objects), tuple(names), follow, versions=True)


def parse_objects(document: bytes, where: str, prefix: str) -> Page:
    """A page of ListObjectsV2, which tells no versions."""
    root = _root(document, "ListBucketResult", where, prefix)
    entries = [(entry, _key(root, entry, where, prefix)) for entry in root.iterfind("Contents")]
    follow = None
    if _flag(root, "IsTruncated", where):
        follow = (("continuation-token", _text(root, "NextContinuationToken", where)),)
    objects = tuple(_object(entry, key, where, None) for entry, key in entries)
    return Page(objects, tuple((key, "") for _, key in entries), follow, versions=False)


def parse_folders(document: bytes, where: str, prefix: str) -> tuple[tuple[str, ...], str | None]:
    """The folders on a page of ListObjectsV2 with the delimiter `/`, and how it goes on: None on the last page."""
    root = _root(document, "ListBucketResult", where, prefix)
    if _decoded(root, root.findtext("Delimiter") or "", where) != "/":
        raise faults.bad_listing(where, "the listing is not one of folders")
    found = []
    for entry in root.iterfind("CommonPrefixes"):
        folder = _decoded(root, _text(entry, "Prefix", where), where)
        name = folder.removeprefix(prefix)
        if not folder.startswith(prefix) or len(name) < 2 or name.find("/") != len(name) - 1:
            raise faults.bad_listing(where, f"the listing has the folder {folder[:200]!r}, which is elsewhere")
        found.append(folder)
    truncated = _flag(root, "IsTruncated", where)
    return tuple(found), _text(root, "NextContinuationToken", where) if truncated else None


def error_code(document: bytes) -> str:
    """S3's own word for an error, e.g. `NoSuchKey`; empty where there is none."""
    try:
        code = plain(document).findtext("Code", "")
    except (ElementTree.ParseError, ExpatError, ValueError):
        return ""
    return code if re.fullmatch(r"[A-Za-z0-9.]{1,64}", code) else ""


def plain(document: bytes) -> ElementTree.Element:
    """The document without namespaces, which S3-compatible stores use or leave out. No document type: S3 sends none.

    `ValueError` for other encodings than UTF-8 too, in which a document type could hide.
    """
    text = document.decode()
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise ValueError("a document type")
    root = ElementTree.fromstring(text)  # noqa: S314 - without a document type there is nothing to expand
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root


def _root(document: bytes, tag: str, where: str, prefix: str) -> ElementTree.Element:
    try:
        root = plain(document)
    except (ElementTree.ParseError, ExpatError, ValueError) as error:
        raise faults.bad_listing(where, "the listing cannot be read") from error
    if root.tag != tag:
        raise faults.bad_listing(where, f"the store answered with {root.tag[:60]!r}")
    if _decoded(root, root.findtext("Prefix") or "", where) != prefix:
        raise faults.bad_listing(where, "the listing is one of another prefix")
    return root


def _decoded(root: ElementTree.Element, text: str, where: str) -> str:
    encoding = root.findtext("EncodingType")
    if not encoding:
        return text
    try:
        if encoding == "url":
            return unquote_plus(text, errors="strict")
    except UnicodeDecodeError as error:
        raise faults.bad_listing(where, "the listing has a key that is not UTF-8") from error
    raise faults.bad_listing(where, f"the listing has the encoding {encoding[:40]!r}")


def _key(root: ElementTree.Element, entry: ElementTree.Element, where: str, prefix: str) -> str:
    key = _decoded(root, _text(entry, "Key", where), where)
    if not key.startswith(prefix):
        raise faults.bad_listing(where, f"the listing has {key[:200]!r}, which is elsewhere")
    return key


def _object(entry: ElementTree.Element, key: str, where: str, version: str | None) -> ObjectInfo:
    size = _text(entry, "Size", where)
    if not re.fullmatch(r"[0-9]{1,15}", size):
        raise faults.bad_listing(where, f"the listing gives {size[:40]!r} as a size")
    return ObjectInfo(key, int(size), version, _text(entry, "ETag", where))


def _flag(element: ElementTree.Element, name: str, where: str) -> bool:
    text = _text(element, name, where)
    if text not in {"true", "false"}:
        raise faults.bad_listing(where, f"the listing gives {text[:40]!r} as {name}")
    return text == "true"


def _text(element: ElementTree.Element, name: str, where: str) -> str:
    found = element.findall(name)
    if len(found) != 1 or not found[0].text:
        raise faults.bad_listing(where, f"the listing has {len(found)} of {name}, where one is needed")
    return found[0].text


def repeated(seen: set[tuple[str, str]], names: Iterable[tuple[str, str]]) -> str | None:
    """The first key of a page that the pages before it, or the page itself, had already. Adds them to what was seen."""
    for name in names:
        if name in seen:
            return name[0]
        seen.add(name)
    return None
