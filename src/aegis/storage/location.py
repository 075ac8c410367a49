"""Where an artifact is, as a policy or an argument spells it: one strict reading of each address.

`s3://bucket/key`, `oci://namespace/bucket/key`, `https://host/path`, or a path. What ends in `/` names every object
below it. An address that two programs could read in two ways is refused, so there are no queries, users or `..`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from aegis.core.errors import UsageError

Scheme = Literal["s3", "oci", "https", "file"]

HERE = "."
"""The `store` of a relative path: the repository, or wherever the caller looks."""
MAX_KEY = 1024
"""Bytes of a key, in S3 and OCI alike (https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-keys.html)."""

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):(?=/)")
_LOOPBACK = frozenset({"127.0.0.1", "[::1]", "localhost"})
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_S3_BUCKET = re.compile(r"(?!\d+\.\d+\.\d+\.\d+\Z)[a-z0-9](?!.*\.\.)[a-z0-9.-]{1,61}[a-z0-9]")
# https://docs.oracle.com/iaas/Content/Object/Tasks/managingbuckets.htm, understandingnamespaces.htm
_OCI_STORE = re.compile(r"[a-z0-9][a-z0-9_-]{0,254}/[A-Za-z0-9._-]{1,256}")
_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_HOST = re.compile(rf"(?:{_LABEL}(?:\.{_LABEL})*|\[::1\])(?::[1-9][0-9]{{0,4}})?")
# RFC 3986 3.3, without what servers read differently from one another.
_URL_PATH = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,=:@/-]|%[0-9A-Fa-f]{2})+")


@dataclass(frozen=True, slots=True)
class Location:
    """One object, or every object below a prefix."""

    scheme: Scheme
    store: str
    """A bucket; a namespace and a bucket (`oci`); an origin such as `https://host`; a folder (`file`)."""
    key: str
    """The object's key in the store; a prefix ends in `/`, or is empty where the whole store is meant."""

    @property
    def is_prefix(self) -> bool:
        """Whether every object below it is meant."""
        return not self.key or self.key.endswith("/")

    def __str__(self) -> str:
        """As it is spelt in a policy."""
        match self.scheme:
            case "https":
                return f"{self.store}/{self.key}"
            case "file":
                return (self.key or "./") if self.store == HERE else f"{self.store.rstrip('/')}/{self.key}"
            case _:
                return f"{self.scheme}://{self.store}/{self.key}"


def parse_location(text: str) -> Location:
    """Read an address. `UsageError` `verify.source_invalid` where it is not exactly one."""
    if not text or not _is_printable(text):
        raise _invalid(text, "text without control characters")
    found = _SCHEME.match(text)
    if found is None:
        return _path(text)
    rest = text[found.end() :]
    if "?" in text or "#" in text:
        raise _invalid(text, "an address without a query and without a fragment")
    if not rest.startswith("//"):
        raise _invalid(text, f"{found[1]}://…")
    match found[1]:
        case "s3":
            bucket, slash, key = rest[2:].partition("/")
            return _bucket(text, "s3", bucket, key, bool(slash and _S3_BUCKET.fullmatch(bucket)))
        case "oci":
            namespace, _, more = rest[2:].partition("/")
            bucket, slash, key = more.partition("/")
            store = f"{namespace}/{bucket}"
            return _bucket(text, "oci", store, key, bool(slash and _OCI_STORE.fullmatch(store)))
        case "https" | "http":
            return _url(text, found[1], rest[2:])
        case _:
            raise _invalid(text, "s3://bucket/key, oci://namespace/bucket/key, https://host/path, or a path")


def check_store(scheme: Literal["s3", "oci", "https"], store: str) -> None:
    """Refuse what could not be a `Location.store` of this scheme, as `parse_location` does."""
    text = f"{store}/x" if scheme == "https" else f"{scheme}://{store}/x"
    if parse_location(text) != Location(scheme, store, "x"):
        raise _invalid(store, "a bucket's name, or an origin such as https://host")


def _bucket(text: str, scheme: Literal["s3", "oci"], store: str, key: str, known: bool) -> Location:
    if not known:
        shape = {"s3": "s3://bucket/key", "oci": "oci://namespace/bucket/key"}[scheme]
        raise _invalid(text, f"{shape} with a valid bucket name, and `/` after it")
    _check_key(text, key)
    return Location(scheme, store, key)


def _url(text: str, scheme: str, rest: str) -> Location:
    host, _, path = rest.partition("/")
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    port = host.removeprefix(name)[1:]
    if not _HOST.fullmatch(host) or (port and int(port) > 65535):
        raise _invalid(text, "https://host/path or https://host:port/path, the host in lower case and without a user")
    if scheme != "https" and name not in _LOOPBACK:
        raise _invalid(text, "https (plain HTTP only on this machine)")
    if not path or not _URL_PATH.fullmatch(path):
        raise _invalid(text, "a path after the host, percent-encoded as it is sent")
    decoded = unquote_to_bytes(path)
    if decoded.count(b"/") != path.count("/") or b"\\" in decoded or b"%" in decoded:
        raise _invalid(text, "a path that is the same to every server")
    try:
        _check_key(text, decoded.decode())
    except UnicodeDecodeError as error:
        raise _invalid(text, "a path in UTF-8") from error
    return Location("https", f"{scheme}://{host}", path)


def _path(text: str) -> Location:
    if "\\" in text or "://" in text:
        raise _invalid(text, "a path with forward slashes, or an address with a known scheme")
    if not text.startswith("/"):
        relative = text.removeprefix("./")
        _check_key(text, relative)
        return Location("file", HERE, relative)
    folder, _, name = text.rstrip("/").rpartition("/")
    key = name + "/" * text.endswith("/")
    _check_key(text, f"{folder[1:]}/{key}" if folder else key)
    if not key.strip("/"):
        raise _invalid(text, "a file or folder below the root")
    return Location("file", folder or "/", key)


def _check_key(text: str, key: str) -> None:
    """No part of a key may be empty, `.` or `..`, for each of these means another place to some program."""
    if len(key.encode()) > MAX_KEY:
        raise _invalid(text, f"a key of at most {MAX_KEY} bytes")
    if not key:
        return
    if not _is_printable(key) or {"", ".", ".."} & set(key.removesuffix("/").split("/")):
        raise _invalid(text, "a key without empty parts, `.`, `..` and control characters")


def _is_printable(text: str) -> bool:
    """No control, format or lone surrogate characters, and no spaces but the plain one."""
    return text.isprintable()


def _invalid(text: str, expected: str) -> UsageError:
    return UsageError(
        "verify.source_invalid",
        f"the source is {text[:200]!r}",
        expected=expected,
        remedy="Write it as s3://bucket/key, oci://namespace/bucket/key, https://host/path or a path; a folder or "
        "prefix ends in `/`.",
    )
