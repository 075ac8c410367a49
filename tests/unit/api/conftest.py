"""The API in this process: real tokens of real issuers, a deployment that can be told to fail."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from aegis_multimodal_ai_system.api.app import make_app
from aegis_multimodal_ai_system.api.auth import Auth
from aegis_multimodal_ai_system.api.service import Limits
from tests.doubles.deployment import Deployment, Loader, deployment
from tests.doubles.oidc_issuer import Issuers, serve_issuers
from tests.support.processes.patient import patient_fetches
from tests.support.runtime.asgi import Answer, Client, Headers
from tests.support.runtime.service import roles

ROLES = ("reader", "operator", "admin")
PATIENT = Limits(call_seconds=300, prepare_seconds=300, probe_seconds=300, part_seconds=300, body_seconds=300)
"""No test is red because this machine was busy; those of a limit set it."""


@pytest.fixture(scope="session")
def issuers() -> Iterator[Issuers]:
    with serve_issuers() as served:
        yield served


@pytest.fixture(scope="session")
def auth(issuers: Issuers, tmp_path_factory: pytest.TempPathFactory) -> Auth:
    with patient_fetches():
        return Auth.from_file(issuers.auth_file(tmp_path_factory.mktemp("auth")))


@dataclass
class Api:
    """The application and what stands behind it."""

    deployment: Deployment
    auth: Auth | None
    tokens: dict[str, str]
    """By role; `nobody` has none."""
    loader: Loader = field(default_factory=Loader)
    limits: Limits = PATIENT
    probe_port: int | None = None
    _app: Any = None

    @property
    def app(self) -> Any:
        if self._app is None:
            self._app = make_app(
                self.deployment,  # type: ignore[arg-type] # as much of a Runtime as the API uses
                self.auth,
                limits=self.limits,
                probe_port=self.probe_port,
                prepare=self.loader,
            )
        return self._app

    def client(self, role: str | None = None, **changes: Any) -> Client:
        headers = [("authorization", f"Bearer {self.tokens[role]}")] if role is not None else []
        return Client(self.app, headers, **changes)

    def ask(
        self,
        method: str,
        target: str,
        *,
        role: str | None = "admin",
        body: bytes | Sequence[bytes] = b"",
        headers: Headers = (),
        **changes: Any,
    ) -> Answer:
        """One request."""
        return asyncio.run(self.client(role, **changes).ask(method, target, body=body, headers=headers))

    def say(self, target: str, body: bytes = b'{"reason":"a test"}', **changes: Any) -> Answer:
        """A write."""
        return self.ask("POST", target, body=body, headers=[("content-type", "application/json")], **changes)


@pytest.fixture(scope="session")
def tokens(issuers: Issuers) -> dict[str, str]:
    return {**roles(issuers), "nobody": issuers.people.token(groups=[], sub="a-nobody")}


@pytest.fixture
def api(tmp_path: Path, auth: Auth, tokens: dict[str, str]) -> Api:
    return Api(deployment(tmp_path), auth, tokens)


Make = Callable[[Path], Api]
