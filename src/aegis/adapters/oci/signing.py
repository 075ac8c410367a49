"""Signatures of OCI's requests, by `oci`'s own signer.

https://docs.oracle.com/en-us/iaas/Content/API/Concepts/signingrequests.htm. A document in a request is signed with it;
an object's content is not ("Special Instructions for Object Storage PUT"), and has a checksum of its own.
"""

from __future__ import annotations

import importlib
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import Any
from urllib.parse import urlsplit

from aegis.adapters.oci.identity import OciSession

_NO_SERVICES = "OCI_PYTHON_SDK_NO_SERVICE_IMPORTS"


@dataclass(slots=True)
class _Request:
    """What `oci`'s signers take for a request: the part of `requests.PreparedRequest` that they use."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes | None = None

    @property
    def path_url(self) -> str:
        """Path and query as they are sent."""
        parts = urlsplit(self.url)
        return f"{parts.path}?{parts.query}" if parts.query else parts.path


@dataclass(slots=True)
class RequestSigner:
    """Signs each request with the session of the moment. Safe to call from threads."""

    sessions: Callable[[], OciSession]
    now: Callable[[], float] = time.time
    """Seconds since 1970: a signature is good for five minutes around its date."""
    _held: tuple[OciSession, Any] | None = field(default=None, repr=False)
    """`oci`'s signer of the newest session."""
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __call__(self, method: str, url: str, document: bytes | None = None) -> dict[str, str]:
        """The headers that sign this request; `url` must be exactly what is sent, with the `Host` that is sent.

        `document`: the JSON of a POST.
        """
        session = self.sessions()
        with self._lock:
            if self._held is None or self._held[0] is not session:
                self._held = session, _security_token_signer(session)
            signer = self._held[1]
        return signed_by(signer, method, url, self.now(), document)


def signed_by(signer: Any, method: str, url: str, now: float, document: bytes | None = None) -> dict[str, str]:
    """The headers that one of `oci`'s signers gives a request. `now`: seconds since 1970."""
    request = _Request(method, url, {"date": formatdate(now, usegmt=True)}, document)
    if document is None:
        signer(request, enforce_content_headers=False)
        return {"Date": request.headers["date"], "Authorization": request.headers["authorization"]}
    # the length is sent by who sends the document
    request.headers |= {"content-type": "application/json", "content-length": str(len(document))}
    signer(request)
    names = ("date", "authorization", "content-type", "x-content-sha256")
    return {name.title(): request.headers[name] for name in names}


def _security_token_signer(session: OciSession) -> Any:
    """`oci`'s signer for a session token and its key."""
    module = import_quickly("oci.auth.signers.security_token_signer")
    return module.SecurityTokenSigner(session.token, session.key)


def import_quickly(name: str) -> Any:
    """A module of `oci`, which would import all of its 150 services (half a minute) if a variable said so."""
    before = os.environ.get(_NO_SERVICES)
    os.environ[_NO_SERVICES] = "true"
    try:
        return importlib.import_module(name)
    finally:
        if before is None:
            del os.environ[_NO_SERVICES]
        else:
            os.environ[_NO_SERVICES] = before
