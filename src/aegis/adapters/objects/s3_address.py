"""Where a bucket of S3, or of a store that speaks its protocol, is asked."""

from __future__ import annotations

import re

from aegis.core.errors import UsageError
from aegis.storage.location import check_store

REGION = re.compile(r"[a-z]{2,}(-[a-z0-9]+)+")


def bucket_address(bucket: str, region: str, endpoint: str | None) -> tuple[str, str]:
    """The bucket's origin, and the path before its keys. `UsageError` where the arguments name no place.

    AWS' certificates cover one label before `s3`, so a bucket with dots is named in the path
    (https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html).
    """
    check_store("s3", bucket)
    if not REGION.fullmatch(region):
        raise UsageError(
            "verify.region_invalid",
            f"the region is {region[:60]!r}",
            expected="a region such as eu-central-1",
            remedy="Set `verify.aws.region`, or the input `aws-region`.",
        )
    if endpoint is not None:
        return _origin(endpoint, "S3", "s3-endpoint"), f"/{bucket}"
    host = f"s3.{region}.{_domain(region)}"
    return (f"https://{host}", f"/{bucket}") if "." in bucket else (f"https://{bucket}.{host}", "")


def sts_address(region: str, endpoint: str | None) -> str:
    """The origin of the region's STS, which gives sessions for web identities."""
    return (
        _origin(endpoint, "STS", "sts-endpoint") if endpoint is not None else f"https://sts.{region}.{_domain(region)}"
    )


def _domain(region: str) -> str:
    return "amazonaws.com" + ".cn" * region.startswith("cn-")


def _origin(endpoint: str, what: str, key: str) -> str:
    try:
        check_store("https", endpoint.removesuffix("/"))
    except UsageError as error:
        raise UsageError(
            "verify.endpoint_invalid",
            f"the {what} endpoint is {endpoint[:200]!r}",
            expected="https://host or https://host:port",
            remedy=f"Correct `verify.aws.{key}` in the policy file.",
        ) from error
    return endpoint.removesuffix("/")
