"""The server's side of Signature Version 4: what AWS checks before it looks at a request.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
"""

from __future__ import annotations

import datetime
import hashlib
import hmac
import re
from collections.abc import Mapping
from typing import Protocol
from urllib.parse import parse_qsl, quote, unquote

SKEW = datetime.timedelta(minutes=15)
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/, ]+)/(?P<day>\d{8})/(?P<region>[a-z0-9-]+)/(?P<service>[a-z0-9]+)/"
    r"aws4_request, ?SignedHeaders=(?P<names>[a-z0-9;-]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)


class Authorizer(Protocol):
    """Who holds which keys, and who may do what."""

    def secret(self, access_key: str) -> tuple[str, str | None] | None:
        """The secret key and session token behind an access key; None for an unknown or expired one."""
        ...

    def allowed(self, access_key: str, action: str, resource_arn: str, context: Mapping[str, str]) -> bool:
        """Whether this principal may do this, e.g. `s3:GetObject` on `arn:aws:s3:::bucket/key`."""
        ...


class Denied(Exception):  # noqa: N818 - AWS' own word
    """Refused before the request was looked at: an HTTP status and AWS' error code."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status = status
        self.code = code


def authenticate(
    method: str,
    raw: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    authorizer: Authorizer,
    region: str,
    service: str,
    now: datetime.datetime,
) -> str:
    """The access key that signed a request. `raw` is the request's target; `headers` have names in lower case."""
    found = _AUTHORIZATION.fullmatch(headers.get("authorization", ""))
    if found is None:
        raise Denied(403, "AccessDenied")
    if found["service"] != service or found["region"] != region:
        raise Denied(400, "AuthorizationHeaderMalformed")
    stamp = headers.get("x-amz-date", "")
    try:
        when = datetime.datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
    except ValueError:
        raise Denied(403, "AccessDenied") from None
    if abs(now - when) > SKEW or stamp[:8] != found["day"]:
        raise Denied(403, "RequestTimeTooSkewed")
    known = authorizer.secret(found["key"])
    if known is None:
        raise Denied(403, "InvalidAccessKeyId")
    secret, token = known
    if headers.get("x-amz-security-token") != token:
        raise Denied(400, "InvalidToken")
    names = found["names"].split(";")
    needed = {"host"} | {name for name in headers if name.startswith("x-amz-")}
    if names != sorted(set(names)) or not needed <= set(names) or not set(names) <= set(headers):
        raise Denied(403, "AccessDenied")
    payload = headers.get("x-amz-content-sha256", "")
    if payload not in {hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"}:
        raise Denied(400, "XAmzContentSHA256Mismatch")
    request = "\n".join([method, *_canonical(raw), *_lines(names, headers), "", found["names"], payload])
    scope = f"{found['day']}/{region}/{service}/aws4_request"
    text = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hashlib.sha256(request.encode()).hexdigest()}"
    key = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), text):
        key = hmac.digest(key, part.encode(), "sha256")
    if not hmac.compare_digest(key.hex(), found["signature"]):
        raise Denied(403, "SignatureDoesNotMatch")
    return found["key"]


def _canonical(raw: str) -> tuple[str, str]:
    path, _, query = raw.partition("?")
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return quote(unquote(path), safe="/-_.~"), "&".join(f"{name}={value}" for name, value in encoded)


def _lines(names: list[str], headers: Mapping[str, str]) -> list[str]:
    return [f"{name}:{re.sub(' +', ' ', headers[name].strip())}" for name in names]
