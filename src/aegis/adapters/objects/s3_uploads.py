"""What S3 and its clients say to each other about uploads in parts.

https://docs.aws.amazon.com/AmazonS3/latest/API/: API_CreateMultipartUpload.html, API_CompleteMultipartUpload.html,
API_ListMultipartUploads.html.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from xml.parsers.expat import ExpatError
from xml.sax.saxutils import escape

from aegis.adapters.objects.s3_documents import error_code, plain
from aegis.storage import faults


def parts_document(etags: Mapping[int, str]) -> bytes:
    """The list of all parts, in order, that ends an upload."""
    parts = (
        f"<Part><PartNumber>{number}</PartNumber><ETag>{escape(etag)}</ETag></Part>"
        for number, etag in sorted(etags.items())
    )
    return f"<CompleteMultipartUpload>{''.join(parts)}</CompleteMultipartUpload>".encode()


def parse_started(document: bytes, where: str) -> str:
    """The id of an upload that has begun."""
    upload = _root(document, "InitiateMultipartUploadResult", where).findtext("UploadId", "")
    if not upload:
        raise faults.failed(where, "the store began an upload without an id")
    return upload


def parse_completed(document: bytes, where: str) -> None:
    """Raise unless the upload has become an object: S3 may say 200 first, and then an error."""
    code = error_code(document)
    if code:
        raise faults.failed(where, f"200 {code}")
    _root(document, "CompleteMultipartUploadResult", where)


def parse_uploads(document: bytes, where: str) -> list[tuple[str, str]]:
    """Key and id of uploads that wait for their end: the first thousand."""
    root = _root(document, "ListMultipartUploadsResult", where)
    return [(entry.findtext("Key", ""), entry.findtext("UploadId", "")) for entry in root.iterfind("Upload")]


def _root(document: bytes, tag: str, where: str) -> ElementTree.Element:
    try:
        root = plain(document)
    except (ElementTree.ParseError, ExpatError, ValueError) as error:
        raise faults.failed(where, "the store's answer cannot be read") from error
    if root.tag != tag:
        raise faults.failed(where, f"the store answered with {root.tag[:60]!r}")
    return root
