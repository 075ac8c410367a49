"""An S3Store on the S3 double."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from aegis.adapters.objects.s3 import S3Store
from aegis.core.ports.credentials import AwsCredentials
from tests.doubles.aws import s3 as double
from tests.support.network.stores import Time

CREDENTIALS = AwsCredentials(double.ACCESS_KEY, double.SECRET_KEY, double.TOKEN)


def s3_store(
    service: double.S3,
    time: Time | None = None,
    source: Callable[[], AwsCredentials] = lambda: CREDENTIALS,
    **more: Any,
) -> S3Store:
    """The bucket `models` of the double, with pauses that take no time."""
    more.setdefault("endpoint", service.address)
    return S3Store("models", service.region, source, clock=(time or Time()).clock(), **more)
