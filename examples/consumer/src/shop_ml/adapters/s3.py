"""The object store over S3."""

from __future__ import annotations

import boto3
from botocore.exceptions import ClientError


class S3Objects:
    """One bucket."""

    def __init__(self, bucket: str) -> None:
        self._bucket = bucket
        self._client = boto3.client("s3")

    def read(self, key: str) -> bytes:
        """The object's bytes; KeyError if there is none."""
        try:
            answer = self._client.get_object(Bucket=self._bucket, Key=key)
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise KeyError(key) from error
            raise
        return bytes(answer["Body"].read())
