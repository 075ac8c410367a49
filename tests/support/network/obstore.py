"""An ObstoreS3 on the S3 double, with the double's keys in the environment."""

from __future__ import annotations

from typing import Any

import pytest

from aegis.adapters.objects.obstore import ObstoreS3
from tests.doubles.aws import s3 as double
from tests.support.network.stores import Time


def set_keys(monkeypatch: pytest.MonkeyPatch, access_key: str, secret_key: str, token: str | None = None) -> None:
    """These, and no other source of credentials."""
    clear(monkeypatch)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", access_key)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", secret_key)
    if token is not None:
        monkeypatch.setenv("AWS_SESSION_TOKEN", token)


def clear(monkeypatch: pytest.MonkeyPatch) -> None:
    """No credentials, and no instance that would give some."""
    for name in (
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_ROLE_ARN", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    ):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:2")


def obstore_s3(service: double.S3, time: Time | None = None, **more: Any) -> ObstoreS3:
    """The bucket `models` of the double, with pauses that take no time."""
    more.setdefault("endpoint", service.address)
    return ObstoreS3("models", service.region, clock=(time or Time()).clock(), **more)
