"""One JSON document to one address, by the call that carries secrets: no redirects, bounded, nothing echoed."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from aegis.adapters.http.call import RETRIED, Answer, Clock, call

TIMEOUT = 3.0
"""Seconds of silence; less than an alert's deadline, so that there is time for a second try."""

PAUSE = 0.5
"""Seconds before the second try, which is the last."""


def asked(
    method: str,
    address: str,
    document: Any,
    *,
    headers: Mapping[str, str] | None = None,
    secrets: Sequence[str] = (),
    retry: bool = True,
    timeout: float = TIMEOUT,
) -> tuple[str, Answer | None]:
    """The problem, which holds no part of the address, or the answer, whatever its status."""
    body = None if document is None else json.dumps(document).encode()
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked by who names the address
        address,
        data=body,
        method=method,
        headers={"Content-Type": "application/json", "User-Agent": "aegis-gates", **(headers or {})},
    )
    parts = urlsplit(address)
    hidden = [address, *(text for text in (parts.query, parts.path.strip("/")) if text), *secrets]
    problem, answer = call(request, secrets=hidden, timeout=timeout, clock=Clock())
    if retry and (answer is None or answer.status in RETRIED):
        time.sleep(PAUSE)
        problem, answer = call(request, secrets=hidden, timeout=timeout, clock=Clock())
    return (f"no answer ({problem})" if answer is None else ""), answer


def problem_of(problem: str, answer: Answer | None, good: Sequence[int] = range(200, 300)) -> str:
    """Why an answer is no success; empty where it is one. A server's words are left out: they may echo anything."""
    if answer is None:
        return problem
    if answer.status in good:
        return ""
    return f"status {answer.status}" + (", a redirect, which is not followed" if 300 <= answer.status < 400 else "")
