"""STS by botocore, in a session that takes nothing from its surroundings. Imported only when an exchange is made.

AWS_* variables and configuration files could name another endpoint, another certificate authority, other service models
or other credentials: each would send the token elsewhere.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import botocore.configprovider as configuration
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session

from aegis.adapters.http.call import is_loopback

CONNECT_SECONDS = 3.0
READ_SECONDS = 5.0


class StsRefusedError(Exception):
    """STS answered with an error."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        """Keep the answer; botocore's own exception is not chained, since it may hold the request."""
        super().__init__()
        self.response = response


class StsFaultError(Exception):
    """There was no answer, or none that can be read; its text is the kind of fault."""


class Sts:
    """A client for one region or endpoint."""

    def __init__(self, region: str, endpoint: str | None) -> None:
        """Raises `StsFaultError` for a region that has no STS."""
        on_this_machine = endpoint is not None and is_loopback(endpoint)
        config = Config(
            signature_version=UNSIGNED,
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"total_max_attempts": 1, "mode": "standard"},
            # A proxy on the way to this very machine would see the token.
            proxies={} if on_this_machine else None,
        )
        try:
            self._client = _session().create_client(
                "sts", region_name=region, endpoint_url=endpoint, verify=True, config=config
            )
        except (BotoCoreError, ValueError) as error:
            raise StsFaultError(type(error).__name__) from error

    def assume(self, **request: str | int) -> dict[str, Any]:
        """AssumeRoleWithWebIdentity, once: what to try again is the caller's decision."""
        try:
            answer: dict[str, Any] = self._client.assume_role_with_web_identity(**request)
        except ClientError as error:
            raise StsRefusedError(error.response) from None
        except Exception as error:
            # no answer, or one that botocore cannot read, for which it raises nearly anything, with secrets in its text
            raise StsFaultError(type(error).__name__) from None
        return answer


def _session() -> Session:
    # botocore logs whole requests and answers, tokens and keys included, at level DEBUG.
    logging.getLogger("botocore").setLevel(logging.WARNING)
    session = Session()
    variables = configuration.BOTOCORE_DEFAUT_SESSION_VARIABLES
    nothing = {name: configuration.ConstantProvider(default) for name, (_, _, default, _) in variables.items()}
    for file in ("config_file", "credentials_file"):
        nothing[file] = configuration.ConstantProvider("/dev/null")
    nothing["ignore_configured_endpoint_urls"] = configuration.ConstantProvider(True)
    session.register_component("config_store", configuration.ConfigValueStore(mapping=nothing))
    return session
