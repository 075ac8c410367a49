"""On a laptop: the credentials of its user, found as every AWS tool finds them. Workflows never use this.

https://docs.aws.amazon.com/sdkref/latest/guide/standardized-credentials.html
"""

from __future__ import annotations

import datetime

from aegis.core.errors import CouldNotDecide
from aegis.core.ports.credentials import AwsCredentials

_GOOD_FOR = datetime.timedelta(minutes=10)
"""How long one answer is used: botocore renews its own before they end, and tells no end of its own."""


class AmbientCredentials:
    """Credentials of environment, profile, single sign-on or instance."""

    def __call__(self) -> AwsCredentials:
        """Those of now. Raises CouldNotDecide `verify.no_credentials`."""
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session

        try:
            found = Session().get_credentials()
            frozen = found.get_frozen_credentials() if found is not None else None
        except BotoCoreError as error:
            raise _none(type(error).__name__) from None
        if frozen is None or not (frozen.access_key and frozen.secret_key):
            raise _none("none were found")
        expires = datetime.datetime.now(datetime.UTC) + _GOOD_FOR
        return AwsCredentials(frozen.access_key, frozen.secret_key, frozen.token, expires=expires)


def _none(problem: str) -> CouldNotDecide:
    return CouldNotDecide(
        "verify.no_credentials",
        f"there are no AWS credentials: {problem}",
        expected="a profile, a single sign-on session or AWS_ACCESS_KEY_ID with its secret",
        remedy="log in (`aws sso login`), or run the check in its workflow, which uses OIDC",
    )
